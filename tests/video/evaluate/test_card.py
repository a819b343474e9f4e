"""The card tells apart what gives other figures, and nothing else."""

from __future__ import annotations

from pathlib import Path

from video.evaluate.card import describe_clips, describe_views
from video.lists import ClipList
from video.views import ClipViews


def clip_list(root: str, *, labels: tuple[int, ...] = (0, 2), names: tuple[str, ...] = ("a", "b", "c")) -> ClipList:
    return ClipList((Path(root, "x/1.mp4"), Path(root, "y/2.mp4")), labels, names, "list")


def test_the_list_hash_follows_clips_and_labels_and_not_where_they_lie() -> None:
    here, there = describe_clips(clip_list("/a")), describe_clips(clip_list("/b/c"))
    assert here == there
    assert describe_clips(clip_list("/a", labels=(0, 1)))["list"] != here["list"]
    other = describe_clips(clip_list("/a", names=("a", "b", "d")))
    assert (other["list"], other["classes"] == here["classes"]) == (here["list"], False)
    assert here["classes"]["without_clips"] == 1


def test_the_views_are_told_with_the_side_they_are_cut_from() -> None:
    one, three = describe_views(ClipViews(size=224)), describe_views(ClipViews(size=224, views=4, crops="three"))
    assert one["resize"] == "short side 256, bilinear; crop 224"
    assert three["resize"] == "short side 224, bilinear; crop 224"
    assert three["sampling"] == {"rule": "segment", "frames": 8, "stride": 1, "clips": 4}
