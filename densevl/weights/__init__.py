"""Weights: the table of facts, where they lie, and strict loading."""

from densevl.weights.digest import hash_module
from densevl.weights.load import KeyReport, load_strict, read_field, read_state_dict
from densevl.weights.locate import cache_folder, file_hash, find, hub_hash, is_offline, locate, locate_file
from densevl.weights.table import TABLE, WeightsRow, find_clip_row, find_hash, get_row
from densevl.weights.verify import HashCheck, verify

__all__ = [
    "TABLE",
    "HashCheck",
    "KeyReport",
    "WeightsRow",
    "cache_folder",
    "file_hash",
    "find",
    "find_clip_row",
    "find_hash",
    "get_row",
    "hash_module",
    "hub_hash",
    "is_offline",
    "load_strict",
    "locate",
    "locate_file",
    "read_field",
    "read_state_dict",
    "verify",
]
