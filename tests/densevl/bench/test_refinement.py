from __future__ import annotations

from dataclasses import replace

import pytest

from densevl.bench import refinement


def test_both_forms_refine_alike_and_changed_labels_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement, "_CLASSES", 3)
    inputs = refinement.prepare()
    monkeypatch.setattr(inputs["refiner"], "minimal_area", 12_000)
    ours, plain = refinement.refine(inputs), refinement.plain_refine(inputs)
    assert refinement.compare(inputs, ours, plain)[0]
    assert (ours.label_map != inputs["coarse"].label_map).any()
    other = replace(ours, label_map=ours.label_map + 1)
    assert not refinement.compare(inputs, other, plain)[0]
