"""Label maps on disk: ids read as they were written, and the rule by which they become classes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from densevl.core.errors import DataError, UsageError
from densevl.core.structures import no_label_id

MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp")
_ID_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L")
_STEPS = {"L;2": 85, "L;4": 17}
_MOST_IDS = 1 << 16
_STRAY = -1  # in a table: neither a class nor ignored
_EXACT = 1 << 24  # float32 holds every whole number below
_SHOWN = 5  # names in a message


def read_label_map(path: Path) -> np.ndarray:
    """Read a label map; see `decode_label_map`.

    Raises:
        DataError: it cannot be read, or holds colours.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(str(path), error) from error
    return decode_label_map(data, str(path))


def decode_label_map(data: bytes, name: str) -> np.ndarray:
    """Decode a grey file, or one with a palette, whose indices are the ids.

    Pillow and not OpenCV, which turns palettes into colours; on grey files they are equally fast.

    Args:
        data: the whole file.
        name: what errors call it.

    Returns:
        [H, W] ids: uint8 of files of up to 8 bits, else uint16.

    Raises:
        DataError: no label map, or its ids need more than 16 bits.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if other := what_else(picture.mode):
                raise DataError(f"{name}: expected ids (grey or palette), got {other}; convert it to class ids")
            step = _step(picture)
            ids = np.asarray(picture) // step if step > 1 else np.asarray(picture)
    except UnidentifiedImageError as error:  # its own text names a buffer
        raise _unreadable(name, "no picture, or cut off" if data else "it is empty (0 bytes)") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _unreadable(name, error) from error
    if ids.dtype.kind == "b" or ids.dtype == np.uint8:
        return ids.astype(np.uint8, copy=False)
    low, high = int(ids.min()), int(ids.max())
    if low < 0 or high >= _MOST_IDS:
        raise DataError(f"{name}: expected ids of 8 or 16 bits, got {low}..{high}; convert it to class ids")
    return ids.astype(np.uint16, copy=False)


def what_else(mode: str) -> str | None:
    """What a file of one of Pillow's modes holds in place of ids; None where it can hold ids."""
    if mode in _ID_MODES:
        return None
    return "floats" if mode == "F" else f"colours ({mode})"


def _step(picture: ImageFile.ImageFile) -> int:
    """How far apart neighbouring ids of a file come: Pillow spreads grey of 2 and 4 bits over 0..255."""
    if picture.mode != "L" or not picture.tile:
        return 1
    args = picture.tile[0][3]  # the raw mode, or a tuple that begins with it
    raw = args if isinstance(args, str) else str(args[0] if args else "")
    return _STEPS.get(raw[:3], 1)


def _unreadable(name: str, cause: Exception | str) -> DataError:
    return DataError(f"{name} cannot be read as a label map: {cause}; write it again")


def count_ids(ids: np.ndarray) -> np.ndarray:
    """Ids [H, W] uint8 or uint16 -> [256] or [65536] int64, how many pixels each has."""
    bins = int(np.iinfo(ids.dtype).max) + 1
    rows = max(1, _EXACT // max(1, ids.shape[1]))
    counts = np.zeros(bins, dtype=np.int64)
    for top in range(0, ids.shape[0], rows):
        band = np.ascontiguousarray(ids[top : top + rows])
        counts += cv2.calcHist([band], [0], None, [bins], [0, bins]).ravel().astype(np.int64)
    return counts


@dataclass(frozen=True)
class LabelRule:
    """How the ids of annotations become classes.

    Attributes:
        num_classes: K.
        ignore: ids as they stand in the annotation files that are not scored, beside `no_label_id(K)`.
        reduce_zero_label: 0 is not scored, and 1..K are classes 0..K-1.

    Raises:
        UsageError: ids or classes that no label map of 16 bits can hold.
    """

    num_classes: int
    ignore: frozenset[int] = frozenset()
    reduce_zero_label: bool = False

    def __post_init__(self) -> None:
        """Check the ids."""
        wrong = [i for i in self.ignore if not 0 <= i < _MOST_IDS]
        if wrong or not 0 < self.num_classes < _MOST_IDS:
            came = f"{self.num_classes} classes" + (f" and the ignored id {wrong[0]}" if wrong else "")
            raise UsageError(
                f"expected 1 to {_MOST_IDS - 1} classes and ignored ids of 0 to {_MOST_IDS - 1}, got {came}"
            )

    @property
    def ignore_index(self) -> int:
        """The id of pixels that are not scored: 255, or 65535 above 255 classes."""
        return no_label_id(self.num_classes)

    @property
    def first_id(self) -> int:
        """The id that class 0 has in annotations."""
        return int(self.reduce_zero_label)

    def to_classes(self, ids: np.ndarray, name: str) -> np.ndarray:
        """Ids of an annotation to classes.

        Args:
            ids: [H, W] uint8 or uint16.
            name: what errors call it.

        Returns:
            [H, W] uint8, or uint16 above 255 classes: 0..K-1, and `ignore_index` where not scored; where the ids are
            that already, the same array.

        Raises:
            DataError: an id that is neither a class nor ignored; names flags that may help.
        """
        present = np.flatnonzero(count_ids(ids))
        outside = self.outside(present)
        if outside:
            cures = [f"if these pixels are not labelled add '--ignore {','.join(str(i) for i in outside[:_SHOWN])}'"]
            if outside == [self.num_classes] and not self.reduce_zero_label:
                cures.append("if ids count from 1 add --reduce-zero-label")
            cures.append("or name the class list the annotations were made with")
            raise DataError(f"{self._say_outside(name, outside, first=self.first_id)}; {', '.join(cures)}")
        return self._look_up(ids, self._classes, present)

    def to_prediction(self, ids: np.ndarray, name: str) -> np.ndarray:
        """As `to_classes`, of a prediction: an ignored id that is no class says "no label", which is `ignore_index`.

        Raises:
            DataError: an id that is neither a class nor "no label".
        """
        present = np.flatnonzero(count_ids(ids))
        outside = _strays(present, self._predictions)
        if outside:
            cure = "predictions hold class ids from 0: name the class list they were made with"
            raise DataError(f"{self._say_outside(name, outside, first=0)}; {cure}")
        return self._look_up(ids, self._predictions, present)

    def outside(self, ids: Iterable[int]) -> list[int]:
        """Those of some ids of annotations that are neither a class nor ignored."""
        return _strays(np.fromiter(ids, dtype=np.int64), self._classes)

    @cached_property
    def _classes(self) -> np.ndarray:
        """[65536] the class of every id of an annotation, `ignore_index` or _STRAY."""
        table = np.full(_MOST_IDS, _STRAY)
        table[self.first_id : self.first_id + self.num_classes] = np.arange(self.num_classes)
        table[[*self.ignore, self.ignore_index, *range(self.first_id)]] = self.ignore_index
        return table

    @cached_property
    def _predictions(self) -> np.ndarray:
        """As `_classes`, of predictions."""
        table = np.full(_MOST_IDS, _STRAY)
        table[[*self.ignore, self.ignore_index]] = self.ignore_index
        table[: self.num_classes] = np.arange(self.num_classes)
        return table

    def _look_up(self, ids: np.ndarray, table: np.ndarray, present: np.ndarray) -> np.ndarray:
        kind = np.uint8 if self.ignore_index == no_label_id(1) else np.uint16
        if ids.dtype == kind and np.array_equal(table[present], present):
            return ids  # they are the classes
        classes = table[: np.iinfo(ids.dtype).max + 1].astype(kind)
        found: np.ndarray = cv2.LUT(ids, classes) if ids.dtype == np.uint8 else classes[ids]
        return found

    def _say_outside(self, name: str, outside: Sequence[int], *, first: int) -> str:
        span = f"{first}..{first + self.num_classes - 1}"
        came = name_some([str(i) for i in outside])
        return f"{name}: expected ids {span} of {self.num_classes} classes, got {came}"


def name_some(names: Sequence[str]) -> str:
    """The first names of a list and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _strays(ids: np.ndarray, table: np.ndarray) -> list[int]:
    return [int(i) for i in ids[table[ids] == _STRAY]]
