"""How a picture meets the model: its size, and the windows it is cut into."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from densevl.core.errors import UsageError
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
