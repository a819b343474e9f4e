"""VideoClassifier: paths and arrays, views, synonyms, memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from densevl.core.errors import ClipError, MemoryLimitError, ShapeError
from densevl.core.structures import TextBank
from tests.video.fakes import colour_classifier, colour_clip, colour_frames


def test_a_path_and_its_frames_are_recognised_alike(tmp_path: Path) -> None:
    classifier = colour_classifier()
    path = colour_clip(tmp_path / "a.mp4", [("green", 12)])
    result = classifier.predict(path, ["red", "green", "blue"])
    assert (result.label, result.source, result.class_names) == ("green", path, ("red", "green", "blue"))
    from_frames = classifier.predict(colour_frames([("green", 12)]), ["red", "green", "blue"])
    assert np.allclose(result.scores, from_frames.scores, atol=0.02) and from_frames.source is None
    assert result.scores.dtype == np.float32 and result.scores.sum() == pytest.approx(1)


def test_scores_are_the_softmax_of_each_view_and_then_the_mean() -> None:
    frames = colour_frames([("red", 10), ("blue", 10)])
    classifier = colour_classifier(num_frames=1, rule="dense", views=2)
    mean = classifier.predict(frames, "red; blue").scores
    assert mean == pytest.approx([0.5, 0.5], abs=1e-5)
    single = colour_classifier(num_frames=1, rule="dense", views=1)
    halves = [single.predict(part, "red; blue").scores for part in (frames[:10], frames[10:])]
    assert mean == pytest.approx(np.mean(halves, axis=0))
    assert halves[0][0] > 0.99


def test_batches_of_views_give_what_single_ones_give() -> None:
    frames = colour_frames([("red", 4), ("green", 5), ("blue", 6), ("grey", 7)], size=(40, 90))
    classifier = colour_classifier(num_frames=2, views=4, crops="three")
    one_by_one = classifier.predict(frames, "red; green; blue").scores
    assert classifier.recogniser.clips == 12
    classifier.view_batch = 5
    assert np.allclose(classifier.predict(frames, "red; green; blue").scores, one_by_one, atol=1e-6)


def test_clips_of_a_batch_are_scored_as_each_alone() -> None:
    classifier = colour_classifier()
    bank = classifier.encode("red; blue")
    clips = np.random.default_rng(0).integers(0, 256, (3, 2, 4, 8, 8, 3), dtype=np.uint8)
    scores = classifier.score(clips, bank)
    assert np.allclose(scores, np.concatenate([classifier.score(clip[None], bank) for clip in clips]), atol=1e-6)


def test_a_class_is_as_good_as_its_best_synonym() -> None:
    result = colour_classifier().predict(colour_frames([("green", 4)]), "blue, green; red")
    assert result.label == "blue" and result.scores.shape == (2,)


def test_a_bank_is_encoded_once_and_taken_as_it_is() -> None:
    classifier = colour_classifier()
    bank = classifier.encode("red; blue")
    assert isinstance(bank, TextBank)
    assert torch.allclose(bank.vectors.norm(dim=1), torch.ones(2))
    frames = colour_frames([("red", 3)])
    assert (classifier.predict(frames, bank).scores == classifier.predict(frames, "red; blue").scores).all()


def test_frames_of_another_shape_or_kind_are_refused() -> None:
    classifier = colour_classifier()
    for frames in (np.zeros((4, 8, 8), np.uint8), np.zeros((4, 8, 8, 3)), np.zeros((0, 8, 8, 3), np.uint8)):
        with pytest.raises(ShapeError, match="expected frames"):
            classifier.predict(frames, "red; blue")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=r"gone\.mp4"):
        colour_classifier().predict(tmp_path / "gone.mp4", "red; blue")


def test_short_memory_halves_the_batch_and_one_view_too_many_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = colour_classifier(views=4)
    classifier.view_batch, seen, most = 4, [], 1
    whole = classifier._forward

    def forward(views: np.ndarray, bank: TextBank) -> np.ndarray:
        seen.append(len(views))
        if len(views) > most:
            raise RuntimeError("CUDA out of memory")
        return whole(views, bank)

    monkeypatch.setattr(classifier, "_forward", forward)
    frames = colour_frames([("red", 8)])
    assert classifier.predict(frames, "red; blue").label == "red"
    assert seen == [4, 2, 1, 1, 1, 1] and classifier.view_batch == 1
    most = 0
    with pytest.raises(MemoryLimitError, match="smaller --model"):
        classifier.predict(frames, "red; blue")


def test_other_errors_are_not_taken_for_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = colour_classifier()

    def forward(views: np.ndarray, bank: TextBank) -> np.ndarray:
        raise ValueError("another")

    monkeypatch.setattr(classifier, "_forward", forward)
    with pytest.raises(ValueError, match="another"):
        classifier.predict(colour_frames([("red", 8)]), "red; blue")
