"""Pure functions on tensors."""

from __future__ import annotations

from densevl.ops.affinity import affinity_pool
from densevl.ops.doubt import doubt
from densevl.ops.pamr import pamr
from densevl.ops.resize import class_map, interpolate_scores, label_picture, window_class_map
from densevl.ops.tokens import map_to_tokens, pad_to_multiple, resize_position_table, tokens_to_map
from densevl.ops.windows import merge_windows, window_boxes

__all__ = [
    "affinity_pool",
    "class_map",
    "doubt",
    "interpolate_scores",
    "label_picture",
    "map_to_tokens",
    "merge_windows",
    "pad_to_multiple",
    "pamr",
    "resize_position_table",
    "tokens_to_map",
    "window_boxes",
    "window_class_map",
]
