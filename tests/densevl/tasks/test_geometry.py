"""Sizes and windows."""

from __future__ import annotations

import pytest

from densevl.core.errors import UsageError
from densevl.tasks import Geometry


def test_canvas_keeps_the_aspect_and_the_longest_side() -> None:
    assert Geometry(short_side=448).canvas(480, 640) == (448, 597)
    assert Geometry(short_side=448).canvas(1000, 30000) == (68, 2048)
    assert Geometry(short_side=448).canvas(1, 5000) == (1, 2048)


def test_no_window_means_the_whole_picture() -> None:
    geometry = Geometry(short_side=448)
    assert geometry.boxes((448, 597)) is None
    assert geometry.count(480, 640) == 1


def test_windows_cover_the_canvas_and_the_last_one_shifts_back() -> None:
    geometry = Geometry(short_side=448, window=448, stride=224)
    boxes = geometry.boxes((448, 597))
    assert boxes is not None
    assert boxes.tolist() == [[0, 0, 448, 448], [149, 0, 597, 448]]
    assert geometry.count(480, 640) == len(boxes)


def test_stride_defaults_to_half_a_window() -> None:
    assert Geometry(short_side=448, window=300).step == 150


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"short_side": 0}, "short_side"),
        ({"short_side": 448, "stride": 224}, "--window"),
        ({"short_side": 448, "window": 112, "stride": 224}, "skipped"),
    ],
)
def test_impossible_geometries_are_refused(values: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Geometry(**values)


def test_smaller_halves_the_tile_until_it_is_too_small() -> None:
    geometry, sizes = Geometry(short_side=448), []
    while (geometry := geometry.smaller((448, 597))) is not None:  # type: ignore[assignment]
        sizes.append(geometry.window)
    assert sizes == [298, 149, 74]
