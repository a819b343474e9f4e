"""The legend of an overlay: colour, name and share of every class that occurs, on a panel of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from PIL import Image, ImageDraw, ImageFont

PAPER = (250, 250, 248)
_INK = (28, 30, 33)
_QUIET = (110, 113, 118)
_LONGEST_NAME = 24  # letters of average width; longer names end in an ellipsis


@dataclass(frozen=True)
class LegendRow:
    """One line of a legend.

    Attributes:
        colour: RGB of the swatch; None for a line without one.
        name: as the user wrote it.
        share: right-hand text, such as "12%".
    """

    colour: tuple[int, int, int] | None
    name: str
    share: str


def attach_legend(drawing: np.ndarray, rows: Sequence[LegendRow]) -> np.ndarray:
    """Put a legend beside or below a picture, whichever keeps the longest side shorter; it hides nothing of it.

    Args:
        drawing: [H, W, 3] uint8 RGB.
        rows: from top to bottom.

    Returns:
        [H', W', 3] uint8 RGB.
    """
    height, width = drawing.shape[:2]
    size = int(np.clip(0.024 * np.sqrt(height * width), 12, 30))
    columns = _Columns(ImageFont.load_default(size), rows)
    beside = columns.draw(per_column=len(rows), least=(height, 0))
    across = max(1, width // columns.width)
    below = columns.draw(per_column=ceil(len(rows) / across), least=(0, width))
    if max(beside.shape[0], width + beside.shape[1]) < max(height + below.shape[0], below.shape[1]):
        return np.concatenate([_on_paper(drawing, beside.shape[0], width), beside], axis=1)
    return np.concatenate([_on_paper(drawing, height, below.shape[1]), below], axis=0)


def _on_paper(drawing: np.ndarray, height: int, width: int) -> np.ndarray:
    sheet = np.full((height, width, 3), PAPER, dtype=np.uint8)
    sheet[: drawing.shape[0], : drawing.shape[1]] = drawing
    return sheet


class _Columns:
    """Rows of a legend, set in one or more columns of equal width."""

    def __init__(self, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, rows: Sequence[LegendRow]) -> None:
        self.font = font
        self.em = round(font.getlength("n") * 1.8)
        self.line = round(self.em * 1.55)
        self.rows = [LegendRow(row.colour, self._short(row.name), row.share) for row in rows]
        self.name_width = ceil(max(font.getlength(row.name) for row in self.rows))
        self.share_width = ceil(max(font.getlength(row.share) for row in self.rows))
        self.width = self.name_width + self.share_width + 4 * self.em  # swatch, three gaps

    def _short(self, name: str) -> str:
        printable = name.encode("utf-8", "replace").decode()
        printable = "".join(letter if letter.isprintable() else " " for letter in printable)
        most = _LONGEST_NAME * self.font.getlength("n")
        if self.font.getlength(printable) <= most:
            return printable
        while printable and self.font.getlength(printable + "...") > most:
            printable = printable[:-1]
        return printable.rstrip() + "..."

    def draw(self, *, per_column: int, least: tuple[int, int]) -> np.ndarray:
        """The panel as [H, W, 3] uint8, at least `least` (height, width) large."""
        columns = ceil(len(self.rows) / per_column)
        height = max(least[0], per_column * self.line + self.em)
        width = max(least[1], columns * self.width)
        panel = Image.new("RGB", (width, height), PAPER)
        pen = ImageDraw.Draw(panel)
        for i, row in enumerate(self.rows):
            x, y = i // per_column * self.width + self.em, i % per_column * self.line + self.em // 2
            self._draw_row(pen, row, x, y + self.line // 2)
        return np.asarray(panel)

    def _draw_row(self, pen: ImageDraw.ImageDraw, row: LegendRow, x: int, middle: int) -> None:
        half = self.em // 2
        if row.colour is not None:
            box = (x, middle - half, x + 2 * half, middle + half)
            pen.rounded_rectangle(box, radius=max(2, half // 3), fill=row.colour, outline=_INK)
        x += round(1.6 * self.em)
        pen.text((x, middle), row.name, fill=_INK if row.colour else _QUIET, font=self.font, anchor="lm")
        right = x + self.name_width + self.em // 2 + self.share_width
        pen.text((right, middle), row.share, fill=_QUIET, font=self.font, anchor="rm")
