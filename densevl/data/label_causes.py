"""Ids that do not fit a class list, and what most likely went wrong when the annotations were made."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from densevl.data.label_maps import LabelRule, name_some

_LAST_CITYSCAPES_ID = 33  # labelIds of Cityscapes are 0..33, trainIds 0..18
_LAST_STUFFTHING_ID = 181  # COCO-Stuff's maps of things and stuff: things 0..90, stuff 91..181, 255 unlabelled
_PER_CLASS = 1000  # Cityscapes' instanceIds are class * 1000 + number
_MOST_SHOWN = 5
_ENOUGH = 50  # annotations, before the absence of a class says something


@dataclass(frozen=True)
class Cause:
    """What most likely went wrong, and what to do."""

    cause: str
    cure: str

    def __str__(self) -> str:
        return f"{self.cause}: {self.cure}"


def cause_outside(ids: Collection[int], rule: LabelRule, *, dataset: str = "") -> Cause | None:
    """Why ids fall outside a class list.

    Args:
        ids: all that occur in the annotations of a set.
        rule: how ids should become classes.
        dataset: its name, such as `cityscapes`.

    Returns:
        None where all ids are classes or ignored.
    """
    outside = rule.outside(ids)
    if not outside:
        return None
    ids = frozenset(ids) - {rule.ignore_index, 255}
    if dataset == "cityscapes" and max(ids) <= _LAST_CITYSCAPES_ID:
        return Cause(f"raw labelIds (0..{_LAST_CITYSCAPES_ID}), not trainIds", "run csCreateTrainIdLabelImgs")
    if max(ids) >= _PER_CLASS and all(i // _PER_CLASS <= _LAST_CITYSCAPES_ID for i in ids):
        return Cause("ids of instances (class * 1000 + number)", "take the files of class ids, or id // 1000")
    if max(ids) > 255 > rule.num_classes:
        return Cause("ids of 16 bits: of instances, or of a larger class list", "take the files of class ids")
    if dataset.startswith("coco") and max(ids) <= _LAST_STUFFTHING_ID:
        raw = f"raw ids of things and stuff (0..{_LAST_STUFFTHING_ID}), not those of {rule.num_classes} classes"
        return Cause(raw, "convert them (docs/datasets.md)")
    if outside == [rule.num_classes] and not rule.reduce_zero_label:
        return _count_from_one(ids, rule.num_classes)
    shown = ",".join(str(i) for i in outside[:_MOST_SHOWN])
    cure = f"name that list with --classes; or, if these pixels are not labelled, add --ignore {shown}"
    return Cause("made with another class list", cure)


def _count_from_one(ids: Collection[int], num_classes: int) -> Cause:
    zero = "0 is left for other" if 0 in ids else "0 does not occur"
    cure = f"add --reduce-zero-label; or, if {num_classes} means not labelled, --ignore {num_classes}"
    return Cause(f"ids count from 1 ({zero})", cure)


def is_scored(label_id: int, rule: LabelRule) -> bool:
    """Whether an id of annotations is that of a class."""
    return rule.first_id <= label_id < rule.first_id + rule.num_classes and label_id not in rule.ignore


def doubts_inside(ids: Collection[int], rule: LabelRule, *, annotations: int) -> list[str]:
    """What looks wrong though every id is a class or ignored.

    Args:
        ids: all that occur.
        rule: how they become classes.
        annotations: how many files they come from.
    """
    ids = frozenset(ids)
    if not any(is_scored(i, rule) for i in ids):
        return [f"no pixel is scored: only {name_some([str(i) for i in sorted(ids)])} occur, none of them a class"]
    if ids == {0, 255}:
        return ["only 0 and 255 occur, as in masks of one object: 255 is not scored here, write the object as 1"]
    last = rule.num_classes
    if rule.reduce_zero_label and annotations >= _ENOUGH and {0, 255} <= ids and last not in ids:
        return [
            f"ids seem to count from 0 already: {last} (the last class) never occurs, and both 0 and 255 do; "
            "if so, reduce_zero_label must be False"
        ]
    return []
