"""What an evaluation is asked for, checked before a model is loaded: its lists, its views, how its figures combine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densevl.core.errors import UsageError
from video.evaluate.protocols import Protocol, find_lists, get_protocol
from video.evaluate.run import check_clips
from video.lists import ClipList, read_clip_list

CROPS = {1: "centre", 3: "three", 4: "spread4"}


@dataclass(frozen=True)
class PlannedList:
    """One list to be scored.

    Attributes:
        name: of its folder below the output; "" for the output itself.
        clips: the list.
        missing: how many of its files are not there.
        card: what its protocol card says beside the rest.
    """

    name: str
    clips: ClipList
    missing: int
    card: Mapping[str, Any]


@dataclass(frozen=True)
class EvaluationPlan:
    """All lists, and the views of the protocol: config keys and values.

    Attributes:
        lists: one, or those of the splits.
        views: what the protocol and the user set of `video.views.ClipViews`.
        protocol: how figures of several lists combine; None for one list.
    """

    lists: tuple[PlannedList, ...]
    views: Mapping[str, Any]
    protocol: Protocol | None = None


def make_plan(
    root: Path,
    *,
    clip_list: Path | None = None,
    classes: str | None = None,
    views: str | None = None,
    frames: int | None = None,
) -> EvaluationPlan:
    """Plan the evaluation of one list.

    Args:
        root: folder that the clips' paths start from.
        clip_list: the list in any form of `video.lists`; None: every folder of the root is a class.
        classes: anything that `video.class_names` reads.
        views: clips in time and crops in space, `4x3`; None: the model's.
        frames: T; None: the model's.

    Raises:
        UsageError: views or frames that there are not.
        DataError: the list, the classes or all of the clips are not there.
    """
    clips = read_clip_list(clip_list or root, classes, root=root)
    card = {"classes_source": classes or "the labels of the list, in alphabetical order"}
    return EvaluationPlan((PlannedList("", clips, check_clips(clips), card),), read_views(views, frames))


def plan_protocol(
    name: str, root: Path, *, lists: Path | None = None, views: str | None = None, frames: int | None = None
) -> EvaluationPlan:
    """Plan the evaluation of a published protocol.

    Args:
        name: of the protocol.
        root: folder that the clips' paths start from.
        lists: folder of the lists and class lists; None: the root.
        views: other views than the protocol's.
        frames: other frames than the protocol's.

    Raises:
        UnknownNameError: no such protocol. UsageError: views or frames that there are not.
        DataError: lists, classes or all clips of one are not there.
    """
    protocol = get_protocol(name)
    planned = []
    for split, clip_list, classes in find_lists(protocol, lists or root):
        clips = read_clip_list(clip_list, classes, root=root)
        card = {"protocol": name, "split": split.name, "classes_source": str(classes)}
        folder = "" if protocol.combine == "single" else split.name
        planned.append(PlannedList(folder, clips, check_clips(clips), card))
    seen = read_views(views or protocol.views, protocol.frames if frames is None else frames)
    return EvaluationPlan(tuple(planned), seen, protocol)


def read_views(views: str | None, frames: int | None) -> dict[str, Any]:
    """`4x3` and T -> the fields of `video.views.ClipViews` that they set.

    Raises:
        UsageError: no such views, or fewer than one frame.
    """
    fields: dict[str, Any] = {}
    if views is not None:
        found = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", views.strip().lower())
        if found is None or int(found[2]) not in CROPS:
            crops = ", ".join(map(str, CROPS))
            raise UsageError(f"--views {views}: expected clips x crops such as 4x3; there are {crops} crops")
        fields |= {"views": int(found[1]), "crops": CROPS[int(found[2])]}
    if frames is not None:
        if frames < 1:
            raise UsageError(f"--frames {frames}: expected a whole number of at least 1")
        fields["num_frames"] = frames
    return fields
