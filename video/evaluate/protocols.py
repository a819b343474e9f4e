"""Published protocols: which lists against which classes, how many views, and how the figures of the splits combine.

Lists and class lists are the user's copies. They are looked for under the names that ViFi-CLIP publishes them by
(`datasets_splits/...`, `labels/...`), in the folder of the lists: with their folders, or all in one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from densevl.core.errors import DataError, UnknownNameError

Combination = Literal["single", "mean", "harmonic"]


@dataclass(frozen=True)
class Split:
    """One list of a protocol.

    Attributes:
        name: of its folder in the output.
        clips: published name of the list.
        classes: published name of the class list.
    """

    name: str
    clips: str
    classes: str


@dataclass(frozen=True)
class Protocol:
    """How a figure of a table comes about.

    Attributes:
        about: one line.
        splits: the lists.
        combine: `single`: one list; `mean`: mean and standard deviation over the splits; `harmonic`: of the top-1 of
            the base and of the novel classes.
        frames: T.
        views: clips in time and crops in space, `4x3`.
    """

    about: str
    splits: tuple[Split, ...]
    combine: Combination
    frames: int
    views: str = "1x1"


def _three(folder: str, labels: str) -> tuple[Split, ...]:
    return tuple(Split(f"split{n}", f"datasets_splits/{folder}/val{n}.txt", f"labels/{labels}.csv") for n in (1, 2, 3))


def _base_to_novel(folder: str, labels: str) -> tuple[Split, ...]:
    lists = f"datasets_splits/base2novel_splits/{folder}"
    return tuple(
        Split(part, f"{lists}/{part}_val.txt", f"labels/{labels}_{part}_labels.csv") for part in ("base", "novel")
    )


_K400 = Split("val", "datasets_splits/k400_splits/val.txt", "labels/kinetics_400_labels.csv")
_K600 = tuple(
    Split(f"split{n}", f"datasets_splits/k600_splits/ZS_split{n}_K600_eval.txt", f"labels/ZS_split{n}_K600.csv")
    for n in (1, 2, 3)
)
_SSV2 = Split("validation", "datasets_splits/ssv2_splits/validation.txt", "labels/ssv2_labels.csv")
_HMDB, _UCF = _three("hmdb_splits", "hmdb_51_labels"), _three("ucf_splits", "ucf_101_labels")

# Source: ViFi-CLIP, CVPR 2023, section 4, and the configs and lists of its release.
PROTOCOLS: Mapping[str, Protocol] = {
    "supervised-k400": Protocol("Kinetics-400, trained on it", (_K400,), "single", 16, "4x3"),
    "zero-shot-hmdb51": Protocol("HMDB-51 unseen, three splits", _HMDB, "mean", 32),
    "zero-shot-ucf101": Protocol("UCF-101 unseen, three splits", _UCF, "mean", 32),
    "zero-shot-k600": Protocol("160 classes of Kinetics-600 that K400 lacks, three draws", _K600, "mean", 32),
    **{
        f"base-to-novel-{name}": Protocol(
            f"{title}: half of the classes trained, half unseen", _base_to_novel(folder, labels), "harmonic", 32
        )
        for name, title, folder, labels in (
            ("k400", "Kinetics-400", "k400_splits", "kinetics_400"),
            ("hmdb51", "HMDB-51", "hmdb_splits", "hmdb_51"),
            ("ucf101", "UCF-101", "ucf_splits", "ucf_101"),
            ("ssv2", "Something-Something v2", "ssv2_splits", "ssv2_174"),
        )
    },
    "few-shot-hmdb51": Protocol("HMDB-51, trained on 2 to 16 clips a class of its first split", _HMDB, "mean", 32),
    "few-shot-ucf101": Protocol("UCF-101, trained on 2 to 16 clips a class of its first split", _UCF, "mean", 32),
    "few-shot-ssv2": Protocol("Something-Something v2, trained on 2 to 16 clips a class", (_SSV2,), "single", 32),
}


def get_protocol(name: str) -> Protocol:
    """A protocol by its name.

    Raises:
        UnknownNameError: there is no such one; names the nearest.
    """
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def find_lists(protocol: Protocol, folder: Path) -> tuple[tuple[Split, Path, Path], ...]:
    """The files of every split.

    Args:
        protocol: what is looked for.
        folder: of the lists: `datasets_splits` and `labels` lie in it, or the files themselves; files that have the
            same name in several data sets must lie in the last folder of their published name, or beside it.

    Returns:
        Splits with their list and class list.

    Raises:
        DataError: some are not there; says all that is expected and where.
    """
    named = sorted({name for split in protocol.splits for name in (split.clips, split.classes)})
    found = {name: path for name in named if (path := _find(folder, name)) is not None}
    missing = [name for name in named if name not in found]
    if missing:
        raise DataError(
            f"{folder} lacks {len(missing)} of the {len(named)} lists of this protocol: {', '.join(missing)}. Expected "
            f"there: {', '.join(named)}, or the same files without their first folders. They come with the release of "
            "ViFi-CLIP; say where they lie with --lists DIR"
        )
    return tuple((split, found[split.clips], found[split.classes]) for split in protocol.splits)


def _find(folder: Path, name: str) -> Path | None:
    """By its whole published name, or by the last parts of it."""
    parts = Path(name).parts
    places = (folder.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((place for place in places if place.is_file()), None)


_COMBINED: dict[str, tuple[str, ...]] = {
    "single": ("top1", "top5", "mean_class"),
    "mean": ("top1", "top5", "mean_class", "top1_std"),
    "harmonic": ("base", "novel", "harmonic_mean"),
}


def combine(protocol: Protocol, figures: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    """The figures of all splits as one.

    Args:
        protocol: says how.
        figures: top1, top5 and mean_class, in per cent, of every split by its name.

    Returns:
        `single`: those of the split. `mean`: their means, and `top1_std`, the deviation over the splits (divided by
        their number). `harmonic`: base, novel and harmonic_mean of top-1. All None where a split has no figure.
    """
    values = [figures[split.name] for split in protocol.splits]
    if any(value["top1"] is None for value in values):
        return dict.fromkeys(_COMBINED[protocol.combine])
    if protocol.combine == "harmonic":
        base, novel = (float(value["top1"]) for value in values)
        return {
            "base": base,
            "novel": novel,
            "harmonic_mean": 2 * base * novel / (base + novel) if base + novel else 0.0,
        }
    means = {name: _mean([float(value[name]) for value in values]) for name in ("top1", "top5", "mean_class")}
    if protocol.combine == "mean":
        means["top1_std"] = _mean([(float(value["top1"]) - means["top1"]) ** 2 for value in values]) ** 0.5
    return means


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
