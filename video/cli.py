"""`densevl video SOURCE --classes ... --out DIR`: recognise what is done in clips and long videos."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densevl.cli.segment import finish, go_offline, parse_batch_size
from densevl.core.errors import UnknownNameError, UsageError
from densevl.core.files import require_writable

if TYPE_CHECKING:
    from densevl.tasks.run_documents import RunResult
    from video.classifier import VideoClassifier
    from video.clip_run import ClipRun
    from video.clip_source import LongVideo

HELP = "recognise actions in clips and long videos with your own words"
KINDS = ("csv", "srt", "json", "strip")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("source", metavar="SOURCE", help="clip, folder, glob, list file, or - for stdin")
    parser.add_argument("--classes", required=True, help="'arm wrestling; cleaning pool', or a file")
    parser.add_argument("--out", type=Path, required=True, help="output folder; the same command goes on")
    model = add_model_arguments(parser)
    model.add_argument("--frames", type=int, metavar="T", help="frames of a clip or window that the model sees")
    model.add_argument("--views", type=int, metavar="V", help="samples in time of a short clip; scores are averaged")
    model.add_argument("--crops", help="centre, three, spread3 or spread4; scores are averaged")
    add_timeline_arguments(parser)
    run = parser.add_argument_group("the run")
    run.add_argument("--batch-size", default="auto", help="windows or views in one forward pass (auto)")
    run.add_argument("--save", default=",".join(KINDS), help=f"files of a timeline: any of {','.join(KINDS)}, or none")
    run.add_argument("--on-error", choices=("skip", "stop"), default="skip", help="an unreadable clip (skip)")
    run.add_argument("--json", action="store_true", help="one JSON object on stdout at the end")


def add_model_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Declare the flags that `load_classifier` reads; returns their group, for what the model sees of a clip."""
    model = parser.add_argument_group("the model")
    model.add_argument("--model", default="auto", help="a name such as vifi-clip-lite, a .py config, or auto")
    model.add_argument("--weights", metavar="FILE|NAME", help="other weights for it, such as a training's best.pt")
    model.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    model.add_argument("--precision", default="auto", choices=("auto", "fp32", "fp16", "bf16"))
    model.add_argument("--offline", action="store_true", help="never download")
    return model


def add_timeline_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that say what is long and how it is cut."""
    long = parser.add_argument_group("long videos")
    long.add_argument("--long-sec", type=float, default=30.0, help="a clip that lasts longer gets a timeline (30)")
    long.add_argument("--window-sec", type=float, default=4.0, help="seconds that the model sees at a time (4)")
    long.add_argument("--stride-sec", type=float, help="seconds from one window to the next (half a window)")
    long.add_argument("--enter", type=float, default=0.5, metavar="P", help="a label begins at this probability (0.5)")
    long.add_argument("--leave", type=float, default=0.3, metavar="P", help="and ends below this one (0.3)")
    long.add_argument("--min-sec", type=float, help="shorter segments are absorbed (a window)")


def run(args: argparse.Namespace) -> int:
    """Run the verb; everything cheap is checked before the model is loaded."""
    from densevl.vocab import parse_classes
    from video.clip_run import ClipRun, ClipRunOptions
    from video.clip_source import ClipSource, WindowRule, find_inputs
    from video.timeline import SegmentRule

    kinds = parse_kinds(args.save)
    classes = parse_classes(args.classes)
    batch_size = parse_batch_size(args.batch_size)
    stride_sec = args.window_sec / 2 if args.stride_sec is None else args.stride_sec
    rule = WindowRule(args.long_sec, args.window_sec, stride_sec)
    min_sec = args.window_sec if args.min_sec is None else args.min_sec
    segments = SegmentRule(args.enter, args.leave, min_sec)
    views = chosen_views(args)
    paths, names = find_inputs(args.source, exclude=args.out)
    require_writable(args.out)

    classifier = load_classifier(args, args.device, views)
    source = ClipSource(paths, names, views=classifier.views, rule=rule)
    options = ClipRunOptions(kinds, segments, args.on_error, batch_size)
    clip_run = ClipRun(classifier, source, classes, options=options)
    return finish(run_with_progress(clip_run, args.out), as_json=args.json, noun="clip", document="predictions.csv")


def parse_kinds(text: str) -> tuple[str, ...]:
    """The words of --save, in our order."""
    words = {word.strip() for word in text.split(",") if word.strip()} - {"none"}
    unknown = sorted(words - set(KINDS))
    if unknown:
        raise UsageError(f"--save {text}: choose from {', '.join(KINDS)}, or none; not {unknown[0]}")
    return tuple(kind for kind in KINDS if kind in words)


def load_classifier(args: argparse.Namespace, device: str, views: Mapping[str, Any]) -> VideoClassifier:
    """The model that the flags ask for; says on stderr which one and what it cannot do.

    Args:
        args: with model, weights, precision and offline.
        device: see `densevl.load`.
        views: fields of the model's ClipViews, such as num_frames.

    Raises:
        UsageError: `--weights` without a model, or for one that takes none; views that its rule of sampling lacks.
    """
    if args.offline:
        go_offline()
    from densevl.engine.ranks import current_ranks
    from densevl.tasks.load import choose_model
    from video.loading import PREFERENCE, load

    automatic = args.model == "auto" and args.weights is None
    name, reason = choose_model(PREFERENCE) if automatic else (args.model, f"model {args.model}")
    overrides = {f"model.views.{field}": value for field, value in views.items()}
    classifier = load(name, device, precision=args.precision, weights=args.weights, **overrides)
    classifier.views.frame_numbers(1000)  # raises where the rule does not take so many views
    limits = f". {classifier.limits}" if classifier.limits else ""
    if current_ranks().leads:
        print(f"densevl: {reason}, on {classifier.device}{limits}", file=sys.stderr)
    return classifier


def chosen_views(args: argparse.Namespace) -> Mapping[str, Any]:
    """Fields of ClipViews that the flags set."""
    from video.boxes import CROPS

    for flag, number in (("--frames", args.frames), ("--views", args.views)):
        if number is not None and number < 1:
            raise UsageError(f"{flag} {number}: expected a whole number of at least 1")
    if args.crops is not None and args.crops not in CROPS:
        raise UnknownNameError("crops", args.crops, CROPS)
    flags = {"num_frames": args.frames, "views": args.views, "crops": args.crops}
    return {field: value for field, value in flags.items() if value is not None}


def run_with_progress(clip_run: ClipRun, out: Path) -> RunResult:
    """The run under a progress bar on stderr; of a long video it says how far it has been watched."""
    from tqdm import tqdm

    options: dict[str, Any] = {"unit": "clip", "file": sys.stderr, "dynamic_ncols": True, "miniters": 0}
    with tqdm(total=len(clip_run.source), **options) as bar:

        def watching(video: LongVideo, seconds: float) -> None:
            bar.set_postfix_str(f"{video.path.name}: {seconds:.0f} of {video.duration_sec:.0f} s", refresh=False)
            bar.update(0)  # draws, but not more often than ten times a second

        return clip_run.run(out, progress=bar.update, watching=watching)
