"""`densevl segment SOURCE --classes ... --out DIR`: label pictures with your own words."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densevl.core.errors import EXIT_DONE, EXIT_PARTIAL, ConfigError, UsageError
from densevl.core.files import require_writable

if TYPE_CHECKING:
    from mmengine.config import Config

    from densevl.data import FrameSource, PictureSource
    from densevl.tasks.folder_run import FolderRun
    from densevl.tasks.run_documents import RunResult
    from densevl.tasks.segmenter import Segmenter
    from densevl.vocab import ClassList

HELP = "label every pixel of pictures with your own words"
KINDS = ("labels", "overlay", "scores", "confidence", "coco", "geojson")
DEFAULT_KINDS = "labels,overlay,confidence"
REFINERS: dict[str, list[dict[str, Any]]] = {  # what each word of --refine puts behind a model's own score refiners
    "none": [],
    "pamr": [{"type": "densevl.refiners.PAMRRefiner"}],
    "sam": [{"type": "densevl.refiners.SAMMaskRefiner", "sam": {"type": "densevl.backbones.load_sam"}}],
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("source", metavar="SOURCE", help="picture, clip, folder, glob, list file, or - for stdin")
    parser.add_argument("--classes", required=True, help="'road; car, automobile; sky', a file, or a list (ade20k)")
    parser.add_argument("--out", type=Path, help="output folder; the same command goes on where it stopped")
    add_model_arguments(parser)
    run = parser.add_argument_group("the run")
    run.add_argument("--batch-size", default="auto", help="windows in one forward pass (auto)")
    run.add_argument("--threshold", action="append", default=[], metavar="P or NAME=P", help="least probability")
    run.add_argument("--save", default=DEFAULT_KINDS, help=f"any of {','.join(KINDS)} (default {DEFAULT_KINDS})")
    run.add_argument("--every", type=int, metavar="N", help="take every N-th frame of a clip (one a second)")
    run.add_argument("--on-error", choices=("skip", "stop"), default="skip", help="an unreadable picture (skip)")
    run.add_argument("--dry-run", action="store_true", help="files, windows, memory and time; write nothing")
    run.add_argument("--json", action="store_true", help="one JSON object on stdout at the end")


def add_model_arguments(parser: argparse.ArgumentParser, *, named: bool = True) -> None:
    """Declare the flags that choose and shape a model; where a verb names it otherwise, those that shape it."""
    model = parser.add_argument_group("the model")
    if named:
        model.add_argument("--model", default="auto", help="a name of `densevl models list`, a .py config, or auto")
    model.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    model.add_argument("--precision", default="auto", choices=("auto", "fp32", "fp16", "bf16"))
    model.add_argument("--weights", help="CLIP weights: a file, an open_clip tag, hf-hub:NAME")
    model.add_argument("--quickgelu", action="store_true", help="the file holds OpenAI weights (QuickGELU)")
    model.add_argument("--trust", action="store_true", help="load a TorchScript archive of unknown hash")
    model.add_argument("--offline", action="store_true", help="never download")
    model.add_argument(
        "--short-side",
        type=int,
        help="pixels of the shorter side as the model sees it; the longer has at most 4 times that, or 2048",
    )
    model.add_argument("--window", type=int, help="side of the sliding window in pixels; 0: the whole picture")
    model.add_argument("--stride", type=int, help="step between windows in pixels (half a window)")
    model.add_argument("--templates", help="a template set (imagenet80, plain, ...) or a file of them")
    model.add_argument("--refine", choices=tuple(REFINERS), help="sharpen the scores of a picture (as the model says)")


def run(args: argparse.Namespace) -> int:
    """Run the verb; everything cheap is checked before the model is loaded."""
    from densevl.vocab import load_templates, parse_classes

    kinds = parse_kinds(args.save)
    classes = parse_classes(args.classes)
    thresholds = parse_thresholds(args.threshold, classes)
    batch_size = parse_batch_size(args.batch_size)
    if args.out is None and not args.dry_run:
        raise UsageError("--out DIR is missing: say where the labels should go (or --dry-run)")
    if args.templates is not None:
        load_templates(args.templates)
    source = find_inputs(args)
    if not args.dry_run:
        require_writable(args.out)

    segmenter = load_segmenter(args)
    from densevl.tasks.folder_run import FolderRun, RunOptions

    options = RunOptions(
        kinds=kinds,
        thresholds=thresholds,
        templates=args.templates,
        on_error=args.on_error,
        batch_size=batch_size,
    )
    folder_run = FolderRun(segmenter, source, classes, options=options)
    if args.dry_run:
        return show_plan(folder_run, as_json=args.json)
    return finish(run_with_progress(folder_run, args.out), as_json=args.json)


def find_inputs(args: argparse.Namespace) -> PictureSource | FrameSource:
    """The pictures and frames that SOURCE means; says on stderr which frames of clips are taken."""
    from densevl.data import FrameSource, open_source

    if args.every is not None and args.every < 1:
        raise UsageError(f"--every {args.every}: expected a whole number of at least 1")
    source = open_source(args.source, exclude=args.out, every=args.every)
    if isinstance(source, FrameSource):
        print(f"densevl: {source.note()}", file=sys.stderr)
    elif args.every is not None:
        raise UsageError(f"--every {args.every}: is for clips, and SOURCE '{args.source}' holds pictures only")
    return source


@dataclass(frozen=True)
class ModelChoice:
    """Which model, why, and the config keys that are set."""

    name: str
    reason: str
    overrides: Mapping[str, Any]


def choose_segmenter(args: argparse.Namespace, assignments: Mapping[str, Any] | None = None) -> ModelChoice:
    """What the flags ask for, checked; nothing is loaded.

    Args:
        args: the flags of `add_model_arguments`, and the model.
        assignments: config keys to be set beside those of the flags, which come last.
    """
    if args.offline:
        go_offline()
    if args.weights is not None and args.model == "auto":
        raise UsageError("--weights needs a --model by name, not auto: the one the file is for, as maskclip-b16")
    from densevl.core.config import read_config
    from densevl.tasks.load import choose_model, require_field

    name, reason = choose_model() if args.model == "auto" else (args.model, f"model {args.model}")
    clip_flags = [flag for flag in ("weights", "quickgelu", "trust") if getattr(args, flag)]
    if clip_flags and "clip_model" not in read_config(name).get("parts", {}):
        raise UsageError(f"--{clip_flags[0]} is for CLIP models, and {name} is none")
    require_field(name, "segmentation")
    config = read_config(name)
    overrides = {**(assignments or {}), **model_overrides(args, config)}
    if args.refine is not None:
        overrides["model.score_refiners"] = score_refiners(config, args.refine)
    return ModelChoice(name, reason, overrides)


def load_segmenter(args: argparse.Namespace, choice: ModelChoice | None = None) -> Segmenter:
    """The model of a choice, or that which the flags ask for; says on stderr which one and what it cannot do."""
    from densevl.engine.ranks import current_ranks
    from densevl.tasks.load import load

    choice = choice or choose_segmenter(args)
    segmenter: Segmenter = load(choice.name, args.device, precision=args.precision, **choice.overrides)
    limits = f". {segmenter.limits}" if segmenter.limits else ""
    if current_ranks().leads:
        print(f"densevl: {choice.reason}, on {segmenter.device}{limits}", file=sys.stderr)
    return segmenter


def go_offline() -> None:
    """--offline: nothing of this process downloads."""
    os.environ["DENSEVL_OFFLINE"] = os.environ["HF_HUB_OFFLINE"] = "1"


def model_overrides(args: argparse.Namespace, config: Config) -> dict[str, Any]:
    """Config keys that the flags set."""
    from densevl.tasks.geometry import geometry_overrides

    overrides = {}
    if any(side is not None for side in (args.short_side, args.window, args.stride)):
        overrides = geometry_overrides(config, short_side=args.short_side, window=args.window, stride=args.stride)
    if args.weights is not None:
        overrides["parts.clip_model.pretrained"] = args.weights
    if args.quickgelu:
        overrides["parts.clip_model.quickgelu"] = True
    if args.trust:
        overrides["parts.clip_model.trust"] = True
    return overrides


def score_refiners(config: Config, word: str) -> list[dict[str, Any]]:
    """A model's score refiners with those of a word of --refine in place of those of another word.

    A model whose parts a refiner shares says itself, under `refine`, what a word means. They come before the model's
    own: scores are sharpened before a rule judges them, as SCLIP was published.
    """
    ours = {refiner["type"] for refiners in REFINERS.values() for refiner in refiners}
    content = config.to_dict()
    own, means = content["model"].get("score_refiners", []), content.get("refine", {})
    for place, lists in (
        ("model.score_refiners", [own]),
        ("refine", list(means.values()) if isinstance(means, dict) else [0]),
    ):
        if not all(isinstance(parts, list) and all(map(_is_part, parts)) for parts in lists):
            raise ConfigError(f"--refine {word}: {place} in the config must hold lists of dict(type=...)")
    return {**REFINERS, **means}[word] + [refiner for refiner in own if refiner["type"] not in ours]


def _is_part(node: Any) -> bool:
    return isinstance(node, dict) and "type" in node


def parse_kinds(text: str) -> tuple[str, ...]:
    """The words of --save, in our order."""
    words = {word.strip() for word in text.split(",") if word.strip()}
    unknown = sorted(words - set(KINDS))
    if unknown or not words:
        raise UsageError(f"--save {text}: choose from {', '.join(KINDS)}" + (f"; not {unknown[0]}" if unknown else ""))
    # the labels are what a run is for, and what the end of a run reads
    return tuple(kind for kind in KINDS if kind in words or kind == "labels")


def parse_thresholds(items: Sequence[str], classes: ClassList) -> dict[str, float]:
    """`0.3` sets every class, `car=0.5` one; later ones win."""
    thresholds: dict[str, float] = {}
    for item in items:
        name, _, number = item.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            raise UsageError(f"--threshold {item}: expected a number in [0, 1], or NAME=number") from None
        if not 0.0 <= value <= 1.0:
            raise UsageError(f"--threshold {item}: a probability lies in [0, 1]")
        if name and name not in classes.names:
            raise UsageError(f"--threshold {item}: there is no class '{name}'; classes: {', '.join(classes.names)}")
        thresholds.update({name: value} if name else dict.fromkeys(classes.names, value))
    return thresholds


def parse_batch_size(text: str) -> int | None:
    """A number of windows, or None for auto."""
    if text == "auto":
        return None
    if not text.isdigit() or int(text) < 1:
        raise UsageError(f"--batch-size {text}: expected auto or a whole number of at least 1")
    return int(text)


def run_with_progress(folder_run: FolderRun, out: Path) -> RunResult:
    """The run under a progress bar (rate and remaining time) on stderr."""
    from tqdm import tqdm

    with tqdm(total=len(folder_run.source), unit="picture", file=sys.stderr, dynamic_ncols=True) as bar:
        return folder_run.run(out, progress=bar.update)


def finish(result: RunResult, *, as_json: bool, noun: str = "picture", document: str = "report.html") -> int:
    """Say what was done; 6 when inputs failed."""
    if as_json:
        print(json.dumps(result.as_dict(), ensure_ascii=False))
    else:
        print(result.sentence(noun, document), file=sys.stderr)
    return EXIT_PARTIAL if result.failed else EXIT_DONE


def show_plan(folder_run: FolderRun, *, as_json: bool) -> int:
    """Print what a run would take; one picture is labelled to measure, nothing is written."""
    from densevl.tasks.run_plan import measure

    plan = measure(folder_run)
    if as_json:
        print(json.dumps(plan))
    else:
        for key, value in plan.items():
            print(f"{key.replace('_', ' '):>24}  {value}")
    return EXIT_DONE
