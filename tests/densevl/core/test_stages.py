"""The parts we have are the stages they claim to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from densevl.core.stages import Extractor, FeatureRefiner, Head, Metric, Source, TextEncoder, Writer
from densevl.data import PictureSource
from densevl.extractors import MaskCLIPExtractor
from densevl.heads import CosineHead
from densevl.metrics import MeanIoU
from densevl.refiners import AffinityPoolRefiner
from densevl.visualize import WRITERS
from tests.packaged_lite import lite
from tests.tiny import tiny_clip

PARTS = [
    (tiny_clip(), TextEncoder),
    (MaskCLIPExtractor(tiny_clip()), Extractor),
    (AffinityPoolRefiner(), FeatureRefiner),
    (CosineHead(), Head),
    (MeanIoU(2), Metric),
    (PictureSource((Path("a.png"),), ("a",)), Source),
    *((writer, Writer) for writer in WRITERS.values()),
]


@pytest.mark.parametrize(("part", "stage"), PARTS, ids=[type(part).__name__ for part, _ in PARTS])
def test_a_part_has_what_its_stage_asks_for(part: object, stage: type) -> None:
    assert isinstance(part, stage)


def test_the_embedded_model_reads() -> None:
    assert isinstance(lite(), TextEncoder)


def test_something_else_is_no_stage() -> None:
    assert not isinstance(object(), Head)
    assert not isinstance(CosineHead(), Writer)
