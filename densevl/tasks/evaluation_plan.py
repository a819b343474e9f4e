"""What an evaluation is about, from a config and the wishes of a user; no model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densevl.core.config import build, override, read_config
from densevl.core.errors import UsageError
from densevl.tasks.protocol import Protocol, like, read_protocol

if TYPE_CHECKING:
    from mmengine.config import Config

    from densevl.core.stages import LabelledSet

FOLDERS = "configs/_base_/datasets/folders.py"  # any pair of folders: where a config names no data set
_SECTIONS = ("data", "protocol")


@dataclass(frozen=True)
class Wishes:
    """What a user changes.

    Attributes:
        like: whose published protocol is taken.
        classes: words in the order of the data's ids; of folders, their classes too.
        ignore: annotation ids that are not scored, beside those of the data set.
        reduce_zero_label: annotations hold 0 = not scored, and classes from 1.
        assignments: dotted config keys.
    """

    like: str | None = None
    classes: str | None = None
    ignore: frozenset[int] = frozenset()
    reduce_zero_label: bool = False
    assignments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluationPlan:
    """What is scored, and what is asked.

    Attributes:
        dataset: the data.
        protocol: words, threshold, templates.
        data: the `data` section that the data set was made from, without its root.
        overrides: dotted keys of the model's config.
    """

    dataset: LabelledSet
    protocol: Protocol
    data: Mapping[str, Any]
    overrides: Mapping[str, Any]


def plan_evaluation(config: Config, root: Path, wishes: Wishes) -> EvaluationPlan:
    """Put config and wishes together.

    Args:
        config: of a model on a data set; a model alone is evaluated on a pair of folders.
        root: where the data lies.
        wishes: of the user.

    Raises:
        UsageError: wishes that do not fit. DataError: the data, its classes or the words do not.
    """
    inner = {key: value for key, value in wishes.assignments.items() if key.split(".")[0] in _SECTIONS}
    sections = _read_sections(config, inner)
    data, of_folders = sections["data"], "data" not in config
    if of_folders and wishes.classes is not None:
        data["classes"] = wishes.classes
    if not data.get("classes") and of_folders:
        raise UsageError(
            "--classes is missing: this config names no data set, so say what the ids of DIR/labels are, or name a "
            "model on a data set, such as maskclip-lite-ade20k (densevl models list --datasets)"
        )
    if wishes.ignore:
        data["ignore"] = tuple(sorted({*data.get("ignore", ()), *wishes.ignore}))
    if wishes.reduce_zero_label:
        data["reduce_zero_label"] = True
    dataset: LabelledSet = build({**data, "root": str(root)})
    protocol = sections["protocol"]
    overrides: dict[str, Any] = {}
    if wishes.like is not None:
        protocol, overrides = like(wishes.like, dataset.name, config)
    words = data.get("classes") or list(dataset.class_names)
    asked = read_protocol(protocol, words, classes=None if of_folders else wishes.classes)
    asked.check(dataset.class_names)
    overrides |= {key: value for key, value in wishes.assignments.items() if key not in inner}
    return EvaluationPlan(dataset, asked, data, overrides)


def _read_sections(config: Mapping[str, Any], assignments: Mapping[str, Any]) -> dict[str, Any]:
    """The `data` and `protocol` sections of a config, changed by dotted keys."""
    from mmengine.config import Config

    data = config.get("data") or read_config(FOLDERS)["data"]
    sections = Config({"data": data, "protocol": config.get("protocol", {})})
    changed: dict[str, Any] = override(sections, assignments).to_dict()
    return changed
