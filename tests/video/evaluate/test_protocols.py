"""Published protocols: where their lists are found, and how splits combine."""

from __future__ import annotations

from pathlib import Path

import pytest

from densevl.core.errors import DataError, UnknownNameError
from video.evaluate.plan import read_views
from video.evaluate.protocols import PROTOCOLS, combine, find_lists, get_protocol


def figures(*top1: float) -> list[dict[str, float]]:
    return [{"top1": value, "top5": value + 10, "mean_class": value - 1} for value in top1]


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_has_lists_of_its_own_and_views_that_there_are(name: str) -> None:
    protocol = PROTOCOLS[name]
    read_views(protocol.views, protocol.frames)
    assert len({split.name for split in protocol.splits}) == len({split.clips for split in protocol.splits})
    assert len(protocol.splits) == {"single": 1, "harmonic": 2, "mean": 3}[protocol.combine]


def test_the_mean_comes_with_the_deviation_over_the_splits() -> None:
    protocol = get_protocol("zero-shot-hmdb51")
    splits = dict(zip((split.name for split in protocol.splits), figures(50.0, 53.0, 56.0), strict=True))
    found = combine(protocol, splits)
    assert (found["top1"], found["top5"], found["mean_class"]) == (53.0, 63.0, 52.0)
    assert found["top1_std"] == pytest.approx(6**0.5)


def test_base_and_novel_classes_give_their_harmonic_mean() -> None:
    protocol = get_protocol("base-to-novel-hmdb51")
    base, novel = figures(73.8, 53.3)
    found = combine(protocol, {"base": base, "novel": novel})
    assert found == {"base": 73.8, "novel": 53.3, "harmonic_mean": pytest.approx(61.9, abs=0.05)}
    nothing = {"top1": 0.0, "top5": 0.0, "mean_class": 0.0}
    assert combine(protocol, {"base": nothing, "novel": nothing})["harmonic_mean"] == 0.0


@pytest.mark.parametrize("name", ["zero-shot-hmdb51", "base-to-novel-hmdb51", "supervised-k400"])
def test_a_split_without_a_figure_leaves_the_whole_without_one(name: str) -> None:
    protocol = get_protocol(name)
    whole = dict(zip((split.name for split in protocol.splits), figures(50.0, 53.0, 56.0), strict=False))
    names = combine(protocol, whole).keys()
    whole[protocol.splits[-1].name] = {"top1": None, "top5": None, "mean_class": None}
    assert combine(protocol, whole) == dict.fromkeys(names)


def test_a_single_list_stays_as_it_is() -> None:
    assert combine(get_protocol("supervised-k400"), {"val": figures(83.9)[0]})["top1"] == 83.9


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_lists_are_found_with_all_their_folders_or_the_last_ones_or_none(tmp_path: Path, depth: int) -> None:
    protocol = get_protocol("zero-shot-ucf101")
    expected = {}
    for name in {name for split in protocol.splits for name in (split.clips, split.classes)}:
        parts = Path(name).parts
        expected[name] = tmp_path.joinpath(*parts[min(depth, len(parts) - 1) :])
        expected[name].parent.mkdir(parents=True, exist_ok=True)
        expected[name].touch()
    found = find_lists(protocol, tmp_path)
    assert [(clips, classes) for _, clips, classes in found] == [
        (expected[split.clips], expected[split.classes]) for split in protocol.splits
    ]


def test_missing_lists_are_all_named_with_what_is_expected_where(tmp_path: Path) -> None:
    (tmp_path / "val1.txt").touch()
    with pytest.raises(DataError) as caught:
        find_lists(get_protocol("zero-shot-hmdb51"), tmp_path)
    message = str(caught.value)
    assert f"{tmp_path} lacks 3 of the 4 lists" in message and "--lists" in message
    for name in ("datasets_splits/hmdb_splits/val2.txt", "labels/hmdb_51_labels.csv", "ViFi-CLIP"):
        assert name in message


def test_an_unknown_protocol_is_told_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean zero-shot-hmdb51"):
        get_protocol("zero-shot-hmdb")
