"""Frame numbers: rules, short videos, views."""

from __future__ import annotations

import random

import numpy as np
import pytest

from densevl.core.errors import DataError, UnknownNameError, UsageError
from video.sampling import sample_frames

RULES = ("segment", "twice", "uniform", "dense", "slide")


def frames_of(total: int, rule: str, **options: object) -> list[list[int]]:
    views = {"views": 2} if rule == "twice" else {}
    return sample_frames(total, rule=rule, **{"num_frames": 4, **views, **options}).tolist()


def test_segments_give_their_centres() -> None:
    assert frames_of(40, "segment") == [[5, 15, 25, 35]]


def test_views_of_segments_lie_at_even_places_and_never_repeat_a_frame() -> None:
    assert frames_of(40, "segment", views=2) == [[2, 12, 22, 32], [7, 17, 27, 37]]
    views = sample_frames(300, num_frames=16, views=4)
    assert len(np.unique(views)) == views.size


def test_twice_gives_centres_then_starts() -> None:
    assert frames_of(40, "twice") == [[5, 15, 25, 35], [0, 10, 20, 30]]


def test_uniform_lies_between_the_first_and_the_last_frame() -> None:
    assert frames_of(41, "uniform") == [[5, 15, 25, 35]]
    assert frames_of(41, "uniform", views=2) == [[2, 12, 22, 32], [7, 17, 27, 37]]


def test_dense_clips_lie_in_the_middle_of_their_segments() -> None:
    assert frames_of(27, "dense", stride=2, views=2) == [[5, 7, 9, 11], [15, 17, 19, 21]]


def test_sliding_clips_reach_from_the_first_frame_to_the_last() -> None:
    assert frames_of(11, "slide", stride=2) == [[2, 4, 6, 8]]
    assert frames_of(11, "slide", stride=2, views=3) == [[0, 2, 4, 6], [2, 4, 6, 8], [4, 6, 8, 10]]


@pytest.mark.parametrize("rule", RULES)
def test_a_video_of_one_frame_gives_that_frame(rule: str) -> None:
    for rng in (None, np.random.RandomState(0), random.Random(0)):
        assert np.unique(frames_of(1, rule, rng=rng)).tolist() == [0]


@pytest.mark.parametrize(
    ("past_end", "expected"), [("loop", [0, 3, 1, 4]), ("repeat_last", [0, 3, 3, 3]), ("clamp", [0, 3, 4, 4])]
)
def test_frames_behind_the_end_follow_the_named_rule(past_end: str, expected: list[int]) -> None:
    assert frames_of(5, "dense", stride=3, past_end=past_end) == [expected]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("total", [1, 2, 3, 7, 8, 33, 300])
@pytest.mark.parametrize("past_end", ["loop", "repeat_last", "clamp"])
def test_every_frame_exists_in_order_of_shape(rule: str, total: int, past_end: str) -> None:
    views = 2 if rule == "twice" else 3
    for rng in (None, np.random.RandomState(total), random.Random(total)):
        found = sample_frames(total, num_frames=8, rule=rule, views=views, past_end=past_end, rng=rng)
        assert found.shape == (views, 8)
        assert found.dtype == np.int64
        assert 0 <= found.min() <= found.max() < total


@pytest.mark.parametrize("rule", RULES)
def test_without_a_generator_the_frames_are_always_the_same_and_the_global_state_stays(rule: str) -> None:
    before = np.random.get_state()[1].copy(), random.getstate()
    assert frames_of(100, rule) == frames_of(100, rule)
    frames_of(100, rule, rng=np.random.RandomState(0))
    np.testing.assert_array_equal(np.random.get_state()[1], before[0])
    assert random.getstate() == before[1]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", [random.Random, np.random.RandomState])
def test_drawn_frames_depend_on_the_seed_alone(rule: str, kind: type) -> None:
    assert frames_of(300, rule, rng=kind(1)) == frames_of(300, rule, rng=kind(1))
    assert frames_of(300, rule, rng=kind(1)) != frames_of(300, rule, rng=kind(2))


@pytest.mark.parametrize("rule", ["segment", "uniform"])
def test_drawn_views_are_independent_draws(rule: str) -> None:
    rng = np.random.RandomState(5)
    singles = [frames_of(300, rule, rng=rng)[0] for _ in range(3)]
    assert frames_of(300, rule, views=3, rng=np.random.RandomState(5)) == singles


def test_drawn_segments_stay_in_their_segments() -> None:
    drawn = np.concatenate([sample_frames(43, num_frames=4, rng=np.random.RandomState(seed)) for seed in range(200)])
    for segment, column in enumerate(drawn.T):
        assert sorted(set(column.tolist())) == list(range(10 * segment, 10 * segment + 10))


def test_drawn_dense_clips_without_room_for_segments_are_sorted() -> None:
    found = sample_frames(12, num_frames=4, rule="dense", stride=2, views=8, rng=np.random.RandomState(0))
    assert (np.diff(found[:, 0]) >= 0).all()
    assert found[:, -1].max() <= 11


def test_a_video_without_frames_is_an_error_of_data() -> None:
    with pytest.raises(DataError, match="at least 1 frame, got 0"):
        sample_frames(0, num_frames=8)


@pytest.mark.parametrize("options", [{"num_frames": 0}, {"views": 0}, {"rule": "dense", "stride": 0}])
def test_numbers_below_one_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="must be at least 1, got 0"):
        sample_frames(9, **{"num_frames": 4, **options})


def test_numbers_that_the_rule_does_not_take_are_refused() -> None:
    with pytest.raises(UsageError, match="takes no stride, got 4: use dense or slide"):
        sample_frames(9, num_frames=4, stride=4)
    with pytest.raises(UsageError, match="has 2 views, got 1"):
        sample_frames(9, num_frames=4, rule="twice")


def test_unknown_names_come_with_the_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="did you mean segment"):
        sample_frames(9, num_frames=4, rule="segments")
    with pytest.raises(UnknownNameError, match="did you mean loop"):
        sample_frames(9, num_frames=4, past_end="lop")
