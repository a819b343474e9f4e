"""Segments: hysteresis, flickers, ties, and a tiling without gaps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest

from densevl.core.errors import ShapeError, UsageError
from video import timeline
from video.timeline import Segment, SegmentRule, cell_edges, find_segments

NAMES = ("a", "b", "c")
RULE = SegmentRule(enter=0.6, leave=0.4, min_sec=0)


def rows(*shares: Sequence[float]) -> np.ndarray:
    return np.array([[*share, *[(1 - sum(share)) / (3 - len(share))] * (3 - len(share))] for share in shares])


def spans(count: int, window: float = 4.0, stride: float = 2.0) -> np.ndarray:
    starts = np.arange(count) * stride
    return np.stack([starts, starts + window], axis=1)


def told(scores: np.ndarray, rule: SegmentRule = RULE) -> list[tuple[float, float, str | None]]:
    parts = find_segments(scores, spans(len(scores)), NAMES, rule=rule)
    return [(part.start_sec, part.end_sec, part.label) for part in parts]


def test_one_window_is_one_segment() -> None:
    (part,) = find_segments(rows((0.7, 0.2)), spans(1), NAMES, rule=RULE)
    assert part == Segment(0.0, 4.0, "a", pytest.approx(0.7), pytest.approx(0.5))


def test_windows_all_alike_are_one_segment() -> None:
    assert told(rows(*[(0.9,)] * 5)) == [(0, 12, "a")]


def test_edges_lie_halfway_between_the_centres() -> None:
    assert cell_edges(spans(3)).tolist() == [0, 3, 5, 8]
    assert cell_edges(np.array([[0.0, 4.0], [2.0, 6.0], [3.0, 7.0]])).tolist() == [0, 3, 4.5, 7]


def test_a_label_stays_until_it_falls_below_leave() -> None:
    assert told(rows((0.3,), (0.7,), (0.5, 0.3), (0.45, 0.3), (0.35, 0.34), (0.5, 0.3))) == [
        (0, 3, None),
        (3, 9, "a"),
        (9, 14, None),  # 0.5 is too little to enter again
    ]


def test_another_label_enters_though_the_first_could_stay() -> None:
    rule = SegmentRule(enter=0.5, leave=0.1, min_sec=0)
    assert told(rows((0.8, 0.1), (0.45, 0.5), (0.45, 0.5)), rule) == [(0, 3, "a"), (3, 8, "b")]


def test_a_tie_enters_nothing_and_ends_nothing() -> None:
    rule = SegmentRule(enter=0.4, leave=0.3, min_sec=0)
    assert told(rows((0.45, 0.45)), rule) == [(0, 4, None)]
    assert told(rows((0.8, 0.1), (0.45, 0.45), (0.45, 0.45)), rule) == [(0, 8, "a")]


def test_never_confident_is_one_unsure_segment_that_tells_of_the_best() -> None:
    (part,) = find_segments(rows((0.4, 0.35), (0.3, 0.5)), spans(2), NAMES, rule=RULE)
    assert (part.start_sec, part.end_sec, part.label) == (0, 6, None)
    assert part.score == pytest.approx(0.45) and part.margin == pytest.approx((0.05 + 0.2) / 2)


def test_a_flicker_between_equal_labels_is_absorbed() -> None:
    scores = rows((0.9,), (0.9,), (0.1, 0.8), (0.9,), (0.9,))
    assert told(scores, SegmentRule(0.6, 0.4, 2.5)) == [(0, 12, "a")]
    assert told(scores, SegmentRule(0.6, 0.4, 2.0)) == [(0, 5, "a"), (5, 7, "b"), (7, 12, "a")]


def test_the_mean_of_a_segment_with_an_absorbed_flicker_tells_of_it() -> None:
    scores = rows((0.9, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.1), (0.9, 0.1))
    (part,) = find_segments(scores, spans(5), NAMES, rule=SegmentRule(0.6, 0.4, 2.5))
    assert part.score == pytest.approx((0.9 * 10 + 0.1 * 2) / 12)
    assert part.margin == pytest.approx((0.8 * 10 - 0.8 * 2) / 12)


def test_a_flicker_between_two_labels_goes_to_the_likelier_one() -> None:
    scores = rows((0.9, 0.0), (0.9, 0.0), (0.1, 0.2), (0.0, 0.9), (0.0, 0.9))
    assert told(scores, SegmentRule(0.6, 0.4, 3.0)) == [(0, 5, "a"), (5, 12, "b")]
    scores[2] = (0.2, 0.1, 0.7)
    assert told(scores, SegmentRule(0.6, 0.4, 3.0)) == [(0, 7, "a"), (7, 12, "b")]


def test_a_short_sure_moment_among_unsure_ones_is_unsure() -> None:
    assert told(rows((0.4,), (0.4,), (0.9,), (0.3,), (0.3,)), SegmentRule(0.6, 0.4, 3.0)) == [(0, 12, None)]


def test_an_unsure_gap_in_a_label_is_closed() -> None:
    assert told(rows((0.9,), (0.9,), (0.3,), (0.9,), (0.9,)), SegmentRule(0.6, 0.4, 3.0)) == [(0, 12, "a")]


def test_a_flicker_at_either_end_goes_to_its_one_neighbour() -> None:
    rule = SegmentRule(0.6, 0.4, 3.5)
    assert told(rows((0.1, 0.8), (0.9,), (0.9,)), rule) == [(0, 8, "a")]
    assert told(rows((0.9,), (0.9,), (0.1, 0.8)), rule) == [(0, 8, "a")]


def test_a_video_shorter_than_the_least_length_keeps_its_label() -> None:
    assert told(rows((0.9,)), SegmentRule(0.6, 0.4, 60)) == [(0, 4, "a")]


def test_flickers_that_take_turns_end_as_one_segment() -> None:
    scores = rows(*[(0.9, 0.05) if k % 2 else (0.05, 0.9) for k in range(9)])
    parts = told(scores, SegmentRule(0.6, 0.4, 100))
    assert len(parts) == 1 and parts[0][:2] == (0, 20)


def test_hours_of_flickers_are_absorbed_in_a_moment_as_one_by_one() -> None:
    def one_by_one(labels: list[int], scores: np.ndarray, lengths: np.ndarray, rule: SegmentRule) -> list[int]:
        labels = list(labels)
        while True:
            changes = [place for place in range(1, len(labels)) if labels[place] != labels[place - 1]]
            runs = list(zip([0, *changes], [*changes, len(labels)], strict=True))
            seconds = [round(float(lengths[first:stop].sum()), 6) for first, stop in runs]
            shortest = int(np.argmin(seconds))
            if len(runs) == 1 or seconds[shortest] >= rule.min_sec - 1e-6:
                return labels
            first, stop = runs[shortest]
            label = timeline._likelier_neighbour(labels, first, stop, scores=scores, lengths=lengths, leave=rule.leave)
            labels[first:stop] = [label] * (stop - first)

    for seed in range(20):
        draws = np.random.default_rng(seed)
        labels = draws.integers(-1, 3, 60).tolist()
        scores, lengths = draws.dirichlet(np.ones(3), 60), draws.choice([0.5, 1.0, 2.0], 60)
        found = timeline._absorb_flickers(labels, scores, lengths, RULE)
        assert found == one_by_one(labels, scores, lengths, RULE)
    scores = np.random.default_rng(0).dirichlet(np.ones(5), 20_000)
    started = time.process_time()
    find_segments(scores, spans(20_000), tuple("abcde"), rule=RULE)
    assert time.process_time() - started < 20  # it was minutes when all runs were made anew for each


@pytest.mark.parametrize("seed", range(20))
def test_segments_tile_the_time_and_neighbours_differ(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.dirichlet([0.3] * 3, size=int(generator.integers(1, 40)))
    parts = find_segments(scores, spans(len(scores)), NAMES, rule=SegmentRule(0.5, 0.3, 4.0))
    assert parts[0].start_sec == 0 and parts[-1].end_sec == spans(len(scores))[-1, 1]
    for before, after in pairwise(parts):
        assert before.end_sec == after.start_sec and before.label != after.label
    assert len(parts) == 1 or min(part.end_sec - part.start_sec for part in parts) >= 4.0 - 1e-6


def test_one_class_is_always_sure() -> None:
    (part,) = find_segments(np.ones((3, 1)), spans(3), ("only",), rule=RULE)
    assert (part.label, part.score, part.margin) == ("only", 1.0, 1.0)


@pytest.mark.parametrize("numbers", [(0.3, 0.5, 1), (1.2, 0.5, 1), (0.5, -0.1, 1), (0.5, 0.3, -1), (0.5, 0.3, np.nan)])
def test_thresholds_out_of_order_are_refused(numbers: tuple[float, float, float]) -> None:
    with pytest.raises(UsageError, match="leave <= enter"):
        SegmentRule(*numbers)


@pytest.mark.parametrize(
    ("shape", "given", "names"),
    [((0, 3), 0, NAMES), ((2, 3), 3, NAMES), ((2, 3), 2, ("a",)), ((2, 0), 2, ())],
)
def test_numbers_that_do_not_fit_are_refused(shape: tuple[int, int], given: int, names: tuple[str, ...]) -> None:
    with pytest.raises(ShapeError, match="expected scores"):
        find_segments(np.ones(shape), spans(given), names, rule=RULE)


def test_windows_out_of_order_are_refused() -> None:
    with pytest.raises(ShapeError, match="in the order"):
        find_segments(rows((0.9,), (0.9,)), spans(2)[::-1], NAMES, rule=RULE)
