"""Score label maps on disk against annotations: pairs by name, ids checked, counts over the whole set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from densevl.core.errors import DataError
from densevl.core.stages import Metric
from densevl.core.structures import no_label_id

MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp")
_SHOWN = 5  # names in a message
_ID_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L")


@dataclass(frozen=True)
class MaskPair:
    """A prediction and its annotation: two label maps of one picture."""

    name: str
    prediction: Path
    annotation: Path


@dataclass(frozen=True)
class LabelRule:
    """How the ids of annotations become classes.

    Attributes:
        num_classes: K.
        ignore: ids as they stand in the annotation files that are not scored, beside `no_label_id(K)`.
        reduce_zero_label: 0 is not scored, and 1..K are classes 0..K-1.
    """

    num_classes: int
    ignore: frozenset[int] = frozenset()
    reduce_zero_label: bool = False

    @property
    def ignore_index(self) -> int:
        """The id of pixels that are not scored: 255, or 65535 above 255 classes."""
        return no_label_id(self.num_classes)

    @property
    def first_id(self) -> int:
        """The id that class 0 has in annotations."""
        return int(self.reduce_zero_label)

    def unscored(self, ids: np.ndarray) -> np.ndarray:
        """[H, W] bool: the pixels of an annotation that are not scored."""
        return np.isin(ids, [*self.ignore, self.ignore_index, *range(self.first_id)])

    def to_classes(self, ids: np.ndarray) -> np.ndarray:
        """[H, W] ids of an annotation -> [H, W] classes, `ignore_index` where not scored."""
        return np.where(self.unscored(ids), self.ignore_index, ids - self.first_id)

    def to_prediction(self, ids: np.ndarray) -> np.ndarray:
        """[H, W] ids of a prediction -> [H, W] classes; an ignored id that is no class says "no label"."""
        no_label = np.isin(ids, [i for i in self.ignore if i >= self.num_classes])
        return np.where(no_label, self.ignore_index, ids)


def find_masks(folder: Path) -> dict[str, Path]:
    """Every label map below a folder, by its relative path without suffix.

    Raises:
        DataError: no folder, no label map in it, or two of one name.
    """
    if not folder.is_dir():
        raise DataError(f"no such folder {folder}: expected a folder of label maps; check the path")
    masks: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in MASK_SUFFIXES and path.is_file():
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in masks:
                raise DataError(f"{masks[name]} and {path} are both label maps of '{name}'; keep one")
            masks[name] = path
    if not masks:
        seen = sorted({path.suffix for path in folder.rglob("*") if path.is_file()})
        expected = ", ".join(MASK_SUFFIXES)
        raise DataError(
            f"no label maps in {folder}: expected {expected}, saw {', '.join(seen) or 'no file'}; check the path"
        )
    return masks


def pair_masks(predictions: Path, annotations: Path) -> tuple[tuple[MaskPair, ...], tuple[str, ...]]:
    """Match two folders by relative path without suffix.

    Returns:
        The pairs, sorted by name, and the names of predictions without an annotation.

    Raises:
        DataError: an annotation has no prediction.
    """
    predicted, annotated = find_masks(predictions), find_masks(annotations)
    missing = [name for name in annotated if name not in predicted]
    extra = tuple(name for name in predicted if name not in annotated)
    if missing:
        message = f"{len(missing)} of {len(annotated)} annotations in {annotations} have no prediction in {predictions}"
        there = f" (there: {name_some(extra)})" if extra else ""
        raise DataError(f"{message}: {name_some(missing)}{there}; label them all, or point --gt at the same part")
    return tuple(MaskPair(name, predicted[name], path) for name, path in annotated.items()), extra


def name_some(names: Sequence[str]) -> str:
    """The first names of a list and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def read_label_map(path: Path) -> np.ndarray:
    """[H, W] int64 ids of an 8 or 16 bit grey file, or of a palette file (its indices).

    Raises:
        DataError: it cannot be read, or holds colours.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode not in _ID_MODES:
                what = f"expected ids (grey or palette), got colours ({picture.mode})"
                raise DataError(f"{path}: {what}; convert it to class ids")
            return np.asarray(picture).astype(np.int64)
    except (OSError, UnidentifiedImageError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as a label map: {error}; write it again") from error


def evaluate_masks(pairs: Iterable[MaskPair], metric: Metric, rule: LabelRule) -> Mapping[str, Any]:
    """Feed every pair to a metric whose unscored id is `rule.ignore_index`.

    Pixels that a prediction leaves without a label (`rule.ignore_index`) are misses.

    Returns:
        What the metric computes.

    Raises:
        DataError: unreadable files, sizes that differ, ids outside the classes.
    """
    for prediction, label in _load_pairs(pairs, rule):
        metric.update(prediction, label)
    return metric.compute()


def _load_pairs(pairs: Iterable[MaskPair], rule: LabelRule) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Checked maps, both [H, W] int64."""
    for pair in pairs:
        prediction, ids = rule.to_prediction(read_label_map(pair.prediction)), read_label_map(pair.annotation)
        if prediction.shape != ids.shape:
            sizes = [
                f"{path} is {array.shape[1]}x{array.shape[0]}"
                for path, array in ((pair.prediction, prediction), (pair.annotation, ids))
            ]
            raise DataError(f"{' but '.join(sizes)}; label maps are not resized: write predictions at picture size")
        _check_prediction(pair.prediction, prediction, rule)
        _check_annotation(pair.annotation, ids, rule)
        yield prediction, rule.to_classes(ids)


def _check_prediction(path: Path, prediction: np.ndarray, rule: LabelRule) -> None:
    labelled = prediction[prediction != rule.ignore_index]
    outside = _outside(labelled, first=0, count=rule.num_classes)
    if outside:
        cure = "predictions hold class ids from 0: name the class list they were made with"
        raise DataError(f"{_say_outside(path, outside, first=0, rule=rule)}; {cure}")


def _check_annotation(path: Path, ids: np.ndarray, rule: LabelRule) -> None:
    outside = _outside(ids[~rule.unscored(ids)], first=rule.first_id, count=rule.num_classes)
    if not outside:
        return
    cures = [f"if these pixels are not labelled add '--ignore {','.join(str(i) for i in outside[:_SHOWN])}'"]
    if outside == [rule.num_classes] and not rule.reduce_zero_label:
        cures.append("if ids count from 1 add --reduce-zero-label")
    cures.append("or name the class list the annotations were made with")
    raise DataError(f"{_say_outside(path, outside, first=rule.first_id, rule=rule)}; {', '.join(cures)}")


def _outside(ids: np.ndarray, *, first: int, count: int) -> list[int]:
    return [int(i) for i in np.unique(ids[(ids < first) | (ids >= first + count)])]


def _say_outside(path: Path, outside: Sequence[int], *, first: int, rule: LabelRule) -> str:
    last = first + rule.num_classes - 1
    came = name_some([str(i) for i in outside])
    return f"{path}: expected ids {first}..{last} of {rule.num_classes} classes, got {came}"
