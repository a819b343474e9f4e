"""Pictures in: where a run's inputs are, how a file becomes an array, and an array pixels."""

from densevl.data.folders import PictureSource, open_source
from densevl.data.pictures import PICTURE_SUFFIXES, decode_picture, read_picture
from densevl.data.transforms import fit_size, resize_picture, to_pixels

__all__ = [
    "PICTURE_SUFFIXES",
    "PictureSource",
    "decode_picture",
    "fit_size",
    "open_source",
    "read_picture",
    "resize_picture",
    "to_pixels",
]
