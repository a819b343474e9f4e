"""Every picture of a data set exactly once: whole runs, resumed ones, parts, and what cannot be scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densevl.core.errors import ConfigError, DataError
from densevl.engine import Part
from densevl.metrics import MeanIoU
from densevl.tasks import Segmenter
from tests.densevl.tasks.labelled import NAMES, MemorySet, evaluation, tiny_segmenter

FILES = ("metrics.json", "metrics.md", "per_class.csv", "confusion.csv", "confusion.png", "failed.csv")


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return tiny_segmenter()


def written(out: Path) -> dict[str, bytes]:
    return {name: (out / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def whole(segmenter: Segmenter, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole")
    run = evaluation(segmenter, MemorySet())
    assert run.score(out, Part()).done == 7 and run.report(out) is not None
    return written(out)


def test_figures_are_those_of_predictions_and_annotations_put_into_the_metric(
    segmenter: Segmenter, whole: dict[str, bytes]
) -> None:
    dataset, metric = MemorySet(), MeanIoU(len(NAMES))
    for index in range(len(dataset)):
        metric.update(segmenter.predict(dataset.read(index)[0], NAMES).label_map, dataset.read_labels(index)[0])
    metrics, expected = json.loads(whole["metrics.json"]), metric.compute()
    for key in ("mIoU", "mAcc", "aAcc", "fwIoU"):
        assert metrics[key] == pytest.approx(expected[key], rel=1e-12), key
    rows = [[int(cell) for cell in line.split(",")[1:-1]] for line in whole["confusion.csv"].decode().splitlines()[1:]]
    np.testing.assert_array_equal(rows, metric.confusion)
    assert (metrics["pictures"], metrics["scored"], metrics["failed"]) == (7, 7, 0)
    assert metrics["boundary_mIoU"] is not None and 0 <= metrics["ECE"] <= 100


def test_a_resumed_run_scores_what_is_left_and_gives_the_same_bytes(
    segmenter: Segmenter, whole: dict[str, bytes], tmp_path: Path
) -> None:
    cut, done = evaluation(segmenter, MemorySet()), []

    def stop(count: int) -> None:
        done.append(count)
        if sum(done) >= 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut.score(tmp_path, Part(), progress=stop)
    assert cut.report(tmp_path) is None and not (tmp_path / "metrics.json").exists()
    journal = tmp_path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-9])  # a kill in the middle of a line
    rest = evaluation(segmenter, MemorySet())
    count = rest.score(tmp_path, Part())
    assert count.resumed >= 2 and count.resumed + count.done == 7
    rest.report(tmp_path)
    assert written(tmp_path) == whole


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_parts_share_a_folder_and_the_last_one_writes_what_one_run_writes(
    segmenter: Segmenter, whole: dict[str, bytes], tmp_path: Path, order: tuple[int, ...]
) -> None:
    counts = []
    for place, index in enumerate(order):
        run = evaluation(segmenter, MemorySet())
        counts.append(run.score(tmp_path, Part(index, 3)).done)
        assert counts[-1] == run.count(Part(index, 3))
        assert (run.report(tmp_path) is None) == (place < 2)
        assert run.scored(tmp_path) == sum(counts)
    assert sum(counts) == 7
    assert written(tmp_path) == whole


def test_one_run_after_some_parts_does_the_rest(segmenter: Segmenter, whole: dict[str, bytes], tmp_path: Path) -> None:
    evaluation(segmenter, MemorySet()).score(tmp_path, Part(0, 2))
    rest = evaluation(segmenter, MemorySet())
    assert rest.score(tmp_path, Part()).done == 3
    rest.report(tmp_path)
    assert written(tmp_path) == whole


@pytest.mark.parametrize("size", [2, 4])
def test_parts_take_whole_groups_of_pictures_that_share_forward_passes(
    segmenter: Segmenter, tmp_path: Path, size: int
) -> None:
    one = evaluation(segmenter, MemorySet(), batch_size=size)
    one.score(tmp_path / "one", Part())
    parts = [evaluation(segmenter, MemorySet(), batch_size=size) for _ in range(2)]
    for index, run in enumerate(parts):
        run.score(tmp_path / "two", Part(index, 2))
    assert sum(run.count(Part(index, 2)) for index, run in enumerate(parts)) == 7
    assert one.report(tmp_path / "one") == parts[0].report(tmp_path / "two")


def test_what_decides_figures_is_scored_anew_and_nothing_else(segmenter: Segmenter, tmp_path: Path) -> None:
    evaluation(segmenter, MemorySet()).score(tmp_path, Part())
    again = MemorySet()
    assert evaluation(segmenter, again, save_labels=False, limit=5).score(tmp_path, Part()).done == 0
    assert again.reads == []  # what is finished is hashed, not decoded
    assert evaluation(segmenter, MemorySet(version=1)).score(tmp_path, Part()).done == 7
    assert evaluation(segmenter, MemorySet(version=1), threshold=0.5).score(tmp_path, Part()).done == 7
    other = evaluation(segmenter, MemorySet(version=1), words="cat, lion; sky; road", threshold=0.5)
    assert other.score(tmp_path, Part()).done == 7
    assert (
        evaluation(tiny_segmenter(), MemorySet(version=1), words="cat, lion; sky; road", threshold=0.5)
        .score(tmp_path, Part())
        .resumed
        == 7
    )


def test_pictures_that_cannot_be_scored_are_left_out_and_listed(segmenter: Segmenter, tmp_path: Path) -> None:
    dataset = MemorySet(broken=frozenset({1}), crooked=frozenset({4}))
    run = evaluation(segmenter, dataset)
    assert len(run.score(tmp_path, Part()).failed) == 2
    metrics = run.report(tmp_path)
    assert metrics is not None and (metrics["pictures"], metrics["scored"], metrics["failed"]) == (7, 5, 2)
    failed = (tmp_path / "failed.csv").read_text().splitlines()
    assert failed[1].startswith("part1/001,part1/001.png is cut off") and "but its annotation" in failed[2]
    mended = evaluation(segmenter, MemorySet())
    assert mended.score(tmp_path, Part()).done == 2
    after = mended.report(tmp_path)
    assert after is not None and after["failed"] == 0


def test_stop_raises_what_the_first_picture_says(segmenter: Segmenter, tmp_path: Path) -> None:
    run = evaluation(segmenter, MemorySet(broken=frozenset({3})), on_error="stop")
    with pytest.raises(DataError, match=r"003\.png is cut off"):
        run.score(tmp_path, Part())


def test_where_nothing_can_be_scored_there_are_no_figures(segmenter: Segmenter, tmp_path: Path) -> None:
    run = evaluation(segmenter, MemorySet(count=2, broken=frozenset({0, 1})))
    run.score(tmp_path, Part())
    with pytest.raises(DataError, match=r"none of the 2 pictures.*part0/000\.png is cut off"):
        run.report(tmp_path)
    assert not (tmp_path / "metrics.json").exists()


def test_the_first_pictures_alone_are_a_set_of_their_own(segmenter: Segmenter, tmp_path: Path) -> None:
    run = evaluation(segmenter, MemorySet(), limit=3)
    assert run.score(tmp_path, Part()).done == 3
    metrics = run.report(tmp_path)
    assert metrics is not None and metrics["pictures"] == metrics["card"]["data"]["pictures"] == 3


def test_predicted_label_maps_are_those_of_the_model(segmenter: Segmenter, tmp_path: Path) -> None:
    dataset = MemorySet(count=2)
    evaluation(segmenter, dataset, save_labels=True).score(tmp_path, Part())
    for index, name in enumerate(dataset.names()):
        with Image.open(tmp_path / "labels" / f"{name}.png") as labels:
            np.testing.assert_array_equal(labels, segmenter.predict(dataset.read(index)[0], NAMES).label_map)


def test_words_of_other_classes_are_refused(segmenter: Segmenter) -> None:
    with pytest.raises(ConfigError, match="3 classes of the data set, got 2"):
        evaluation(segmenter, MemorySet(), words="cat; sky")


def test_the_running_figure_ends_as_the_figure(segmenter: Segmenter, tmp_path: Path) -> None:
    run = evaluation(segmenter, MemorySet())
    run.score(tmp_path, Part())
    metrics = run.report(tmp_path)
    assert metrics is not None and run.running_miou() == pytest.approx(metrics["mIoU"])
