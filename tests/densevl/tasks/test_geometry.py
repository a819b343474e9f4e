"""Sizes and windows."""

from __future__ import annotations

import pytest

from densevl.core.config import override, read_config
from densevl.core.errors import ConfigError, UsageError
from densevl.tasks import Geometry
from densevl.tasks.geometry import geometry_overrides, read_geometry


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


@pytest.mark.parametrize("model", ["lite", "clip-dinoiser-b16", "trident-b16"])
def test_what_is_read_of_a_model_sets_another_the_same(model: str) -> None:
    read = read_geometry(read_config(model))
    for other in ("lite", "clip-dinoiser-b16", "trident-b16"):
        config = read_config(other)
        override(config, geometry_overrides(config, **read))
        assert read_geometry(config) == read


def test_windows_are_set_where_the_model_has_them() -> None:
    trident, lite = read_config("trident-b16"), read_config("lite")
    assert read_geometry(trident) == {"short_side": 448, "longest_side": 2048, "window": 336, "stride": 224}
    assert geometry_overrides(trident, window=224) == {"model.extractor.window": 224, "model.extractor.step": None}
    assert geometry_overrides(trident, stride=112) == {"model.extractor.step": 112}
    assert geometry_overrides(lite, window=0) == {"model.geometry.window": None, "model.geometry.stride": None}
    assert geometry_overrides(lite, window=64, stride=16) == {"model.geometry.window": 64, "model.geometry.stride": 16}
    assert geometry_overrides(lite) == {}


def test_a_short_side_alone_lets_the_longer_one_grow_with_it() -> None:
    lite = read_config("lite")
    for short_side, longest_side in ((448, 2048), (1024, 4096)):
        sides = {"model.geometry.short_side": short_side, "model.geometry.longest_side": longest_side}
        assert geometry_overrides(lite, short_side=short_side) == sides
    assert geometry_overrides(lite, short_side=64, longest_side=96)["model.geometry.longest_side"] == 96


def test_a_config_without_geometry_is_refused() -> None:
    for act in (read_geometry, geometry_overrides):
        with pytest.raises(ConfigError, match=r"no `model\.geometry"):
            act(read_config("vifi-clip-b16"))
