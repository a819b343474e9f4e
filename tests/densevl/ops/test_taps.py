from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densevl.core.errors import ShapeError
from densevl.ops.taps import LONGEST_TILE, Taps, apply_taps, bilinear_taps, cut_tiles, windowed_taps


def dense(taps: Taps, nodes: int) -> np.ndarray:
    """[n, nodes]: the table as a matrix."""
    matrix = np.zeros((len(taps.nodes), nodes))
    np.add.at(matrix, (np.arange(len(taps.nodes))[:, None], taps.nodes), taps.weights)
    return matrix


WINDOWED = {"starts": np.array([0, 16, 21]), "window": 32, "nodes": 4, "extent": 36}


@pytest.mark.parametrize(("length", "nodes"), [(1, 7), (5000, 3), (7, 7), (3, 20), (64, 1)])
def test_bilinear_taps_are_those_of_torch(length: int, nodes: int) -> None:
    found = dense(bilinear_taps(length, nodes, nodes / length), nodes)
    expected = F.interpolate(torch.eye(nodes)[:, None], size=length, mode="linear")[:, 0].T
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_windowed_taps_are_resize_crop_mean_and_resize() -> None:
    found = dense(windowed_taps(41, 53, **WINDOWED), 12)
    up = F.interpolate(torch.eye(4)[:, None], size=36, mode="linear")[:, 0, :32].T  # [32, 4]
    canvas, hits = torch.zeros(53, 12), torch.zeros(53)
    for i, start in enumerate(WINDOWED["starts"]):
        canvas[start : start + 32, 4 * i : 4 * i + 4] += up
        hits[start : start + 32] += 1
    expected = F.interpolate((canvas / hits[:, None]).T[:, None], size=41, mode="linear")[:, 0].T
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_pixel_outside_all_windows_is_an_error() -> None:
    with pytest.raises(ShapeError, match="pixel 32"):
        windowed_taps(41, 53, **{**WINDOWED, "starts": np.array([0, 40])})


def test_weights_sum_to_one() -> None:
    for taps in (bilinear_taps(30, 4, 4 / 30), windowed_taps(41, 53, **WINDOWED)):
        np.testing.assert_allclose(taps.weights.sum(axis=1), 1, atol=1e-6)
        assert taps.weights.min() >= 0


@pytest.mark.parametrize(
    ("taps", "nodes"),
    [(bilinear_taps(300, 4, 4 / 300), 4), (bilinear_taps(3, 9, 3), 9), (windowed_taps(90, 53, **WINDOWED), 12)],
)
def test_tiles_hold_the_same_table(taps: Taps, nodes: int) -> None:
    tiles = cut_tiles(taps)
    assert tiles.starts[0] == 0
    assert tiles.starts[-1] == len(taps.nodes)
    assert 1 <= np.diff(tiles.starts).min() <= np.diff(tiles.starts).max() <= LONGEST_TILE
    found = np.zeros((len(taps.nodes), nodes))
    for tile, (start, end) in enumerate(zip(tiles.starts[:-1], tiles.starts[1:], strict=True)):
        rows = np.arange(start, end)[:, None]
        np.add.at(found, (rows, tiles.nodes[tile]), tiles.weights[tile, :, : end - start].T)
        assert not tiles.weights[tile, :, end - start :].any()
    np.testing.assert_allclose(found, dense(taps, nodes), atol=1e-6)


def test_applied_taps_are_bilinear_interpolation_and_keep_the_dtype() -> None:
    values = torch.randn(2, 3, 5, 7, dtype=torch.float64)
    found = apply_taps(values, bilinear_taps(11, 5, 5 / 11), bilinear_taps(4, 7, 7 / 4))
    assert found.dtype == values.dtype
    expected = F.interpolate(values, size=(11, 4), mode="bilinear")
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
