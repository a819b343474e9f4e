"""The confusion matrix as a picture: one row a label, one column a prediction, darker where more of the row goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from densevl.visualize.legend import PAPER

_INK = (28, 30, 33)
_QUIET = (110, 113, 118)
_RIGHT, _WRONG = np.array((24, 94, 160)), np.array((196, 60, 40))  # of a whole row
_NUMBERED = 30  # classes up to which the counts stand in the cells
_NAMED = 200  # and up to which the names stand beside them
_LINE = 11  # pixels that a name needs
_LONGEST_NAME = 28
_SIDE = 1600  # of the matrix in pixels; more where names need more, or classes are more than pixels


def draw_confusion(counts: np.ndarray, class_names: Sequence[str]) -> np.ndarray:
    """Draw a confusion matrix; what is right is blue, what is wrong red, each by its share of the row.

    Args:
        counts: [K, K] integers: rows label, columns prediction.
        class_names: K names.

    Returns:
        [H, W, 3] uint8 RGB; up to 30 classes with counts, up to 200 with names.
    """
    total = len(class_names)
    cell = int(np.clip(_SIDE // total, _LINE if total <= _NAMED else 1, 44))
    matrix = _colours(counts).repeat(cell, axis=0).repeat(cell, axis=1)  # [K * cell, K * cell, 3]
    font = ImageFont.load_default(int(np.clip(cell * 0.42, 9, 15)))
    names = [_short(name) for name in class_names] if total <= _NAMED else []
    margin = 28 + max([16, *(round(font.getlength(name)) for name in names)])  # left and above
    sheet = Image.new("RGB", (margin + total * cell + 12, margin + total * cell + 12), PAPER)
    sheet.paste(Image.fromarray(matrix), (margin, margin))
    drawing = ImageDraw.Draw(sheet)
    drawing.rectangle((margin - 1, margin - 1, margin + total * cell, margin + total * cell), outline=_QUIET)
    for k, name in enumerate(names):
        middle = margin + k * cell + cell // 2
        drawing.text((margin - 6, middle), name, _INK, font, anchor="rm")
        _write_upwards(sheet, (middle, margin - 6), name, font)
    if total <= _NUMBERED:
        _write_counts(drawing, counts, margin=margin, cell=cell)
    drawing.text((8, 8), "rows: label\ncolumns: prediction", _QUIET, ImageFont.load_default(11))
    picture: np.ndarray = np.asarray(sheet)
    return picture


def _colours(counts: np.ndarray) -> np.ndarray:
    """[K, K, 3] uint8: paper where nothing is, full colour where the whole row is."""
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    strength = np.where(counts > 0, 0.12 + 0.88 * np.sqrt(share), 0)[..., None]  # one of many is still seen
    full = np.where(np.eye(len(counts), dtype=bool)[..., None], _RIGHT, _WRONG)
    mixed: np.ndarray = np.rint(np.array(PAPER) * (1 - strength) + full * strength)
    return mixed.astype(np.uint8)


def _write_counts(drawing: ImageDraw.ImageDraw, counts: np.ndarray, *, margin: int, cell: int) -> None:
    font = _font_within(str(counts.max()), cell - 4)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for row, column in np.argwhere(counts).tolist():
        place = margin + column * cell + cell // 2, margin + row * cell + cell // 2
        drawing.text(place, str(counts[row, column]), PAPER if share[row, column] > 0.2 else _INK, font, anchor="mm")


def _font_within(text: str, width: int) -> Any:
    """The largest font of 6 to 14 px in which a text is at most so wide."""
    for size in range(14, 6, -1):
        font = ImageFont.load_default(size)
        if font.getlength(text) <= width:
            return font
    return ImageFont.load_default(6)


def _write_upwards(sheet: Image.Image, foot: tuple[int, int], text: str, font: Any) -> None:
    """Text that is read from below to above, its foot at (x, y)."""
    left, top, right, bottom = font.getbbox(text)
    strip = Image.new("RGB", (round(right - left) + 2, round(bottom - top) + 2), PAPER)
    ImageDraw.Draw(strip).text((-left, -top), text, _INK, font)
    turned = strip.rotate(90, expand=True)
    sheet.paste(turned, (foot[0] - turned.width // 2, foot[1] - turned.height))


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
