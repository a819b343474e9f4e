"""The full ADE20K, thousands of classes, to the 150 of the scene parsing benchmark in its layout.

In: `images/ADE/<split>/**/NAME.jpg` with `NAME_seg.png` and `NAME.json` beside it (ADE20K_2021_17_01), or the same
below `images/<split>/` without JSON (ADE20K_2016_07_26). The class index of a pixel is `R // 10 * 256 + G`. Which
index is which of the 150 classes is the table by which the benchmark was made; index files of the sets are pickles and
are not read. Where there is JSON its names prove the table: a picture in which more names disagree with it than agree
is of another release and is refused.

Out: `images/<split>/NAME.jpg` and `annotations/<split>/NAME.png` (0 other, 1..150), the shorter side shrunk to 512 as
the benchmark's tool does (it leaves squares as they are, and so do we).

What could not be verified: that pictures of one NAME are the same in all releases (the full set of 2021 has 25,574
pictures to train on, the benchmark has 20,210; in 2021 faces and licence plates are blurred), and how the benchmark
shrank its pictures (here bicubic, JPEG of quality 95). Figures on converted pictures are therefore near those on
ADEChallengeData2016 and not equal to them: say which was used.

Sources: CSAILVision/ADE20K, utils/utils_ade20k.py (coding of the class index); CSAILVision/sceneparsing,
convertFromADE/convertFromADE.m and mapFromADE.txt (sizes, table).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from densevl.core.errors import EXIT_DONE, EXIT_PARTIAL, DataError, DensevlError
from densevl.core.files import write_atomic
from densevl.data.check import Track
from densevl.data.folders import walk_files
from densevl.data.pictures import decode_picture, read_bytes, shown
from densevl.vocab import parse_classes

SPLITS = ("training", "validation")
SHORT_SIDE = 512
_SEG = "_seg.png"
_JPEG_QUALITY = 95
# Class 1, 2, ... 150 of the benchmark: the indices in the full set; a+b: two of its classes make one.
_INDICES = (
    "2978 312 2420 976 2855 447 2131 165 3055 1125 350 2377 1831 838 774+783 2684 1610 1910 687 471 401 2994 1735 2473 "
    "2329 1276 2264 1564 2178 913 57 2272 907 724 2138 2985+533 1395 155 2053 689 137 266 581 2380 491 627 2212 2388 "
    "2423 943 2096 1121 1788 2530 2185 420 1948 1869 2251 2531 2128 294 239 212 571 2793 978 236 1240 181 629 2598 "
    "1744 1374 591 2679 223 123 47 1282 327 2821 1451 2880 2828 480 77 2616 246+247 2733 14 738 38 1936 1401 120 868 "
    "1702 249 308 1969 2526 2928 2337 1023 609 389 2989 1930 2668 2586 131 146 3016 2739 95 1563 642 1708 103 1002 "
    "2569 2704 2833 1551 1981 29 187 1393 747 2254 206 2262 1260 2243 2932 2836 2850 64 894 1858 3109 1919 1583 318 "
    "2356 2046 1098 530 954"
)


@dataclass(frozen=True)
class Conversion:
    """How many pictures were written, how many were there already, and why others failed, by path."""

    written: int
    kept: int
    failed: Mapping[str, str]


def class_ids() -> dict[int, int]:
    """Class index of the full set -> 1..150."""
    rows = enumerate(_INDICES.split(), 1)
    return {int(index): class_id for class_id, indices in rows for index in indices.split("+")}


def convert_full_ade20k(
    source: Path,
    out: Path,
    *,
    splits: Sequence[str] = SPLITS,
    workers: int = 1,
    track: Track[Any] = lambda items, total: items,
) -> Conversion:
    """Convert every picture that is not there yet; an interrupted run goes on where it stopped.

    Args:
        source: the root of the full set.
        out: gets `images/` and `annotations/`.
        splits: `training`, `validation` or both.
        workers: pictures at a time.
        track: shows progress.

    Raises:
        DataError: no full ADE20K there.
        OutputError: `out` cannot be written.
    """
    found = [(split, path) for split in splits for path in find_annotations(source, split)]
    if not found:
        raise DataError(
            f"{shown(source)} is no full ADE20K: expected images/ADE/{splits[0]}/**/*{_SEG}; give the folder that "
            "holds images/, such as ADE20K_2021_17_01"
        )
    pool = ThreadPoolExecutor(workers)
    futures = [pool.submit(_convert, path, out, split) for split, path in found]
    written, failed = 0, dict[str, str]()
    try:
        for (_, path), future in track(zip(found, futures, strict=True), len(found)):
            try:
                written += future.result()
            except DataError as error:
                failed[shown(path)] = str(error)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return Conversion(written, len(found) - written - len(failed), failed)


def find_annotations(source: Path, split: str) -> Iterator[Path]:
    """The `_seg.png` files of a split, sorted."""
    for folder in (source / "images" / "ADE" / split, source / "images" / split):
        if folder.is_dir():
            yield from sorted(path for path in walk_files(folder) if path.name.endswith(_SEG))


def to_benchmark(seg: np.ndarray) -> np.ndarray:
    """A `_seg.png`, [H, W, 3] uint8 -> [H, W] uint8: 0 other, 1..150."""
    table = np.zeros(256 * 26, dtype=np.uint8)
    for index, class_id in class_ids().items():
        table[index] = class_id
    labels: np.ndarray = table[seg[..., 0].astype(np.intp) // 10 * 256 + seg[..., 1]]
    return labels


def shrunk_size(height: int, width: int) -> tuple[int, int]:
    """(H, W) of the benchmark's picture."""
    if SHORT_SIDE < height < width:
        return SHORT_SIDE, int(width / height * SHORT_SIDE + 0.5)
    if SHORT_SIDE < width < height:
        return int(height / width * SHORT_SIDE + 0.5), SHORT_SIDE
    return height, width


def disagreements(objects: Iterable[Mapping[str, Any]]) -> tuple[dict[int, str], int]:
    """Compare the names of a picture's JSON with the table.

    Returns:
        {class index: name} of those that are not what the table has at that index, and how many indices agree.
    """
    names = dict(enumerate(parse_classes("ade20k").names, 1))
    ids, seen = class_ids(), {int(one["name_ndx"]): str(one["name"]) for one in objects}
    known = {index: [word.strip().lower() for word in name.split(",")] for index, name in seen.items() if index in ids}
    joined = {int(index) for pair in _INDICES.split() if "+" in pair for index in pair.split("+")}
    wrong = {index: seen[index] for index, words in known.items() if names[ids[index]] not in words}
    return {index: name for index, name in wrong.items() if index not in joined}, len(known) - len(wrong)


def _convert(seg_path: Path, out: Path, split: str) -> bool:
    """Write the picture and the annotation of one file; False where both were there."""
    name = seg_path.name.removesuffix(_SEG)
    picture_out = out / "images" / split / f"{name}.jpg"
    annotation_out = out / "annotations" / split / f"{name}.png"
    if picture_out.is_file() and annotation_out.is_file():
        return False
    _require_names(seg_path.with_name(f"{name}.json"))
    picture_path = seg_path.with_name(f"{name}.jpg")
    data = read_bytes(picture_path)
    picture = decode_picture(data, shown(picture_path))
    seg = decode_picture(read_bytes(seg_path), shown(seg_path))
    if picture.shape != seg.shape:
        raise DataError(f"{shown(seg_path)} has {seg.shape[:2]} rows and columns, its picture {picture.shape[:2]}")
    size = shrunk_size(*seg.shape[:2])
    if size != seg.shape[:2]:
        shrunk = Image.fromarray(picture).resize(size[::-1], Image.Resampling.BICUBIC)
        data = _encode(shrunk, "JPEG", quality=_JPEG_QUALITY)
    labels = Image.fromarray(to_benchmark(seg)).resize(size[::-1], Image.Resampling.NEAREST)
    write_atomic(picture_out, data)
    write_atomic(annotation_out, _encode(labels, "PNG"))
    return True


def _encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _require_names(path: Path) -> None:
    """See that the names of a JSON file, where there is one, fit the table."""
    if not path.is_file():
        return
    data = read_bytes(path)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    try:
        objects = json.loads(text)["annotation"]["object"]
        wrong, agreeing = disagreements([objects] if isinstance(objects, dict) else objects)  # MATLAB unwraps a single
    except (ValueError, LookupError, TypeError) as error:
        raise DataError(f"{shown(path)} cannot be read as JSON of ADE20K ({error!r}): fetch it anew") from error
    if len(wrong) > agreeing:
        index, name = next(iter(wrong.items()))
        expected = parse_classes("ade20k").names[class_ids()[index] - 1]
        raise DataError(f"{shown(path)}: class index {index} is '{name}', expected {expected}: not a release we know")


def main(argv: Sequence[str] | None = None) -> int:
    """`convert_full_ade20k.py SOURCE OUT`.

    Returns:
        The exit code, as in `densevl`: 6 where some pictures could not be converted.
    """
    from tqdm import tqdm

    parser = argparse.ArgumentParser(prog="convert_full_ade20k", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the full set, such as ADE20K_2021_17_01")
    parser.add_argument("out", type=Path, metavar="OUT", help="gets images/ and annotations/; goes on where it stopped")
    parser.add_argument("--split", choices=SPLITS, help="one part; both if absent")
    args = parser.parse_args(argv)
    splits = [args.split] if args.split else SPLITS
    try:
        done = convert_full_ade20k(
            args.source,
            args.out,
            splits=splits,
            workers=os.cpu_count() or 1,
            track=lambda items, total: tqdm(items, total=total, unit="picture", disable=None),
        )
    except DensevlError as error:
        sys.stderr.write(f"densevl: {error}\n")
        return error.exit_code
    lines = [f"{path}: {reason}" for path, reason in done.failed.items()]
    lines.append(f"{done.written} written, {done.kept} were there, {len(done.failed)} failed: {shown(args.out)}")
    sys.stderr.writelines(f"densevl: {line}\n" for line in lines)
    return EXIT_PARTIAL if done.failed else EXIT_DONE
