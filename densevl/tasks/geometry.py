"""How a picture meets the model: its size, and the windows it is cut into."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from densevl.core.config import import_path
from densevl.core.errors import ConfigError, UsageError
from densevl.data.transforms import fit_size
from densevl.ops.windows import window_boxes

if TYPE_CHECKING:
    from torch import Tensor

LEAST_WINDOW = 64  # pixels: four patches of 16 a side


@dataclass(frozen=True)
class Geometry:
    """Resize rule and sliding window; the aspect is kept.

    Attributes:
        short_side: pixels of the shorter side after resizing.
        longest_side: the longer side may not pass this; very long pictures become smaller than `short_side`.
        window: side of the square window in pixels; None: the whole picture at once.
        stride: step between windows in pixels; None: half a window.
    """

    short_side: int
    longest_side: int = 2048
    window: int | None = None
    stride: int | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("short_side", "longest_side", "window", "stride"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1 pixel, got {value}")
        if self.window is None and self.stride is not None:
            raise UsageError("a stride needs a window: give --window too")
        if self.window is not None and self.step > self.window:
            raise UsageError(f"stride {self.step} is larger than the window {self.window}: pixels would be skipped")

    @property
    def step(self) -> int:
        """The stride in force."""
        return self.stride or max(1, (self.window or 1) // 2)

    def canvas(self, height: int, width: int) -> tuple[int, int]:
        """(H', W') that a picture of (height, width) is resized to."""
        return fit_size(height, width, short_side=self.short_side, longest_side=self.longest_side)

    def boxes(self, canvas: tuple[int, int]) -> Tensor | None:
        """[W, 4] windows on the canvas, or None for the whole picture."""
        if self.window is None:
            return None
        return window_boxes(*canvas, crop=self.window, stride=self.step)

    def count(self, height: int, width: int) -> int:
        """How many windows a picture of (height, width) is cut into."""
        boxes = self.boxes(self.canvas(height, width))
        return 1 if boxes is None else len(boxes)

    def smaller(self, canvas: tuple[int, int]) -> Geometry | None:
        """The next step down when memory runs out: tiles of half the size; None when there is none left."""
        current = min(self.window or max(canvas), max(canvas))
        if current // 2 < LEAST_WINDOW:
            return None
        return replace(self, window=current // 2, stride=None)


def read_geometry(config: Mapping[str, Any]) -> dict[str, Any]:
    """How a model's config lets pictures meet it, as arguments of `geometry_overrides`.

    Args:
        config: of a model that labels pictures.

    Returns:
        short_side, longest_side, window and stride in pixels; window 0: the whole picture at once; stride None: half a
        window.

    Raises:
        ConfigError: the config has no geometry.
    """
    geometry = _geometry_of(config)
    window, step = _window_keys(config)
    holder = config["model"]["extractor"] if window.startswith("model.extractor") else geometry
    return {
        "short_side": geometry["short_side"],
        "longest_side": geometry.get("longest_side", Geometry.longest_side),
        "window": holder.get("window") or 0,
        "stride": holder.get(step.rpartition(".")[2]),
    }


def geometry_overrides(
    config: Mapping[str, Any],
    *,
    short_side: int | None = None,
    longest_side: int | None = None,
    window: int | None = None,
    stride: int | None = None,
) -> dict[str, Any]:
    """Dotted keys of a model's config that change how pictures meet it; what is None stays as the config has it.

    An extractor that cuts the picture itself, as Trident's, holds window and step; else the geometry does.

    Args:
        config: of a model that labels pictures.
        short_side: pixels of the shorter side.
        longest_side: pixels that the longer side may have; with a short side alone 4 times that, at least 2048.
        window: side of the sliding window; 0: the whole picture at once.
        stride: pixels between windows; where there is a window alone, half of it.

    Raises:
        ConfigError: the config has no geometry.
    """
    _geometry_of(config)
    window_key, stride_key = _window_keys(config)
    if short_side is not None and longest_side is None:
        longest_side = max(Geometry.longest_side, 4 * short_side)
    sides = {"model.geometry.short_side": short_side, "model.geometry.longest_side": longest_side}
    overrides: dict[str, Any] = {key: value for key, value in sides.items() if value is not None}
    if window is not None:
        overrides[window_key] = window or None
    if stride is not None or window is not None:
        overrides[stride_key] = stride
    return overrides


def _geometry_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    geometry = config.get("model", {}).get("geometry")
    if not isinstance(geometry, Mapping):
        raise ConfigError("the config has no `model.geometry = dict(type=...)`: it is not of a model of pictures")
    return geometry


def _window_keys(config: Mapping[str, Any]) -> tuple[str, str]:
    """The dotted keys of window and stride."""
    extractor = config["model"].get("extractor")
    kind = extractor.get("type") if isinstance(extractor, Mapping) else None
    target = import_path(kind) if isinstance(kind, str) else kind
    if target is not None and {"window", "step"} <= set(inspect.signature(target).parameters):
        return "model.extractor.window", "model.extractor.step"
    return "model.geometry.window", "model.geometry.stride"
