"""Watching a long video: every frame once, the same scores as window by window, pictures, cuts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import ClipError
from densevl.data import open_frames
from tests.damaged_clips import damaged_clips
from tests.video.fakes import COLOURS, SIDE, colour_classifier, colour_clip
from video.classifier import VideoClassifier
from video.clip_source import LongVideo, WindowRule
from video.timeline import SegmentRule
from video.watch import PICTURES, watch

WINDOWS = WindowRule(long_sec=0, window_sec=2, stride_sec=1)
RULE = SegmentRule(min_sec=0)
PARTS = [("red", 60), ("green", 40), ("blue", 50)]


def open_video(path: Path, classifier: VideoClassifier, rule: WindowRule = WINDOWS) -> LongVideo:
    with open_frames(path, "pyav") as reader:
        return LongVideo(path, reader.scan, views=classifier.views, rule=rule)


def test_parts_of_a_video_become_segments(tmp_path: Path) -> None:
    classifier = colour_classifier()
    video = open_video(colour_clip(tmp_path / "a.mp4", PARTS), classifier)
    timeline = watch(video, classifier, classifier.encode("red; green; blue"), rule=RULE)
    told = [(part.label, part.start_sec, part.end_sec) for part in timeline.segments]
    assert told == [
        ("red", 0, pytest.approx(6, abs=0.6)),
        ("green", pytest.approx(6, abs=0.6), pytest.approx(10, abs=0.6)),
        ("blue", pytest.approx(10, abs=0.6), 15),
    ]
    assert timeline.duration_sec == 15
    assert timeline.overall.label == "red"


@pytest.mark.parametrize("batch", [1, 4, 100])
@pytest.mark.parametrize(("crops", "averages"), [("centre", False), ("three", False), ("three", True)])
def test_scores_are_those_of_every_window_by_itself(tmp_path: Path, batch: int, crops: str, averages: bool) -> None:
    classifier = colour_classifier(crops=crops, averages_frames=averages)
    path = colour_clip(tmp_path / "a.mp4", PARTS)
    video, bank = open_video(path, classifier), classifier.encode("red; green; blue")
    classifier.view_batch = batch
    timeline = watch(video, classifier, bank, rule=RULE)
    seen = 3 if crops == "three" else 1
    expected = len(video.plan.distinct) if averages else video.plan.frame_numbers.size
    assert classifier.recogniser.frames == seen * expected  # what windows share is computed once
    assert timeline.scores.shape == (len(video.plan), 3) and (timeline.spans == video.plan.spans).all()
    with open_frames(path, "pyav") as reader:
        for numbers, scores in zip(video.plan.frame_numbers, timeline.scores, strict=True):
            cuts = dict(classifier.views.cuts(reader, np.unique(numbers).tolist()))
            alone = classifier.score(classifier.views.stack(cuts, numbers[None])[None], bank)[0]
            assert np.allclose(scores, alone, atol=1e-5)


def test_pictures_lie_at_even_distances_over_the_whole_video(tmp_path: Path) -> None:
    classifier = colour_classifier()
    video = open_video(colour_clip(tmp_path / "a.mp4", PARTS), classifier)
    pictures = watch(video, classifier, classifier.encode("red; blue"), rule=RULE).pictures
    seconds = [second for second, _ in pictures]
    assert len(pictures) == PICTURES and seconds == sorted(seconds)
    assert np.allclose(seconds, (np.arange(PICTURES) + 0.5) / PICTURES * 15, atol=0.3)
    for second, picture in pictures:
        expected = COLOURS["red" if second < 6 else "green" if second < 10 else "blue"]
        assert picture.shape == (SIDE, SIDE, 3) and np.abs(picture.mean(axis=(0, 1)) - expected).max() < 12


def test_progress_ascends_to_the_end(tmp_path: Path) -> None:
    classifier = colour_classifier()
    video = open_video(colour_clip(tmp_path / "a.mp4", PARTS), classifier)
    told: list[float] = []
    watch(video, classifier, classifier.encode("red; blue"), rule=RULE, progress=told.append)
    assert told == sorted(told) and told[-1] == 15 and len(told) >= 5


def test_a_cut_video_has_a_timeline_up_to_the_cut(tmp_path: Path) -> None:
    classifier = colour_classifier()
    rule = WindowRule(long_sec=0, window_sec=0.5, stride_sec=0.25)
    video = open_video(damaged_clips(tmp_path)["cut at 60 %, index first"], classifier, rule)
    timeline = watch(video, classifier, classifier.encode("red; blue"), rule=RULE)
    assert 0.5 <= timeline.duration_sec <= 1.3
    assert len(timeline.spans) == len(timeline.scores)


def test_a_video_that_breaks_off_within_the_first_window_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier = colour_classifier()
    path = colour_clip(tmp_path / "a.mp4", PARTS)
    video = open_video(path, classifier)
    monkeypatch.setattr(video, "crops", lambda: iter([(5, np.zeros((1, SIDE, SIDE, 3), np.uint8))]))
    with pytest.raises(ClipError, match=r"a\.mp4: breaks off within the first window"):
        watch(video, classifier, classifier.encode("red; blue"), rule=RULE)
