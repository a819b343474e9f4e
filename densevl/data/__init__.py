"""Pictures and clips in: where a run's inputs are, how a file becomes an array, and an array pixels."""

from densevl.data.decoder_process import DecoderProcess
from densevl.data.folders import PictureSource, open_source
from densevl.data.frame_reader import FrameReader
from densevl.data.frame_source import FrameSource
from densevl.data.frames import CLIP_SUFFIXES, open_frames
from densevl.data.pictures import PICTURE_SUFFIXES, decode_picture, read_picture
from densevl.data.segmentation import SegmentationSet
from densevl.data.transforms import fit_size, resize_picture, to_pixels

__all__ = [
    "CLIP_SUFFIXES",
    "PICTURE_SUFFIXES",
    "DecoderProcess",
    "FrameReader",
    "FrameSource",
    "PictureSource",
    "SegmentationSet",
    "decode_picture",
    "fit_size",
    "open_frames",
    "open_source",
    "read_picture",
    "resize_picture",
    "to_pixels",
]
