"""What comes out of a clip: probabilities over the classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from densevl.core.errors import ShapeError


@dataclass(frozen=True, eq=False)
class ClipPrediction:
    """A recognised clip.

    Attributes:
        class_names: K names.
        scores: [K] float32, probabilities that add up to 1.
        source: where the clip came from.
    """

    class_names: tuple[str, ...]
    scores: np.ndarray
    source: Path | None = None

    def __post_init__(self) -> None:
        """Check that there is a score for each class."""
        if self.scores.shape != (len(self.class_names),) or not len(self.class_names):
            raise ShapeError(f"expected scores [{len(self.class_names)}], at least one, got {list(self.scores.shape)}")

    def __repr__(self) -> str:
        """The best three, as a person reads them."""
        return f"ClipPrediction({', '.join(f'{name} {score:.0%}' for name, score in self.top(3))})"

    @property
    def ranking(self) -> tuple[int, ...]:
        """Places of the classes, the best first; of equals, the one earlier in the list."""
        return tuple(np.argsort(-self.scores, kind="stable").tolist())

    @property
    def label(self) -> str:
        """The best class."""
        return self.class_names[self.ranking[0]]

    @property
    def score(self) -> float:
        """Its probability."""
        return float(self.scores.max())

    @property
    def margin(self) -> float:
        """How far it is ahead of the second, p1 - p2; with one class, its probability."""
        return top_margin(self.scores)

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The best classes with their probabilities."""
        return [(self.class_names[k], float(self.scores[k])) for k in self.ranking[:count]]


def top_margin(scores: np.ndarray) -> float:
    """p1 - p2 of scores [K]."""
    best = np.sort(scores)[::-1]
    return float(best[0] - best[1]) if len(best) > 1 else float(best[0])
