"""Score label maps on disk against annotations: pairs by name, ids checked, counts over the whole set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densevl.core.errors import DataError
from densevl.core.stages import Metric
from densevl.data.folders import walk_files
from densevl.data.label_maps import MASK_SUFFIXES, LabelRule, name_some, read_label_map
from densevl.data.layouts import name_files


@dataclass(frozen=True)
class MaskPair:
    """A prediction and its annotation: two label maps of one picture."""

    name: str
    prediction: Path
    annotation: Path


def find_masks(folder: Path) -> dict[str, Path]:
    """Every label map below a folder, by its relative path without suffix; hidden files are left out.

    Raises:
        DataError: no folder, no label map in it, or two of one name.
    """
    if not folder.is_dir():
        raise DataError(f"no such folder {folder}: expected a folder of label maps; check the path")
    masks = name_files(folder, MASK_SUFFIXES)
    if not masks:
        seen = sorted({path.suffix for path in walk_files(folder)})
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


def score_masks(pairs: Iterable[MaskPair], metric: Metric, rule: LabelRule) -> Mapping[str, Any]:
    """Feed every pair to a metric whose unscored id is `rule.ignore_index`.

    Pixels that a prediction leaves without a label (`rule.ignore_index`) are misses.

    Returns:
        What the metric computes.

    Raises:
        DataError: unreadable files, sizes that differ, ids outside the classes.
    """
    for pair in pairs:
        prediction, ids = read_label_map(pair.prediction), read_label_map(pair.annotation)
        if prediction.shape != ids.shape:
            sizes = [
                f"{path} is {array.shape[1]}x{array.shape[0]}"
                for path, array in ((pair.prediction, prediction), (pair.annotation, ids))
            ]
            raise DataError(f"{' but '.join(sizes)}; label maps are not resized: write predictions at picture size")
        classes = rule.to_prediction(prediction, str(pair.prediction))
        metric.update(classes, rule.to_classes(ids, str(pair.annotation)))
    return metric.compute()
