"""Window scores -> segments of a video: pure functions.

A label is entered where its probability is high and left where it is low (hysteresis), so that a score that wavers
around one threshold makes one segment; what is still shorter than a least length is absorbed by its neighbours.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from densevl.core.errors import ShapeError, UsageError
from video.results import top_margin

UNSURE = -1


@dataclass(frozen=True)
class SegmentRule:
    """When a label begins and ends.

    Attributes:
        enter: least probability at which a label begins.
        leave: probability below which it ends.
        min_sec: shortest segment; 0 keeps all.

    Raises:
        UsageError: numbers out of range, or leave above enter.
    """

    enter: float = 0.5
    leave: float = 0.3
    min_sec: float = 4.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 0 <= self.leave <= self.enter <= 1 or not 0 <= self.min_sec < np.inf:
            raise UsageError(
                f"segments enter at {self.enter:g}, leave below {self.leave:g}, last {self.min_sec:g} s at least: "
                "expected 0 <= leave <= enter <= 1, and seconds of at least 0"
            )


@dataclass(frozen=True)
class Segment:
    """A stretch of time with one label.

    Attributes:
        start_sec: where it begins.
        end_sec: where it ends, where the next begins.
        label: the class; None: unsure, no class was likely enough.
        score: mean probability of the class over the stretch; unsure: of the best class at each moment.
        margin: mean lead over the best other class; below 0 where absorbed moments outweigh.
    """

    start_sec: float
    end_sec: float
    label: str | None
    score: float
    margin: float


def find_segments(
    scores: np.ndarray, spans: np.ndarray, class_names: Sequence[str], *, rule: SegmentRule
) -> list[Segment]:
    """Segments that tile the time from the first window's start to the last one's end.

    Every moment belongs to the window whose centre is nearest.

    Args:
        scores: [W, K] probabilities.
        spans: [W, 2] start and end of each window in seconds; they may overlap, their centres ascend.
        class_names: K names.
        rule: see SegmentRule.

    Raises:
        ShapeError: no windows, or numbers of them that differ.
    """
    _check(scores, spans, class_names)
    edges = cell_edges(spans)  # [W + 1]
    lengths = np.diff(edges)
    labels = _absorb_flickers(_with_hysteresis(scores, rule), scores, lengths, rule)
    segments, start = [], 0
    for label, run in groupby(labels):
        stop = start + len(list(run))
        score, margin = _mean_score(scores[start:stop], lengths[start:stop], label)
        name = None if label == UNSURE else class_names[label]
        segments.append(Segment(float(edges[start]), float(edges[stop]), name, score, margin))
        start = stop
    return segments


def cell_edges(spans: np.ndarray) -> np.ndarray:
    """[W, 2] windows -> [W + 1] edges of the time that each stands for: halfway between the centres of neighbours."""
    centres = spans.mean(axis=1)
    return np.concatenate([spans[:1, 0], (centres[1:] + centres[:-1]) / 2, spans[-1:, 1]])


def _check(scores: np.ndarray, spans: np.ndarray, class_names: Sequence[str]) -> None:
    if scores.ndim != 2 or not scores.size or scores.shape[1] != len(class_names) or spans.shape != (len(scores), 2):
        came = f"{list(scores.shape)}, {list(spans.shape)} and {len(class_names)} names"
        raise ShapeError(f"expected scores [W, K], spans [W, 2] and K names, at least one of each; got {came}")
    if (np.diff(spans.mean(axis=1)) <= 0).any() or (np.diff(spans, axis=1) <= 0).any():
        raise ShapeError("expected windows in the order of their centres, each longer than 0 s")


def _with_hysteresis(scores: np.ndarray, rule: SegmentRule) -> list[int]:
    """The label of each window. A tie for the best enters nothing; one that is there stays until another enters."""
    labels: list[int] = []
    current = UNSURE
    for row in scores:
        best = int(row.argmax())
        if row[best] >= rule.enter and top_margin(row) > 0:
            current = best
        elif current != UNSURE and row[current] < rule.leave:
            current = UNSURE
        labels.append(current)
    return labels


def _absorb_flickers(labels: list[int], scores: np.ndarray, lengths: np.ndarray, rule: SegmentRule) -> list[int]:
    """Give runs that are too short to their neighbours, the shortest (of equals the earliest) first."""
    labels, ends = list(labels), np.concatenate([[0.0], lengths.cumsum()])
    stops = dict(_runs(labels))  # of every run, by its first window
    firsts = {stop: first for first, stop in stops.items()}
    waiting = [(_seconds(ends, *run), *run) for run in stops.items()]
    heapq.heapify(waiting)
    while waiting:
        seconds, first, stop = heapq.heappop(waiting)
        if stops.get(first) != stop:
            continue  # it has become a part of another run
        if len(stops) == 1 or seconds >= rule.min_sec - 1e-6:
            break
        label = _likelier_neighbour(labels, first, stop, scores=scores, lengths=lengths, leave=rule.leave)
        labels[first:stop] = [label] * (stop - first)
        if first > 0 and labels[first - 1] == label:
            del stops[first]
            first = firsts[first]
        if stop < len(labels) and labels[stop] == label:
            stop = stops.pop(stop)
        stops[first], firsts[stop] = stop, first
        heapq.heappush(waiting, (_seconds(ends, first, stop), first, stop))
    return labels


def _seconds(ends: np.ndarray, first: int, stop: int) -> float:
    return round(float(ends[stop] - ends[first]), 6)


def _likelier_neighbour(
    labels: Sequence[int], first: int, stop: int, *, scores: np.ndarray, lengths: np.ndarray, leave: float
) -> int:
    """The label before or behind a run that was likelier in it; of equals the one before."""
    beside = [labels[place] for place in (first - 1, stop) if 0 <= place < len(labels)]
    weights = lengths[first:stop]
    likely = [leave if k == UNSURE else np.average(scores[first:stop, k], weights=weights) for k in beside]
    return beside[int(np.argmax(likely))]


def _runs(labels: Sequence[int]) -> list[tuple[int, int]]:
    """[first, stop) of each stretch of equal labels."""
    changes = [place for place in range(1, len(labels)) if labels[place] != labels[place - 1]]
    return list(zip([0, *changes], [*changes, len(labels)], strict=True))


def _mean_score(scores: np.ndarray, lengths: np.ndarray, label: int) -> tuple[float, float]:
    """Probability and lead of a label over some windows [w, K], weighted by their time."""
    if label == UNSURE:
        won, lead = scores.max(axis=1), np.array([top_margin(row) for row in scores])
    else:
        others = np.delete(scores, label, axis=1)
        won = scores[:, label]
        lead = won - others.max(axis=1) if others.shape[1] else won
    return float(np.average(won, weights=lengths)), float(np.average(lead, weights=lengths))
