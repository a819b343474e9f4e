"""Frozen results check their shapes when they are made."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from densevl.core.errors import ShapeError
from densevl.core.structures import FeatureMap, ScoreMap, Segmentation, TextBank, no_label_id

NAMES = ("cat", "sky")


def make_segmentation(**changes: object) -> Segmentation:
    values: dict[str, object] = {
        "label_map": np.array([[0, 0, 1], [255, 1, 1]], np.uint8),
        "confidence": np.full((2, 3), 0.5, np.float32),
        "doubt_map": np.array([[0.0, 1.0]], np.float32),
        "class_names": NAMES,
    }
    return Segmentation(**{**values, **changes})  # type: ignore[arg-type]


def test_feature_maps_and_guides_share_a_grid() -> None:
    features = torch.zeros(2, 8, 3, 4)
    assert FeatureMap(features, torch.zeros(2, 5, 3, 4)).with_features(features + 1).guide is not None
    with pytest.raises(ShapeError, match=r"\[B, D, h, w\]"):
        FeatureMap(features[0])
    for guide in (torch.zeros(2, 5, 4, 4), torch.zeros(1, 5, 3, 4), torch.zeros(5, 3, 4)):
        with pytest.raises(ShapeError, match="guide"):
            FeatureMap(features, guide)


def test_a_text_bank_has_a_row_for_every_class() -> None:
    bank = TextBank(torch.zeros(3, 8), torch.tensor([0, 1, 1]), NAMES)
    assert bank.num_classes == 2
    assert bank.to("meta").vectors.device.type == "meta"
    with pytest.raises(ShapeError, match="ids"):
        TextBank(torch.zeros(3, 8), torch.tensor([0, 0, 0]), NAMES)
    with pytest.raises(ShapeError, match="class_index"):
        TextBank(torch.zeros(3, 8), torch.tensor([0, 1]), NAMES)


def test_score_maps_have_one_box_a_window() -> None:
    scores = torch.zeros(2, 3, 4, 5)
    with pytest.raises(ShapeError, match="one window"):
        ScoreMap(scores, canvas=(64, 80), extent=(64, 80))
    with pytest.raises(ShapeError, match="boxes"):
        ScoreMap(scores, canvas=(64, 80), extent=(64, 80), boxes=torch.zeros(3, 4))


def test_score_maps_of_queries_know_their_classes() -> None:
    scores = torch.zeros(1, 3, 4, 5)
    assert ScoreMap(scores, (64, 80), (64, 80)).num_classes == 3
    assert ScoreMap(scores, (64, 80), (64, 80), class_index=torch.tensor([1, 0, 1])).num_classes == 2
    with pytest.raises(ShapeError, match=r"class_index \[3\]"):
        ScoreMap(scores, (64, 80), (64, 80), class_index=torch.tensor([1, 0]))


def test_a_segmentation_counts_its_pixels() -> None:
    result = make_segmentation()
    assert result.labels.dtype == np.int64
    assert result.pixel_counts.tolist() == [2, 3, 1]
    assert result.areas == {"cat": pytest.approx(2 / 6), "sky": pytest.approx(3 / 6)}
    assert result.mean_doubt == pytest.approx(0.5)
    assert result.doubt.shape == (2, 3)
    assert repr(result) == "Segmentation(3x2, doubt 0.50: sky 50%, cat 33%)"


def test_above_255_classes_labels_have_16_bits() -> None:
    names = tuple(f"c{i}" for i in range(256))
    assert (no_label_id(255), no_label_id(256)) == (255, 65535)
    wide = make_segmentation(
        class_names=names, label_map=np.array([[0, 255, 65535]], np.uint16), confidence=np.zeros((1, 3), np.float32)
    )
    assert wide.pixel_counts[255] == 1 and wide.pixel_counts[-1] == 1
    with pytest.raises(ShapeError, match="uint16"):
        make_segmentation(class_names=names)


@pytest.mark.parametrize(
    "changes",
    [
        {"label_map": np.zeros((2, 3), np.int64)},
        {"label_map": np.zeros(3, np.uint8)},
        {"confidence": np.zeros((3, 2), np.float32)},
        {"doubt_map": np.zeros(3, np.float32)},
    ],
)
def test_wrong_shapes_and_kinds_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ShapeError):
        make_segmentation(**changes)


def test_results_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_segmentation().class_names = ("x",)  # type: ignore[misc]
