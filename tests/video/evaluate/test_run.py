"""Every clip of a list exactly once: whole runs, resumed ones, shards, and what is unreadable."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import ClipError, DataError, WeightsError
from densevl.engine import Part
from tests.video.evaluate.colour_set import NAMES
from tests.video.fakes import colour_classifier, colour_clip
from video.classifier import VideoClassifier
from video.evaluate.reading import ViewReader
from video.evaluate.run import ClipEvaluation, check_clips
from video.lists import ClipList, read_clip_list

FILES = ("metrics.json", "per_class.csv", "confusion.csv", "confusion.png", "predictions.csv", "failed.csv")


def evaluation(root: Path, classifier: VideoClassifier | None = None, **options: object) -> ClipEvaluation:
    classifier = classifier or colour_classifier(num_frames=2)
    clips = read_clip_list(root / "list.txt", NAMES, root=root)
    return ClipEvaluation(classifier, clips, reader=ViewReader(classifier.views, 1), **options)  # type: ignore[arg-type]


def seen(run: ClipEvaluation) -> int:
    return run.classifier.recogniser.clips  # type: ignore[attr-defined, no-any-return]


def test_figures_of_seven_clips_equal_those_by_hand(colours: Path, tmp_path: Path) -> None:
    run = evaluation(colours)
    run.score(tmp_path, Part())
    metrics = run.report(tmp_path)
    assert metrics is not None
    assert metrics["top1"] == pytest.approx(500 / 7)
    assert metrics["mean_class"] == pytest.approx(100 * (1 + 2 / 3 + 1 / 2) / 3)
    assert (metrics["top5"], metrics["top5_of"], metrics["counted"], metrics["coverage"]) == (100.0, 3, 7, 1.0)
    assert seen(run) == 7
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics


def test_a_resumed_run_scores_what_is_left_and_gives_the_same_bytes(colours: Path, tmp_path: Path) -> None:
    whole, cut = evaluation(colours), evaluation(colours)
    whole.score(tmp_path / "whole", Part())
    whole.report(tmp_path / "whole")

    def stop(count: int) -> None:
        if seen(cut) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut.score(tmp_path / "cut", Part(), progress=stop)
    assert cut.report(tmp_path / "cut") is None and not (tmp_path / "cut" / "metrics.json").exists()
    journal = tmp_path / "cut" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])  # a kill in the middle of a line
    rest = evaluation(colours)
    rest.score(tmp_path / "cut", Part())
    rest.report(tmp_path / "cut")
    assert seen(rest) == 5
    for name in FILES:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_shards_share_a_folder_and_the_last_one_writes_what_one_run_writes(
    colours: Path, tmp_path: Path, order: tuple[int, ...]
) -> None:
    whole = evaluation(colours)
    whole.score(tmp_path / "whole", Part())
    whole.report(tmp_path / "whole")
    counts = []
    for place, index in enumerate(order):
        shard = evaluation(colours)
        shard.score(tmp_path / "shards", Part(index, 3))
        assert (shard.report(tmp_path / "shards") is None) == (place < 2)
        counts.append(seen(shard))
    assert sum(counts) == 7 and sorted(counts) == [2, 2, 3]
    for name in FILES:
        assert (tmp_path / "shards" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_one_run_after_some_shards_does_the_rest(colours: Path, tmp_path: Path) -> None:
    evaluation(colours).score(tmp_path, Part(0, 2))
    rest = evaluation(colours)
    rest.score(tmp_path, Part())
    assert seen(rest) == 3
    assert rest.report(tmp_path) is not None


def test_the_same_list_elsewhere_is_the_same_run(colours: Path, tmp_path: Path) -> None:
    evaluation(colours).score(tmp_path / "out", Part())
    moved = evaluation(colours.rename(tmp_path / "moved"))
    moved.score(tmp_path / "out", Part())
    assert seen(moved) == 0 and moved.report(tmp_path / "out") is not None
    assert str(tmp_path / "moved" / "0.mp4") in (tmp_path / "out" / "predictions.csv").read_text()


def test_another_model_is_scored_anew(colours: Path, tmp_path: Path) -> None:
    evaluation(colours).score(tmp_path, Part())
    other = evaluation(colours, colour_classifier(num_frames=3))
    other.score(tmp_path, Part())
    assert seen(other) == 7


def test_changed_bytes_alone_are_scored_anew(colours: Path, tmp_path: Path) -> None:
    evaluation(colours).score(tmp_path, Part())
    colour_clip(colours / "2.mp4", [("red", 4)])
    again = evaluation(colours)
    again.score(tmp_path, Part())
    assert seen(again) == 1
    metrics = again.report(tmp_path)
    assert metrics is not None and metrics["top1"] == pytest.approx(400 / 7)


def spoil(root: Path) -> None:
    (root / "0.mp4").write_bytes(b"no clip")
    (root / "6.mp4").unlink()


@pytest.mark.parametrize(
    ("policy", "top1", "counted", "skipped"), [("count-as-wrong", 300 / 7, 7, 0), ("skip", 300 / 5, 5, 2)]
)
def test_clips_that_cannot_be_read_are_counted_by_the_policy_and_listed(
    colours: Path, tmp_path: Path, policy: str, top1: float, counted: int, skipped: int
) -> None:
    spoil(colours)
    run = evaluation(colours, policy=policy)
    run.score(tmp_path, Part())
    metrics = run.report(tmp_path)
    assert metrics is not None
    assert metrics["top1"] == pytest.approx(top1)
    assert (metrics["counted"], metrics["skipped"], metrics["answered"]) == (counted, skipped, 5)
    assert (metrics["coverage"], metrics["missing"]) == (pytest.approx(5 / 7), 1)
    failed = (tmp_path / "failed.csv").read_text().splitlines()
    assert len(failed) == 3 and "0.mp4" in failed[1] and "6.mp4" in failed[2]
    assert len((tmp_path / "predictions.csv").read_text().splitlines()) == 8


def test_a_clip_that_came_back_is_scored_by_the_same_command(colours: Path, tmp_path: Path) -> None:
    whole = (colours / "0.mp4").read_bytes()
    spoil(colours)
    evaluation(colours).score(tmp_path, Part())
    (colours / "0.mp4").write_bytes(whole)
    again = evaluation(colours)
    again.score(tmp_path, Part())
    metrics = again.report(tmp_path)
    assert seen(again) == 1 and metrics is not None and metrics["answered"] == 6


def test_raise_names_the_first_clip_and_keeps_what_is_scored(colours: Path, tmp_path: Path) -> None:
    (colours / "3.mp4").unlink()
    run = evaluation(colours, policy="raise")
    with pytest.raises(ClipError, match=r"3\.mp4.*--on-error"):
        run.score(tmp_path, Part())
    assert len((tmp_path / "journal.jsonl").read_text().splitlines()) == 3


def test_views_are_averaged_after_the_softmax_whatever_the_batch(colours: Path, tmp_path: Path) -> None:
    colour_clip(colours / "0.mp4", [("red", 6), ("blue", 2)])
    rows = []
    for batch in (1, 3, 8):
        classifier = colour_classifier(num_frames=1, views=4)
        classifier.view_batch = batch
        run = evaluation(colours, classifier)
        run.score(tmp_path / str(batch), Part())
        rows.append(json.loads((tmp_path / str(batch) / "journal.jsonl").read_text().splitlines()[0])["row"])
    assert rows[0] == rows[1] == rows[2]
    assert rows[0]["top"][0][0] == 0 and rows[0]["top"][0][1] == pytest.approx(0.75, abs=0.02)


def test_a_model_that_gives_no_number_is_told(colours: Path, tmp_path: Path) -> None:
    classifier = colour_classifier(num_frames=2)
    classifier.recogniser.scale.fill_(np.nan)  # type: ignore[attr-defined]
    with pytest.raises(WeightsError, match="the model gives no number"):
        evaluation(colours, classifier).score(tmp_path, Part())


def test_lists_that_cannot_be_evaluated_are_refused_before_a_model_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="empty"):
        check_clips(ClipList((), (), ("a",), "some.txt"))
    with pytest.raises(DataError, match=r"numbers as labels.*--classes"):
        check_clips(ClipList((tmp_path,), (0,), (), "some.txt"))
    with pytest.raises(DataError, match=r"none of its 1 clips is there.*gone\.mp4.*--data"):
        check_clips(ClipList((tmp_path / "gone.mp4",), (0,), ("a",), "some.txt"))
