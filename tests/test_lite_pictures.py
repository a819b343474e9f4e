"""The embedded model on real pictures: a class covers most of a box drawn by hand inside its object."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import pytest

import densevl
from tests.packaged_lite import picture

PICTURES = json.loads((Path(__file__).parent / "fixtures" / "lite_boxes.json").read_text(encoding="utf-8"))
MOST = 0.75
CASES = [(name, word) for name, case in PICTURES.items() for word in case["boxes"]]


@lru_cache(maxsize=len(PICTURES))
def segment(name: str) -> densevl.Segmentation:
    return _lite().predict(picture(name), PICTURES[name]["classes"])


@lru_cache(maxsize=1)
def _lite() -> object:
    return densevl.load("lite", device="cpu")


@pytest.mark.parametrize(("name", "word"), CASES)
def test_a_named_class_covers_most_of_its_box(name: str, word: str) -> None:
    result = segment(name)
    for x0, y0, x1, y1 in PICTURES[name]["boxes"][word]:  # pixels of the picture
        inside = result.labels[y0:y1, x0:x1]
        assert inside.size > 0 and (inside == result.class_names.index(word)).mean() > MOST


def test_the_cat_does_not_cover_the_blanket_behind_it() -> None:
    result = segment("chelsea")
    assert (result.labels[25:250, 405:445] == result.class_names.index("cat")).mean() < 1 - MOST
