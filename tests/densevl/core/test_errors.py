"""Errors carry their exit codes and name the nearest."""

from __future__ import annotations

import pytest

from densevl.core import errors


def test_unknown_names_offer_the_nearest_or_all() -> None:
    assert "did you mean lite?" in str(errors.UnknownNameError("model", "lit", ["lite", "trident-b16"]))
    far = errors.UnknownNameError("model", "zzz", ["b", "a"], hint="See there.")
    assert str(far) == "unknown model 'zzz': known: a, b. See there."


KINDS = [value for value in vars(errors).values() if getattr(value, "__module__", "") == errors.__name__]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_ours_and_has_a_code_of_the_contract(kind: type) -> None:
    assert issubclass(kind, errors.DensevlError)
    assert kind.exit_code in {1, 2, 3, 4, 5}
