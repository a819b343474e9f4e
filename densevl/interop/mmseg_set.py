"""A data set of mmsegmentation for `densevl eval`.

In a config of ours:

data = dict(
    type="densevl.interop.MMSegSet",
    dataset="ADE20KDataset",
    data_prefix=dict(img_path="images/validation", seg_map_path="annotations/validation"),
)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from densevl.core.errors import ConfigError, DataError, UnknownNameError
from densevl.core.files import sha256_bytes
from densevl.data.label_maps import LabelRule, decode_label_map
from densevl.data.pictures import decode_picture, read_bytes, shown
from densevl.interop.mmcv_ext import ensure

ensure()  # above mmseg, which imports mmcv's ops

from mmseg.datasets import BaseSegDataset  # noqa: E402
from mmseg.registry import DATASETS  # noqa: E402


class MMSegSet:
    """What a data set of mmseg lists, read as densevl reads (a core.stages.LabelledSet); its pipeline is not run.

    Args:
        dataset: name of its class in mmseg's registry; own ones by `custom_imports` of the config.
        root: its `data_root`.
        name: of the data set, such as ade20k.
        ignore: ids of annotations that are not scored, beside 255 and the data set's own `ignore_index`.
        **options: all else that the class takes, as in a config of mmseg: `ann_file`, `data_prefix`, `metainfo`,
            `img_suffix`, `seg_map_suffix`, `reduce_zero_label`, `ignore_index`, ...

    Raises:
        UnknownNameError: no such class. ConfigError: it does not take the options.
        DataError: it finds no pictures, or no annotations.
    """

    def __init__(
        self,
        dataset: str,
        *,
        root: str | Path | None = None,
        name: str | None = None,
        ignore: Sequence[int] = (),
        **options: Any,
    ) -> None:
        self.name = name or dataset
        self.dataset = _open(dataset, {**options, **({} if root is None else {"data_root": str(root)})})
        self.class_names = tuple(label.strip() for label in self.dataset.metainfo["classes"])
        self._ignore = frozenset(ignore)
        self._files = [self.dataset.get_data_info(index) for index in range(len(self.dataset))]
        if not self._files or "seg_map_path" not in self._files[0]:
            missing = "annotations (seg_map_path in data_prefix)" if self._files else "pictures"
            raise DataError(
                f"{dataset} lists no {missing} below {self.dataset.data_root}: check data_prefix and --data"
            )

    @property
    def ignore_index(self) -> int:
        """The id of pixels that are not scored: 255, or 65535 above 255 classes."""
        return self.rule.ignore_index

    @property
    def reduce_zero_label(self) -> bool:
        """Whether annotations hold 0 = other, which is not scored, and classes from 1."""
        return bool(self.dataset.reduce_zero_label)

    @cached_property
    def rule(self) -> LabelRule:
        """How ids of annotations become classes; where the config names a part of them, all classes of the data set."""
        own, reduced = self.dataset.ignore_index, self.reduce_zero_label
        classes = self.dataset.METAINFO["classes"] if self.dataset.label_map else self.class_names
        ignore = self._ignore if own == 255 else self._ignore | {own + reduced}  # its own counts after reducing
        return LabelRule(len(classes), ignore, reduced)

    def __len__(self) -> int:
        return len(self._files)

    def names(self) -> Sequence[str]:
        """The name of every picture: its path below `img_path` without `img_suffix`."""
        return self._names

    def origin(self, index: int) -> str:
        """The file of a picture."""
        return shown(self._files[index]["img_path"])

    def digests(self, index: int) -> tuple[str, str]:
        """The sha256 of a picture's file and of its annotation's; nothing is decoded.

        Raises:
            PictureError: one cannot be read.
        """
        files = self._files[index]
        return sha256_bytes(read_bytes(files["img_path"])), sha256_bytes(read_bytes(files["seg_map_path"]))

    def read(self, index: int) -> tuple[np.ndarray, str]:
        """Decode a picture: uint8 RGB [H, W, 3] and the sha256 of the file.

        Raises:
            PictureError: it cannot be read.
        """
        data = read_bytes(self._files[index]["img_path"])
        return decode_picture(data, self.origin(index)), sha256_bytes(data)

    def read_labels(self, index: int) -> tuple[np.ndarray, str]:
        """Decode an annotation: [H, W] uint8 or uint16 classes or `ignore_index`, and the sha256 of the file.

        Raises:
            DataError: it cannot be read, or holds ids outside the classes.
        """
        path = self._files[index]["seg_map_path"]
        data, name = read_bytes(path), shown(path)
        classes = self.rule.to_classes(decode_label_map(data, name), name)
        return (classes if self._part is None else self._part[classes]), sha256_bytes(data)

    @cached_property
    def _names(self) -> tuple[str, ...]:
        folder = Path(self.dataset.data_prefix["img_path"])
        suffix = self.dataset.img_suffix
        paths = (Path(item["img_path"]).relative_to(folder).as_posix() for item in self._files)
        return tuple(path.removesuffix(suffix) for path in paths)

    @cached_property
    def _part(self) -> np.ndarray | None:
        """[256] the class of each of all classes where the config names a part of them; 255: not scored."""
        if self.dataset.label_map is None:
            return None
        table = np.full(self.rule.ignore_index + 1, self.rule.ignore_index)
        table[list(self.dataset.label_map)] = list(self.dataset.label_map.values())
        return table.astype(np.uint8)


def _open(name: str, options: dict[str, Any]) -> BaseSegDataset:
    """The data set by the class itself: which registry is the default one does not matter."""
    kind = DATASETS.get(name)
    if kind is None:
        raise UnknownNameError("data set of mmseg", name, DATASETS.module_dict)
    if not issubclass(kind, BaseSegDataset):
        raise ConfigError(f"expected a data set that is a BaseSegDataset, got {name}: name the one inside it")
    try:
        dataset: BaseSegDataset = kind(**{**options, "pipeline": [], "serialize_data": False})
    except TypeError as error:
        raise ConfigError(f"{name} does not take these options: {error}") from error
    except (OSError, AssertionError, ValueError) as error:
        raise DataError(f"{name} cannot be read: {error}; check data_prefix, ann_file and --data") from error
    if not dataset.metainfo.get("classes"):
        raise ConfigError(f"{name} has no class names: give metainfo=dict(classes=(...))")
    return dataset
