"""Pictures with their annotations, as a run reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from densevl.core.errors import DataError
from densevl.core.files import sha256_bytes

if TYPE_CHECKING:
    from densevl.core.stages import LabelledSet


@dataclass(frozen=True, eq=False)
class Sample:
    """A picture with its annotation.

    Attributes:
        picture: uint8 RGB [H, W, 3].
        label: [H, W] class ids.
    """

    picture: np.ndarray
    label: np.ndarray


@dataclass(frozen=True)
class SampleSource:
    """A data set as a `Source` of samples.

    Attributes:
        dataset: the data set.
        limit: only so many pictures, the first; None: all.
    """

    dataset: LabelledSet
    limit: int | None = None

    def __len__(self) -> int:
        return len(self.names())

    def names(self) -> Sequence[str]:
        """The names of the pictures."""
        return self.dataset.names()[: self.limit]

    def digest(self, index: int) -> str:
        """The sha256 of both files together; nothing is decoded.

        Raises:
            PictureError: one of them cannot be read.
        """
        return _joined(self.dataset.digests(index))

    def read(self, index: int) -> tuple[Sample, str]:
        """A picture with its annotation, and the sha256 of both files together.

        Raises:
            PictureError: the picture cannot be read.
            DataError: the annotation cannot, holds other ids than the classes', or is of another size.
        """
        picture, picture_sha256 = self.dataset.read(index)
        label, label_sha256 = self.dataset.read_labels(index)
        if picture.shape[:2] != label.shape:
            sizes = " but its annotation ".join(f"{shape[1]}x{shape[0]}" for shape in (picture.shape, label.shape))
            raise DataError(f"{self.dataset.origin(index)} is {sizes}: label maps are not resized; pair them anew")
        return Sample(picture, label), _joined((picture_sha256, label_sha256))


def _joined(sha256: tuple[str, str]) -> str:
    """One hash of a picture's and its annotation's."""
    return sha256_bytes(" ".join(sha256).encode())


def check_samples(source: SampleSource) -> None:
    """See, before a model is loaded, that not the first, the middle and the last sample are all faulty.

    Raises:
        DataError: they are; what the first one says.
    """
    first: DataError | None = None
    for index in sorted({0, len(source) // 2, len(source) - 1}):
        try:
            source.read(index)
            return
        except DataError as error:
            first = first or error
    if first is not None:
        raise first
