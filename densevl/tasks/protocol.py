"""What a model is asked with on a data set: words in the order of the data's ids, thresholds, templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densevl.core.config import dataset_configs, read_config
from densevl.core.errors import ConfigError, UnknownNameError, UsageError
from densevl.tasks.geometry import geometry_overrides, read_geometry
from densevl.tasks.thresholds import Threshold, least_confidence
from densevl.vocab import ClassList, load_templates, parse_classes

if TYPE_CHECKING:
    from mmengine.config import Config

_FIELDS = ("like", "classes", "threshold", "templates")
_PUBLISHED_TEMPLATES = "imagenet80"  # all of these methods ask with them, as models of CLIP do by themselves


@dataclass(frozen=True)
class Protocol:
    """How a model is asked.

    Attributes:
        classes: words of each class, in the order of the data's ids.
        threshold: least probability of a label, for all classes or by name.
        templates: a template set or file; None: the model's own.
        like: whose published protocol it is; "" for one's own.
    """

    classes: ClassList
    threshold: Threshold = 0.0
    templates: str | None = None
    like: str = ""

    def __post_init__(self) -> None:
        """Check thresholds and templates."""
        least_confidence(self.classes.names, self.threshold)
        if self.templates is not None:
            load_templates(self.templates)

    def check(self, class_names: Sequence[str]) -> None:
        """See that the words are those of a data set's classes.

        Args:
            class_names: K names of the data set, in the order of its ids.

        Raises:
            ConfigError: other classes, or the same in another order.
        """
        names, source = self.classes.names, self.classes.source
        if len(names) != len(class_names):
            what = f"expected words for the {len(class_names)} classes of the data set, got {len(names)}"
            raise ConfigError(f"{what} ({source}): name a list in the order of the data's ids")
        if set(names) == set(class_names) and tuple(names) != tuple(class_names):
            place = next(k for k, pair in enumerate(zip(names, class_names, strict=True)) if pair[0] != pair[1])
            what = f"'{names[place]}' stands where the data set has '{class_names[place]}' (id {place})"
            raise ConfigError(f"the words ({source}) are in another order than the data's ids: {what}; reorder them")


def read_protocol(
    section: Mapping[str, Any] | None, words: ClassList | str | Path | Sequence[Any], **changes: Any
) -> Protocol:
    """The `protocol` section of a config.

    Args:
        section: the section; None: the data set's own words, no threshold, the model's templates.
        words: of the data set, where the section has no classes.
        **changes: fields that replace those of the section where they are not None.

    Raises:
        ConfigError: a field that there is not. ClassListError: faulty words. UsageError: faulty thresholds.
    """
    asked = {**(section or {}), **{key: value for key, value in changes.items() if value is not None}}
    unknown = [key for key in asked if key not in _FIELDS]
    if unknown:
        raise ConfigError(f"protocol has no '{unknown[0]}': expected {', '.join(_FIELDS)}")
    classes = asked.get("classes")
    return Protocol(
        parse_classes(words if classes is None else classes),
        asked.get("threshold") or 0.0,
        asked.get("templates"),
        asked.get("like") or "",
    )


def published_protocols(data_set: str) -> tuple[str, ...]:
    """Whose protocols there are for a data set such as voc21: what --like takes."""
    tail = _tail(data_set)
    return tuple(name[: -len(tail)] for name in dataset_configs("segmentation") if name.endswith(tail))


def like(name: str, data_set: str, config: Config) -> tuple[dict[str, Any], dict[str, Any]]:
    """A published protocol for another model.

    Args:
        name: whose, such as trident: that of its ViT-B/16 on the data set.
        data_set: such as voc21.
        config: of the model that is asked.

    Returns:
        The `protocol` section, and dotted keys of the model's config: resize rule, windows, and whether a bare
        background stands for the shipped words of scenes.

    Raises:
        UnknownNameError: there is no such protocol for this data set. UsageError: there is none for it.
    """
    known = published_protocols(data_set)
    if not known:
        raise UsageError(f"--like {name}: nothing is published for the data set '{data_set}'; leave it out")
    if name not in known:
        raise UnknownNameError(f"protocol for {data_set}", name, known)
    other = read_config(f"{name}{_tail(data_set)}").to_dict()
    overrides = geometry_overrides(config, **read_geometry(other))
    overrides["model.rivals"] = other["model"].get("rivals", True)
    return {"templates": _PUBLISHED_TEMPLATES, **other.get("protocol", {}), "like": name}, overrides


def _tail(data_set: str) -> str:
    return f"-b16-{data_set.replace('_', '-')}"
