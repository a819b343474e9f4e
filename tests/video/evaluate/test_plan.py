"""What is checked before a model is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from densevl.core.errors import ClassListError, DataError, UsageError
from tests.video.evaluate.colour_set import NAMES
from video.evaluate.plan import make_plan, plan_protocol, read_views
from video.list_forms import ClipListError


def test_a_list_with_its_classes_is_one_planned_list(colours: Path) -> None:
    (colours / "3.mp4").unlink()
    plan = make_plan(colours, clip_list=colours / "list.txt", classes=str(colours / "classes.csv"), views="4x3")
    (planned,) = plan.lists
    assert (planned.name, planned.missing, planned.clips.class_names) == ("", 1, NAMES)
    assert plan.views == {"views": 4, "crops": "three"}


def test_without_a_list_the_folders_are_the_classes(colours: Path) -> None:
    for place, name in enumerate(("red", "green")):
        (colours / "sorted" / name).mkdir(parents=True)
        (colours / f"{place}.mp4").rename(colours / "sorted" / name / "a.mp4")
    plan = make_plan(colours / "sorted")
    assert plan.lists[0].clips.class_names == ("green", "red")


@pytest.mark.parametrize(
    ("views", "frames", "fields"),
    [
        (None, None, {}),
        ("1x1", 8, {"views": 1, "crops": "centre", "num_frames": 8}),
        ("3X4", None, {"views": 3, "crops": "spread4"}),
    ],
)
def test_views_are_clips_times_crops(views: str | None, frames: int | None, fields: dict[str, object]) -> None:
    assert read_views(views, frames) == fields


@pytest.mark.parametrize(("views", "frames"), [("4", None), ("4x2", None), ("0x1", None), ("axb", None), ("1x1", 0)])
def test_views_that_there_are_not_are_refused(views: str, frames: int | None) -> None:
    with pytest.raises(UsageError, match=r"--views|--frames"):
        read_views(views, frames)


@pytest.mark.parametrize(
    ("list_text", "classes", "kind", "words"),
    [
        ("", "classes.csv", ClipListError, "empty"),
        ("0.mp4 0\n1.mp4\n", "classes.csv", ClipListError, "line 2: no label"),
        ("0.mp4 7\n", "classes.csv", ClipListError, "label 7 is beyond the class list, which has 3"),
        ("0.mp4 purple\n", "classes.csv", ClipListError, "purple"),
        ("0.mp4 0\n", None, DataError, "--classes"),
        ("0.mp4 0\n", "gone.csv", ClassListError, "gone.csv"),
        ("a.mp4 0\nb.mp4 1\n", "classes.csv", DataError, "none of its 2 clips"),
    ],
)
def test_bad_lists_get_one_message(
    colours: Path, list_text: str, classes: str | None, kind: type[Exception], words: str
) -> None:
    (colours / "bad.txt").write_text(list_text)
    named = None if classes is None else str(colours / classes)
    with pytest.raises(kind, match=words):
        make_plan(colours, clip_list=colours / "bad.txt", classes=named)


def test_a_protocol_takes_its_lists_classes_and_views(colours: Path) -> None:
    lists = colours / "lists"
    lists.mkdir()
    for part in ("base", "novel"):
        (lists / f"{part}_val.txt").write_text((colours / "list.txt").read_text())
        (lists / f"hmdb_51_{part}_labels.csv").write_text((colours / "classes.csv").read_text())
    plan = plan_protocol("base-to-novel-hmdb51", colours, lists=lists)
    assert [planned.name for planned in plan.lists] == ["base", "novel"]
    assert plan.views == {"views": 1, "crops": "centre", "num_frames": 32}
    assert plan.lists[1].card["protocol"] == "base-to-novel-hmdb51"
    assert plan_protocol("base-to-novel-hmdb51", colours, lists=lists, views="2x3", frames=4).views["views"] == 2
