"""Two protocol cards side by side: what differs, and which of it changes figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from densevl.core.errors import DataError

Effect = Literal["figures", "slightly", "nothing"]

# The first that a key begins with decides; what stands in none of them changes figures.
_SETTINGS: tuple[tuple[str, str, Effect], ...] = (
    ("config_sha256", "", "nothing"),  # told key by key
    ("config.model.geometry", "", "nothing"),  # told as resize rule, window and stride
    ("config.model.extractor.window", "", "nothing"),
    ("config.model.extractor.step", "", "nothing"),
    ("config.model.score_refiners", "the refiners of scores and labels", "figures"),
    ("config.model.refiners", "the refiners of features", "figures"),
    ("config.model.rivals", "", "nothing"),  # told as background
    ("refinement", "", "nothing"),  # told as refiners
    ("config.parts.clip_model.pretrained", "the place of the weights", "nothing"),
    ("config.", "the model's config", "figures"),
    ("weights", "the weights", "figures"),
    ("model", "the model's name", "nothing"),
    ("resize.", "the resize rule", "figures"),
    ("window", "the window", "figures"),
    ("stride", "the stride", "figures"),
    ("like", "whose protocol it is called", "nothing"),
    ("words.list", "the name of the list of words", "nothing"),
    ("words.sha256", "the words the model is asked with", "figures"),
    ("words.", "", "nothing"),  # their counts follow from the words
    ("templates.set", "the name of the templates", "nothing"),
    ("templates.sha256", "the templates", "figures"),
    ("background", "what becomes background", "figures"),
    ("threshold", "the threshold", "figures"),
    ("data.name", "the name of the data set", "nothing"),
    ("data.sha256", "the bytes of pictures or annotations", "figures"),
    ("data.pictures", "the number of pictures", "figures"),
    ("data.classes.list", "the name of the data's class list", "nothing"),
    ("data.classes.sha256", "the names of the data's classes", "nothing"),
    ("data.config", "where the data set keeps its files", "nothing"),
    ("data.", "how annotations are read", "figures"),
    ("precision", "the precision", "slightly"),
    ("device", "the device", "slightly"),
    ("versions.", "a version", "slightly"),
    ("densevl", "the version of densevl", "slightly"),
)
_WORDS: Mapping[Effect, str] = {
    "figures": "changes figures",
    "slightly": "can move figures in their last digits",
    "nothing": "changes no figure by itself",
}
_HASH = 64  # hex digits
_SHOWN = 12  # of them


@dataclass(frozen=True)
class Difference:
    """One setting that two cards tell differently.

    Attributes:
        key: dotted, as in the card.
        what: in words.
        first: there; None where it is not told.
        second: here.
        effect: on figures.
    """

    key: str
    what: str
    first: Any
    second: Any
    effect: Effect

    def sentence(self) -> str:
        """For people."""
        name = self.what if self.key in _ONE_VALUE or _is_hash(self.first) else f"{self.what} ({self.key})"
        return f"{name}: {_shown(self.first)} against {_shown(self.second)}; {_WORDS[self.effect]}"


_ONE_VALUE = ("model", "like", "window", "stride", "background", "threshold", "precision", "device", "densevl")


def find_differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Difference]:
    """What two cards tell differently; what changes figures comes first.

    Args:
        first: the `card` of a metrics.json.
        second: the other.
    """
    left, right = _flatten(first), _flatten(second)
    found = []
    for key in [*left, *(key for key in right if key not in left)]:
        one, other = left.get(key), right.get(key)
        what, effect = _weigh(key)
        if what and one != other and not (key == "stride" and None in (one, other)):  # the window says it
            found.append(Difference(key, what, one, other, effect))
    return sorted(found, key=lambda difference: [*_WORDS].index(difference.effect))


def _weigh(key: str) -> tuple[str, Effect]:
    """What a key is called, "" where another one tells it, and its effect."""
    return next(((text, effect) for start, text, effect in _SETTINGS if key.startswith(start)), (key, "figures"))


def explain(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """What differs between two metrics.json, in sentences.

    Args:
        first: the content of one.
        second: of the other.

    Returns:
        The main figures, a sentence a difference, and what follows from them.
    """
    differences = find_differences(first["card"], second["card"])
    sentences = [difference.sentence() for difference in differences]
    return [*_figures(first, second), *sentences, conclude(differences)]


def conclude(differences: Sequence[Difference]) -> str:
    """What follows from the differences, in one sentence."""
    weighty = [difference for difference in differences if difference.effect == "figures"]
    if weighty:
        count = len(weighty)
        return f"{count} difference{'s' if count != 1 else ''} that change{'s' if count == 1 else ''} figures"
    if any(difference.effect == "slightly" for difference in differences):
        return "the same protocol on another machine or installation: figures can differ in their last digits"
    return "the same protocol: figures should be equal, to the last digit where torch had as many threads"


def read_metrics(path: Path) -> dict[str, Any]:
    """A metrics.json with its card, named by itself or by the folder it lies in.

    Raises:
        DataError: it is none.
    """
    path = path / "metrics.json" if path.is_dir() else path
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}; give the metrics.json of an evaluation") from error
    if not isinstance(content, dict) or not isinstance(content.get("card"), dict):
        raise DataError(f"{path} has no protocol card: give the metrics.json that `densevl eval` wrote")
    return content


def _figures(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """The numbers that both have, and stand beside the card."""
    lines = []
    for key, left in first.items():
        right = second.get(key)
        if isinstance(left, float) and isinstance(right, float):
            lines.append(f"{key}: {left:.2f} against {right:.2f} ({round(right - left, 2) + 0.0:+.2f})")
    return lines


def _flatten(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted keys; lists are values."""
    flat: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and len(value) == _HASH


def _shown(value: Any) -> str:
    if value is None:
        return "not told"
    if _is_hash(value):
        return str(value[:_SHOWN])
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
