"""Names that are imported when they are first used."""

from __future__ import annotations

import json

import pytest

from densevl.core.lazy import lazy_exports


def test_names_and_rooms_are_found_and_listed() -> None:
    get, listed = lazy_exports("json", {"JSONDecoder": "json.decoder"}, ("decoder",))
    assert get("JSONDecoder") is json.JSONDecoder and get("decoder") is json.decoder
    assert listed() == ["JSONDecoder", "decoder"]


def test_another_name_is_an_attribute_error_as_of_any_module() -> None:
    get, _ = lazy_exports("json", {})
    with pytest.raises(AttributeError, match="module 'json' has no attribute 'nope'"):
        get("nope")
