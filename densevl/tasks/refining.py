"""The refiners of a model behind its head: told apart, and run over one picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from densevl.core.errors import ConfigError, MemoryLimitError
from densevl.core.stages import LabelRefiner, PictureRefiner, ScoreRefiner
from densevl.core.structures import ScoreMap, Segmentation, TextBank
from densevl.engine.runtime import is_out_of_memory

AnyRefiner = ScoreRefiner | PictureRefiner | LabelRefiner


def split_refiners(
    refiners: Sequence[AnyRefiner],
) -> tuple[tuple[ScoreRefiner, ...], tuple[PictureRefiner, ...], tuple[LabelRefiner, ...]]:
    """Those of a window's scores, of a picture's scores and of a picture's labels, each in their order.

    Raises:
        ConfigError: something else is among them.
    """
    by_picture = PictureRefiner | LabelRefiner
    if not all(callable(part) or isinstance(part, by_picture) for part in refiners):
        raise ConfigError(f"score_refiners must be refiners, such as dict(type='...'), got {[*refiners]}")
    return (
        tuple(part for part in refiners if not isinstance(part, by_picture)),
        tuple(part for part in refiners if isinstance(part, PictureRefiner)),
        tuple(part for part in refiners if isinstance(part, LabelRefiner)),
    )


def refine_scores(
    score_map: ScoreMap, refiners: Sequence[PictureRefiner], *, picture: np.ndarray, bank: TextBank
) -> ScoreMap:
    """Scores of a picture uint8 RGB [H, W, 3] through its refiners.

    Raises:
        MemoryLimitError: it ran out within one; nothing is passed off as refined that is not.
    """
    for refiner in refiners:
        with _memory_of(refiner, picture):
            score_map = refiner(score_map, picture=picture, bank=bank)
    return score_map


def refine_labels(
    result: Segmentation, refiners: Sequence[LabelRefiner], *, score_map: ScoreMap, picture: np.ndarray
) -> Segmentation:
    """Labels of a picture uint8 RGB [H, W, 3] through its refiners.

    Raises:
        MemoryLimitError: as `refine_scores`.
    """
    for refiner in refiners:
        with _memory_of(refiner, picture):
            result = refiner.relabel(result, score_map=score_map, picture=picture)
    return result


@contextmanager
def _memory_of(refiner: object, picture: np.ndarray) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        size = f"{picture.shape[1]}x{picture.shape[0]}"
        raise MemoryLimitError(
            f"out of memory while {type(refiner).__name__} refined a picture of {size}: go on with --refine none, give "
            "smaller pictures, or close other programs"
        ) from error
