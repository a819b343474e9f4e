"""`densevl check-data --kind kinetics`: clips on disk against the lists that name them."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from queue import LifoQueue

from densevl.core.errors import ClipError
from densevl.core.files import sha256_file
from densevl.data.check import CheckRequest, DataReport, Decode, Problem, SplitCount
from densevl.data.decoder_process import DecoderProcess
from video.clip_files import ClipIndex, Moment, find_clips, is_kinetics_name, parse_stem
from video.list_forms import ClipListError, ListFile, ListRow, read_rows

_SHORT_SHARE = 0.9  # of the listed seconds; keyframes and rates cost a clip a few frames
_FAILING = frozenset({"unreadable", "cut"})
_BLOCK = 100  # frames that are decoded under one time limit
_FEWEST_FRAMES = 8  # the smallest sample of the recipes
_LIST_NAMES = ("train", "validate", "validation", "val", "test")
_LIST_SUFFIXES = (".csv", ".txt", ".json")
_SIZES = "Kinetics as published: 400 about 246k train and 20k val; copies in use hold 240k and 19.8k, and differ"


@dataclass(frozen=True)
class _Wanted:
    """A row of a list and the files that fit it."""

    split: str
    listed: ListFile
    row: ListRow
    name: str  # how the clip is shown, and where it would lie
    files: tuple[Path, ...]


def check_kinetics(folder: Path, request: CheckRequest) -> DataReport:
    """Compare the clips below a folder with its lists.

    Problems: `missing`, `unreadable`, `cut` (holds fewer frames than it promises), `short` (below nine tenths of the
    listed seconds, or fewer than 8 frames), `duplicate` (one clip in two places or on two rows, or two files of the
    same bytes), `unlabelled` (a file in no list, or without lists in no class folder; a row without a label). A clip is
    usable if it is there and what was looked at of it is whole. That is stricter than `video.ClipReader`, which reads a
    cut clip up to the cut.

    Args:
        folder: searched with its sub-folders.
        request: lists (else train, val ... .csv, .txt or .json in the folder), how much is decoded, threads.

    Raises:
        SourceError: no such folder.
        ClipListError: a list cannot be read.
    """
    paths = find_clips(folder)
    index = ClipIndex.of(folder, paths)
    lists = [read_rows(file) for file in request.lists or _lists_in(folder)]
    wanted = [
        entry for listed in lists for entry in _match(listed, index, {os.path.abspath(path): path for path in paths})
    ]
    seconds = _listed_seconds(wanted, paths)
    faults = _open_all(paths, seconds, request)
    damaged = {path for path, (kind, _) in faults.items() if kind in _FAILING}
    split_of = {path: entry.split for entry in wanted for path in entry.files}
    strays = _strays(paths, wanted, index)
    second = {problem.path for problem in strays if problem.kind == "duplicate"}
    problems = [
        *_missing(wanted),
        *(_fault(path, split_of.get(path, ""), *fault) for path, fault in faults.items()),
        *_listed_twice(wanted),
        *_without_label(lists, wanted),
        *strays,
        *(fix for fix in _same_bytes(set(paths) - damaged, split_of) if fix.path not in second),
    ]
    if not paths and not wanted:
        raise ClipListError(f"{folder}: no clips and no lists in it; check the path, or name a list with --list")
    splits = _count_splits(wanted, damaged)
    return DataReport("kinetics", str(folder), len(paths), splits, tuple(problems), _FAILING, _notes(lists))


def _lists_in(folder: Path) -> list[Path]:
    """Train, validation and test lists that lie in the folder."""
    return [file for name in _LIST_NAMES for suffix in _LIST_SUFFIXES if (file := folder / f"{name}{suffix}").is_file()]


def _match(listed: ListFile, index: ClipIndex, present: Mapping[str, Path]) -> list[_Wanted]:
    """Rows with their files. A path is looked for in the folder, beside the list, then by its name anywhere below."""
    found = []
    for row in listed.rows:
        split = row.split or Path(listed.source).stem
        if row.moment:
            name, files = str(index.path_of(row.moment, row.label)), index.find(row.moment, row.label)
        else:
            places = [index.folder / row.path, Path(listed.source).parent / row.path]
            here = [present[place] for place in map(os.path.abspath, places) if place in present]
            stem = Path(row.path).stem
            anywhere = index.by_stem.get(stem, ()) if is_kinetics_name(stem) else ()
            name, files = str(places[0]), tuple(dict.fromkeys([*here, *anywhere]))
        found.append(_Wanted(split, listed, row, name, files))
    return found


def _listed_seconds(wanted: Sequence[_Wanted], paths: Iterable[Path]) -> dict[Path, int]:
    """How long each file should be, by its name or by its row."""
    named = ((path, parse_stem(path.stem)) for path in paths)
    seconds = {path: moment.seconds for path, moment in named if moment}
    seconds.update({path: entry.row.moment.seconds for entry in wanted if entry.row.moment for path in entry.files})
    return seconds


def _open_all(paths: Sequence[Path], seconds: Mapping[Path, int], request: CheckRequest) -> dict[Path, tuple[str, str]]:
    """Kind and detail of what is wrong with the files that are not whole; each thread waits for a process."""
    decoders = [DecoderProcess(timeout_sec=request.timeout_sec, backend="pyav") for _ in range(request.workers)]
    idle: LifoQueue[DecoderProcess] = LifoQueue()  # few files start few processes
    for decoder in decoders:
        idle.put(decoder)

    def _look(path: Path) -> tuple[str, str] | None:
        decoder = idle.get()
        try:
            return _fault_of(path, seconds.get(path), request.decode, decoder)
        finally:
            idle.put(decoder)

    pool = ThreadPoolExecutor(request.workers)
    futures = [pool.submit(_look, path) for path in paths]
    try:
        faults = request.track((future.result() for future in futures), len(paths))
        return {path: fault for path, fault in zip(paths, faults, strict=True) if fault}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # an interrupt does not wait for what nobody will look at
        while running := [future for future in futures if not future.done()]:
            for decoder in decoders:
                decoder.close()
            wait(running, 0.1)
        for decoder in decoders:
            decoder.close()


def _fault_of(path: Path, seconds: int | None, decode: Decode, decoder: DecoderProcess) -> tuple[str, str] | None:
    if decode == "none":
        if not os.access(path, os.R_OK):
            return "unreadable", "it may not be read, or is a link to nothing"
        return None if path.stat().st_size else ("unreadable", "the file is empty (0 bytes)")
    try:
        with decoder.open(path) as reader:
            reader.read([0])
            if reader.scan.cut:
                return "cut", reader.scan.cut
            last = len(reader) - 1
            for index in [*range(_BLOCK, last, _BLOCK), last] if decode == "all" else []:
                reader.read([index])  # one pass: PyAV decodes all before it too, and stops at damage
            return _shortness(len(reader), len(reader) / reader.fps, seconds)
    except ClipError as error:
        return "unreadable", str(error).removeprefix(f"{path}: ")


def _shortness(frames: int, lasts: float, seconds: int | None) -> tuple[str, str] | None:
    if frames < _FEWEST_FRAMES:
        return "short", f"{frames} frame{'s' * (frames > 1)}, fewer than {_FEWEST_FRAMES}"
    if seconds is not None and lasts < _SHORT_SHARE * seconds:
        return "short", f"{lasts:.1f} of {seconds} seconds ({frames} frames)"
    return None


def _missing(wanted: Iterable[_Wanted]) -> list[Problem]:
    gone = [entry for entry in wanted if not entry.files]
    return [Problem(entry.name, entry.split, "missing", _told(entry.row), "fetch it anew") for entry in gone]


def _told(row: ListRow) -> str:
    if row.moment is None:
        return f"line {row.line}, {row.shown}"
    moment: Moment = row.moment
    return f"line {row.line}, video {moment.youtube_id}, {moment.start} to {moment.end} s, label '{row.label}'"


def _fault(path: Path, split: str, kind: str, detail: str) -> Problem:
    action = "fetch it anew, or take it off the list" if kind in _FAILING else "fetch it anew, or accept it"
    return Problem(str(path), split, kind, detail, action)


def _listed_twice(wanted: Iterable[_Wanted]) -> list[Problem]:
    """Rows after the first that name the same clip; across splits they spoil a test."""
    first: dict[Moment | str, _Wanted] = {}
    problems = []
    for entry in wanted:
        key = entry.row.moment or (str(entry.files[0]) if entry.files else entry.name)
        other = first.setdefault(key, entry)
        if other is not entry:
            detail = f"line {entry.row.line} of {entry.split} is line {other.row.line} of {other.split} again"
            problems.append(Problem(entry.name, entry.split, "duplicate", detail, "take it off one list"))
    return problems


def _without_label(lists: Iterable[ListFile], wanted: Iterable[_Wanted]) -> list[Problem]:
    """Rows without a label in lists that have labels."""
    labelled = {listed.source for listed in lists if _has_labels(listed)}
    return [
        Problem(
            entry.name, entry.split, "unlabelled", f"no label on {entry.listed.where(entry.row)}", "write its label"
        )
        for entry in wanted
        if not _is_labelled(entry.row) and entry.listed.source in labelled
    ]


def _has_labels(listed: ListFile) -> bool:
    return any(map(_is_labelled, listed.rows))


def _is_labelled(row: ListRow) -> bool:
    return row.label not in ("", "-1")  # some lists for testing say -1 for every clip


def _notes(lists: Sequence[ListFile]) -> tuple[str, ...]:
    notes = [f"{listed.source} has no labels, like some test lists" for listed in lists if not _has_labels(listed)]
    return (*notes, _SIZES) if lists else ("no list: nothing to compare with; name one with --list FILE", _SIZES)


def _strays(paths: Sequence[Path], wanted: Sequence[_Wanted], index: ClipIndex) -> list[Problem]:
    """Files that no row uses: a second place of a clip is a duplicate, any other file is unlabelled."""
    used = {entry.files[0] for entry in wanted if entry.files}
    first = {path: entry.files[0] for entry in wanted for path in entry.files[1:]}
    if not wanted:
        first = {path: same[0] for stem, same in index.by_stem.items() if is_kinetics_name(stem) for path in same[1:]}
    problems = []
    for path in paths:
        if path in used:
            continue
        if path in first:
            problem = "duplicate", f"the same clip as {first[path]}", "remove one of the two"
        elif wanted:
            problem = "unlabelled", "in no list", "add it to a list, or ignore it"
        elif path.parent == index.folder:
            problem = "unlabelled", "in no class folder", "name a list with --list"
        else:
            continue
        problems.append(Problem(str(path), "", *problem))
    return problems


def _same_bytes(paths: Iterable[Path], split_of: Mapping[Path, str]) -> list[Problem]:
    """Files of the same bytes; only files of the same size are read."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in sorted(paths):
        by_size[path.stat().st_size].append(path)
    first: dict[str, Path] = {}
    problems = []
    for path in (path for same in by_size.values() if len(same) > 1 for path in same):
        other = first.setdefault(sha256_file(path), path)
        if other is not path:
            detail = f"the same bytes as {other}"
            problems.append(Problem(str(path), split_of.get(path, ""), "duplicate", detail, "remove one of the two"))
    return problems


def _count_splits(wanted: Iterable[_Wanted], damaged: set[Path]) -> tuple[SplitCount, ...]:
    counts: dict[str, list[int]] = {}
    for entry in wanted:
        count = counts.setdefault(entry.split, [0, 0, 0])
        count[0] += 1
        count[1] += bool(entry.files)
        count[2] += bool(set(entry.files) - damaged)
    return tuple(SplitCount(name, *count) for name, count in counts.items())
