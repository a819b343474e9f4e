"""`densevl eval CONFIG --data DIR`: figures of a model on a data set, with the card that says how they came about."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densevl.cli.evaluate_masks import as_text, read_ids
from densevl.cli.segment import (
    ModelChoice,
    add_model_arguments,
    choose_segmenter,
    load_segmenter,
    parse_batch_size,
    parse_thresholds,
)
from densevl.cli.train import parse_assignments
from densevl.core.errors import EXIT_DONE, EXIT_PARTIAL, UsageError
from densevl.core.files import require_writable

if TYPE_CHECKING:
    from densevl.engine.ranks import Ranks
    from densevl.engine.shards import Part
    from densevl.tasks.evaluation import EvaluationRun
    from densevl.tasks.evaluation_plan import EvaluationPlan
    from densevl.tasks.protocol import Protocol

HELP = "score a model on a data set: mIoU, mAcc, aAcc, boundary mIoU, calibration error"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "config", metavar="CONFIG", help="a model on a data set (maskclip-b16-voc21), a model, a .py config, or auto"
    )
    parser.add_argument("--data", type=Path, metavar="DIR", help="where the data set lies")
    parser.add_argument("--out", type=Path, help="output folder; the same command goes on where it stopped")
    what = parser.add_argument_group("what is asked")
    what.add_argument("--like", metavar="NAME", help="a published protocol: trident, clip-dinoiser, sclip, ...")
    what.add_argument("--classes", metavar="LIST|FILE|TEXT", help="words in the order of the data's ids")
    what.add_argument("--threshold", action="append", default=[], metavar="P or NAME=P", help="least probability")
    what.add_argument("--ignore", action="append", default=[], metavar="ID", help="annotation ids that are not scored")
    what.add_argument("--reduce-zero-label", action="store_true", help="0 is not scored, classes count from 1")
    what.add_argument("--limit", type=int, metavar="N", help="only the first N pictures")
    what.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the config, dotted keys")
    add_model_arguments(parser, named=False)
    run = parser.add_argument_group("the run")
    run.add_argument("--batch-size", default="auto", help="windows in one forward pass (auto)")
    run.add_argument("--shard", metavar="I/N", help="every N-th picture from the I-th on; all shards share one OUT")
    run.add_argument("--on-error", choices=("skip", "stop"), default="skip", help="a picture that fails (skip)")
    run.add_argument("--save-labels", action="store_true", help="write the predicted label maps into OUT/labels too")
    run.add_argument("--json", action="store_true", help="print one JSON object")


@dataclass(frozen=True)
class _Asked:
    """All that the flags say, checked."""

    plan: EvaluationPlan
    choice: ModelChoice
    batch_size: int | None


def run(args: argparse.Namespace) -> int:
    """Score, write, print; everything cheap is checked before the model is loaded.

    Returns:
        0; 6 where some pictures could not be scored and all parts are through.

    Raises:
        UsageError: flags that do not fit. DataError: data, classes or a config that do not.
    """
    from densevl.engine.ranks import join_ranks, rank_device
    from densevl.engine.runtime import pick_device
    from densevl.engine.shards import read_shard

    part, asked = read_shard(args.shard), _read(args)
    if args.out is not None:
        require_writable(args.out)
    args.device = rank_device(args.device)
    with ExitStack() as stack:
        ranks = stack.enter_context(join_ranks(pick_device(args.device)))
        part = part.among(ranks)
        if part.count > 1 and args.out is None:
            raise UsageError("parts of a run meet in one folder: give --out DIR")
        out = args.out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        evaluation = _start(args, asked)
        _score(evaluation, out, part=part, ranks=ranks)
        return _finish(args, evaluation, out) if ranks.leads else EXIT_DONE


def _read(args: argparse.Namespace) -> _Asked:
    from densevl.core.config import read_config
    from densevl.tasks.evaluation_plan import Wishes, plan_evaluation
    from densevl.tasks.load import choose_model
    from densevl.tasks.samples import SampleSource, check_samples

    _require_known(args.config)
    if args.data is None:
        raise UsageError("--data DIR is missing: say where the data set lies")
    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit {args.limit}: expected a whole number of at least 1")
    batch_size = parse_batch_size(args.batch_size)
    args.model = args.config  # `choose_segmenter` says why auto is which
    name = choose_model()[0] if args.config == "auto" else args.config
    wishes = Wishes(
        like=args.like,
        classes=args.classes,
        ignore=read_ids(args.ignore),
        reduce_zero_label=args.reduce_zero_label,
        assignments=parse_assignments(args.set),
    )
    plan = plan_evaluation(read_config(name), args.data, wishes)
    plan = replace(plan, protocol=_change(plan.protocol, args))
    choice = choose_segmenter(args, plan.overrides)
    check_samples(SampleSource(plan.dataset, args.limit))
    return _Asked(plan, choice, batch_size)


def _change(protocol: Protocol, args: argparse.Namespace) -> Protocol:
    """A protocol with the thresholds and templates of the flags."""
    changes: dict[str, Any] = {} if args.templates is None else {"templates": args.templates}
    if args.threshold:
        by_name = parse_thresholds(args.threshold, protocol.classes)
        values = set(by_name.values())
        same = len(by_name) == len(protocol.classes) and len(values) == 1
        changes["threshold"] = values.pop() if same else by_name
    return replace(protocol, **changes)


def _start(args: argparse.Namespace, asked: _Asked) -> EvaluationRun:
    from densevl.core.config import override, read_config
    from densevl.tasks.evaluation import EvaluationOptions, EvaluationRun

    plan, choice = asked.plan, asked.choice
    segmenter = load_segmenter(args, choice)
    config = {**override(read_config(choice.name), choice.overrides).to_dict(), "data": plan.data}
    options = EvaluationOptions(args.on_error, asked.batch_size, args.limit, args.save_labels)
    return EvaluationRun(segmenter, plan.dataset, plan.protocol, config=config, options=options)


def _score(evaluation: EvaluationRun, out: Path, *, part: Part, ranks: Ranks) -> None:
    """This process's part under a progress bar, and a wait for the others."""
    from tqdm import tqdm

    total, hidden = evaluation.count(part), None if ranks.leads else True  # None: silent unless in a terminal
    with tqdm(total=total, unit="picture", disable=hidden, file=sys.stderr, dynamic_ncols=True) as bar:

        def _tell(count: int) -> None:
            bar.update(count)
            bar.set_postfix_str(f"mIoU {evaluation.running_miou():.2f}", refresh=False)

        evaluation.score(out, part, progress=_tell)
    ranks.gather(None)  # every journal is whole


def _finish(args: argparse.Namespace, evaluation: EvaluationRun, out: Path) -> int:
    """Write and print.

    Returns:
        The exit code.
    """
    metrics = evaluation.report(out)
    told: dict[str, Any] = {} if args.out is None else {"out": str(out)}
    if metrics is None:
        told |= {"complete": False, "scored": evaluation.scored(out), "pictures": len(evaluation.source)}
        text = f"{told['scored']} of {told['pictures']} pictures are scored; the figures come with the last shard"
        print(json.dumps(told) if args.json else text)
        return EXIT_DONE
    if args.json:
        print(json.dumps({**told, "complete": True, **metrics}, ensure_ascii=False))
    else:
        print(as_text(metrics), *([f"see {out}"] if told else []), sep="\n")
    if metrics["failed"]:
        where = f": see {out / 'failed.csv'}" if told else ""
        print(f"densevl: {metrics['failed']} of {metrics['pictures']} pictures failed{where}", file=sys.stderr)
    return EXIT_PARTIAL if metrics["failed"] else EXIT_DONE


def _require_known(name: str) -> None:
    """See that the first word is a model, or say what else it could be."""
    from densevl.cli.evaluate import kind_names
    from densevl.core.config import unknown_model
    from densevl.core.errors import UnknownNameError
    from densevl.tasks.load import require_field

    if name == "auto":
        return
    try:
        require_field(name, "segmentation")
    except UnknownNameError:
        kind, kinds = "config or kind of evaluation", kind_names()
        error = unknown_model(name, "segmentation", kind=kind, others=["auto", *kinds])
        if error.near:
            raise error from None
        wanted = f"a model on a data set such as maskclip-lite-camvid, a .py config, auto, or one of {', '.join(kinds)}"
        raise UsageError(f"unknown {kind} '{name}': expected {wanted}. See `densevl models list --datasets`.") from None
