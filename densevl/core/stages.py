"""The stair, read first: pixels -> tokens -> features -> scores -> labels, one Protocol a step.

Every published method is a choice of these steps, written in a config. A part receives built parts, knows one shape
at its door and calls no sibling; the task conducts.

    pixels    [B, 3, H, W] float RGB in [0, 1]; each backbone normalises for itself
    features  FeatureMap [B, D, h, w] (+ guide [B, G, h, w])
    text      TextBank [Q, D], Q queries (synonyms) of K classes
    scores    [B, K, h, w] at feature resolution, probabilities or logits; or [B, Q, h, w], of each query
    labels    [H, W] by the fused class map: ops/resize.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from densevl.core.structures import BatchPart, FeatureMap, ScoreMap, Segmentation, TextBank


@runtime_checkable
class TextEncoder(Protocol):
    """The text tower of a backbone."""

    weights_id: str  # names the weights: the key of vectors cached on disk
    templates: str  # name of the template set the tower was measured with

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Prompts -> [n, Dt] unit vectors."""
        ...

    def match_space(self, vectors: Tensor) -> Tensor:
        """[Q, Dt] unit vectors of names (mean over their templates) -> [Q, D] where image features live."""
        ...


@runtime_checkable
class Extractor(Protocol):
    """Pixels [B, 3, H, W] in [0, 1], H and W free -> FeatureMap [B, D, h, w] with h = ceil(H / stride).

    Where H is no multiple of the stride the extractor pads at the bottom and right; nothing is stretched.
    """

    stride: int | None  # pixels a patch; None: the grid, of any size, spans the pixels exactly

    def __call__(self, pixels: Tensor) -> FeatureMap:
        """Extract."""
        ...


@runtime_checkable
class OriginalExtractor(Extractor, Protocol):
    """An Extractor that also looks at the pictures before they were resized to pixels: uint8 RGB [H', W', 3]."""

    sees_originals: bool

    def __call__(self, pixels: Tensor, originals: Sequence[np.ndarray] | None = None) -> FeatureMap:
        """Extract; without originals from the pixels alone."""
        ...


@runtime_checkable
class FeatureRefiner(Protocol):
    """FeatureMap -> FeatureMap on the same grid (affinity pooling)."""

    def __call__(self, feature_map: FeatureMap) -> FeatureMap:
        """Refine."""
        ...


@runtime_checkable
class Head(Protocol):
    """Features [..., D] x TextBank [Q, D] -> scores [..., K] or [..., Q]; pixels, images and clips alike."""

    softmax: bool  # the scores are probabilities; else logits
    over_queries: bool  # the scores are of the Q queries; else of the K classes

    def __call__(self, features: Tensor, bank: TextBank) -> Tensor:
        """Score."""
        ...


@runtime_checkable
class ScoreRefiner(Protocol):
    """Scores [B, K, h, w] -> scores [B, K, h', w'], knowing the pixels [B, 3, H, W], features and words behind them.

    Where the head scores queries, so do these: [B, Q, h, w].
    """

    def __call__(self, scores: Tensor, *, pixels: Tensor, feature_map: FeatureMap, bank: TextBank) -> Tensor:
        """Refine."""
        ...


@runtime_checkable
class PictureRefiner(Protocol):
    """Scores of one picture -> sharper ones, knowing the picture itself: what windows cannot do one by one."""

    whole_picture: ClassVar[bool]  # that it stands there tells it from a ScoreRefiner

    def __call__(self, score_map: ScoreMap, *, picture: np.ndarray, bank: TextBank) -> ScoreMap:
        """Refine; picture is uint8 RGB [H, W, 3] at its own size."""
        ...


@runtime_checkable
class LabelRefiner(Protocol):
    """Labels of one picture -> better ones, where those of all scores at the picture's size would be too much."""

    def relabel(self, result: Segmentation, *, score_map: ScoreMap, picture: np.ndarray) -> Segmentation:
        """Refine; picture is uint8 RGB [H, W, 3] at its own size, `score_map` what the labels came from."""
        ...


@runtime_checkable
class Task(Protocol):
    """What `densevl.load` returns: the conductor of one job."""

    def predict(self, image: np.ndarray | str | Path, classes: Sequence[str]) -> Segmentation:
        """One picture: uint8 RGB [H, W, 3] or a path."""
        ...


@runtime_checkable
class Metric(Protocol):
    """Counts over a data set: `update` per picture, `compute` at the end; counts of shards add up."""

    def update(self, pred: np.ndarray, label: np.ndarray) -> None:
        """Add one picture: two [H, W] integer maps."""
        ...

    def compute(self) -> Mapping[str, Any]:
        """The figures so far."""
        ...


@runtime_checkable
class Source(Protocol):
    """Where a run's inputs come from; `len` and `names` are known before anything is decoded."""

    def __len__(self) -> int: ...

    def names(self) -> Sequence[str]:
        """The output name of every item: a relative path without suffix, unique."""
        ...

    def digest(self, index: int) -> str:
        """The sha256 of an item's bytes, without decoding them; raises PictureError or ClipError."""
        ...

    def read(self, index: int) -> tuple[np.ndarray, str]:
        """uint8 RGB [H, W, 3] and the sha256 of the bytes it was decoded from; raises PictureError or ClipError."""
        ...


@runtime_checkable
class LabelledSet(Protocol):
    """Pictures with annotations: what a model is scored on."""

    name: str  # of the data set, such as ade20k
    class_names: tuple[str, ...]  # K, in the order of the ids
    ignore_index: int  # id of pixels that are not scored: 255, or 65535 above 255 classes

    def __len__(self) -> int: ...

    def names(self) -> Sequence[str]:
        """The name of every picture: a relative posix path without suffix, unique."""
        ...

    def origin(self, index: int) -> str:
        """Where a picture comes from, for messages."""
        ...

    def digests(self, index: int) -> tuple[str, str]:
        """The sha256 of a picture's file and of its annotation's, without decoding them; raises PictureError."""
        ...

    def read(self, index: int) -> tuple[np.ndarray, str]:
        """uint8 RGB [H, W, 3] and the sha256 of its file; raises PictureError."""
        ...

    def read_labels(self, index: int) -> tuple[np.ndarray, str]:
        """[H, W] uint8 or uint16 class ids 0..K-1 or `ignore_index`, and the sha256 of its file; raises DataError."""
        ...


@runtime_checkable
class Writer(Protocol):
    """One kind of output. It only encodes; the run writes the bytes whole or not at all and journals them."""

    kind: str  # the word after --save

    def path(self, name: str) -> str:
        """Where an item goes, relative to the output folder."""
        ...

    def encode(self, name: str, result: Segmentation, picture: np.ndarray) -> bytes:
        """The file's bytes, the same for the same result: no time stamps."""
        ...


@runtime_checkable
class TrainStep(Protocol):
    """One optimisation step of a trainable method: batch -> named losses, whose sum is made small."""

    trained: Any  # the torch module whose state is saved

    def __call__(self, batch: Any) -> Mapping[str, Tensor]:
        """One step."""
        ...

    def parameter_groups(self) -> Iterable[Mapping[str, Any]]:
        """What is trained, with the rates: {"params", "lr"}."""
        ...

    def release(self, epoch: int) -> Mapping[str, Any]:
        """The content of the published checkpoint file; its tensors stand under `model_state_dict`."""
        ...


@runtime_checkable
class TrainingSet(Protocol):
    """What a method is trained on; every draw is a function of (seed, epoch, place), so a run can go on anywhere."""

    def __len__(self) -> int: ...

    def identity(self) -> str:
        """Tells this set from another: how many items, and a hash of their names."""
        ...

    def batches(self, order: Any, *, workers: int = 0) -> Iterator[BatchPart]:
        """The batches of a `data.loader.BatchOrder` in their parts, endless."""
        ...
