"""Picture files to arrays: whatever Pillow reads becomes uint8 RGB, the way a person sees it.

EXIF orientation is applied, alpha is laid over white (as viewers show it), 16 bits become 8 by v / 257, and of several
frames the first is taken. The content decides what a file is, never its suffix.
"""

from __future__ import annotations

import io
import logging
import os
import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from densevl.core.errors import PictureError

# Plain picture formats only: others (EPS, WMF, PDF) would run foreign programs on a file we do not trust.
_SUFFIXES = {
    "AVIF": (".avif",),
    "BMP": (".bmp",),
    "GIF": (".gif",),
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "JPEG2000": (".jp2", ".j2k"),
    "PNG": (".png",),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
}
PICTURE_SUFFIXES = tuple(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)


def shown(path: str | Path) -> str:
    """A path as text that can be printed and encoded: bytes that are no UTF-8 become the replacement character."""
    return os.fsencode(path).decode("utf-8", "replace")


def header_size(path: str | Path) -> tuple[int, int] | None:
    """(H, W) as the file's header says, without decoding; None where it says nothing."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def read_picture(path: str | Path) -> np.ndarray:
    """Read a picture file.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        PictureError: it cannot be read or decoded; names the file, the cause and the cure.
    """
    return decode_picture(read_bytes(path), shown(path))


def read_bytes(path: str | Path) -> bytes:
    """The bytes of one file of a run.

    Raises:
        PictureError: absent, a folder, or not readable.
    """
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as error:
        raise PictureError(f"{shown(path)}: there is no such file; check the path or take it off the list") from error
    except IsADirectoryError as error:
        raise PictureError(f"{shown(path)}: is a folder where a picture was expected; name the files in it") from error
    except PermissionError as error:
        raise PictureError(f"{shown(path)}: no permission to read it; change its rights (chmod +r)") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise PictureError(f"{shown(path)}: cannot be read ({error}); copy it anew from where it came") from error


def decode_picture(data: bytes, name: str) -> np.ndarray:
    """Decode the bytes of a picture file.

    Args:
        data: the whole file.
        name: what errors call it.

    Returns:
        [H, W, 3] uint8 RGB, writable.

    Raises:
        PictureError: empty, truncated, no picture, too large, or of values without a known range.
    """
    if not data:
        raise PictureError(f"{name}: the file is empty (0 bytes); copy it anew from where it came")
    try:
        with Image.open(io.BytesIO(data), formats=_formats()) as image:
            image.load()
            return np.array(_to_rgb(_upright(image), name))
    except (PictureError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        kinds = ", ".join(_formats())
        raise PictureError(f"{name}: not a picture ({kinds}), or cut off at its start; convert or remove it") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(f"{name}: {_too_large(error)}; cut it into tiles or scale it down first") from error
    except Exception as error:  # decoders raise OSError, SyntaxError, ValueError, zlib.error, struct.error, ...
        raise PictureError(f"{name}: damaged or truncated ({error}); copy it anew from where it came") from error


def _formats() -> list[str]:
    Image.init()
    return [kind for kind in _SUFFIXES if kind in Image.OPEN]  # AVIF is not in every Pillow


def _too_large(error: Exception) -> str:
    found = re.findall(r"(\d+) pixels", str(error))
    if len(found) != 2:
        return f"too large to decode safely ({error})"
    pixels, limit = (int(count) / 1e6 for count in found)
    return f"{pixels:.0f} megapixels, more than the {limit:.0f} that Pillow decodes safely (decompression bomb)"


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # a damaged EXIF block raises many kinds; the pixels are whole
        logging.getLogger(__name__).info("EXIF orientation not read: %s", error)
        return image


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_16_bit(np.asarray(image), name)
    if image.mode == "F":
        raise PictureError(f"{name}: its values are floats, whose range is unknown; save it with 8 or 16 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _from_16_bit(values: np.ndarray, name: str) -> Image.Image:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        raise PictureError(f"{name}: its values go from {low} to {high}, not 0 to 65535; save it with 8 or 16 bits")
    return Image.fromarray(((values.astype(np.uint32) + 128) // 257).astype(np.uint8)).convert("RGB")
