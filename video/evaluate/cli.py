"""`densevl eval clips ...`: accuracies of a video model on a list of clips, or on the lists of a published protocol."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densevl.core.errors import EXIT_DONE, EXIT_PARTIAL, UsageError
from densevl.engine.runtime import BATCH_ON_GPU
from video.cli import add_model_arguments, load_classifier
from video.evaluate.protocols import PROTOCOLS

if TYPE_CHECKING:
    from densevl.engine.ranks import Ranks
    from densevl.engine.shards import Part
    from video.classifier import VideoClassifier
    from video.evaluate.plan import EvaluationPlan, PlannedList

HELP = "score a video model on labelled clips: top-1, top-5, mean class accuracy"
_POLICIES = ("raise", "skip", "count-as-wrong")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--data", type=Path, required=True, metavar="ROOT", help="where the clips' paths start from")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="output; the same command goes on")
    what = parser.add_argument_group("what is scored")
    what.add_argument("--list", type=Path, metavar="FILE", help="labelled clips; absent: folders of ROOT are classes")
    what.add_argument("--classes", metavar="FILE", help="class names in the order of their labels")
    what.add_argument("--protocol", metavar="NAME", help=f"published lists: {', '.join(PROTOCOLS)}")
    what.add_argument("--lists", type=Path, metavar="DIR", help="where the lists of the protocol lie (ROOT)")
    what.add_argument(
        "--on-error", choices=_POLICIES, default="count-as-wrong", help="a clip that cannot be read (count-as-wrong)"
    )
    model = add_model_arguments(parser)
    model.add_argument("--views", metavar="VxC", help="clips x crops, such as 4x3 (the protocol's, or the model's)")
    model.add_argument("--frames", type=int, metavar="T", help="frames a view (the protocol's, or the model's)")
    run = parser.add_argument_group("the run")
    run.add_argument("--batch-size", type=int, metavar="N", help=f"views in a pass (1; {BATCH_ON_GPU} on a GPU)")
    run.add_argument("--workers", type=int, default=2, metavar="N", help="clips decoded at a time (2)")
    run.add_argument("--shard", metavar="I/N", help="every N-th clip from the I-th on; all shards share one DIR")
    run.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Score, write, print; everything cheap is checked before the model is loaded.

    Returns:
        0; 6 where some clips could not be read and all parts are through.

    Raises:
        UsageError: flags that do not fit. DataError: lists, classes or clips that are not there.
    """
    from densevl.core.files import require_writable
    from densevl.engine.ranks import join_ranks, rank_device
    from densevl.engine.runtime import pick_batch_size, pick_device
    from densevl.engine.shards import read_shard

    part = read_shard(args.shard)
    for flag, number in (("--batch-size", args.batch_size), ("--workers", args.workers)):
        if number is not None and number < 1:
            raise UsageError(f"{flag} {number}: expected a whole number of at least 1")
    plan = _plan(args)
    require_writable(args.out)
    device = rank_device(args.device)
    with join_ranks(pick_device(device)) as ranks:
        classifier = load_classifier(args, device, plan.views)
        classifier.view_batch = pick_batch_size(args.batch_size, classifier.device)
        results = {planned.name: _evaluate(args, classifier, planned, part=part, ranks=ranks) for planned in plan.lists}
        return finish(args, plan, results) if ranks.leads else EXIT_DONE


def _plan(args: argparse.Namespace) -> EvaluationPlan:
    from video.evaluate.plan import make_plan, plan_protocol

    if args.protocol is None:
        if args.lists is not None:
            raise UsageError("--lists is for --protocol; a single list is --list FILE")
        return make_plan(args.data, clip_list=args.list, classes=args.classes, views=args.views, frames=args.frames)
    if args.list is not None or args.classes is not None:
        raise UsageError("--protocol has lists and classes of its own: leave --list and --classes out")
    return plan_protocol(args.protocol, args.data, lists=args.lists, views=args.views, frames=args.frames)


def _evaluate(
    args: argparse.Namespace, classifier: VideoClassifier, planned: PlannedList, *, part: Part, ranks: Ranks
) -> dict[str, Any]:
    """The metrics of one list, or how much of it is scored while other shards are not through."""
    from tqdm import tqdm

    from video.evaluate.reading import ViewReader
    from video.evaluate.run import ClipEvaluation

    part = part.among(ranks)
    if planned.missing and ranks.leads:
        print(f"densevl: {planned.missing} of {len(planned.clips)} clips are missing", file=sys.stderr)
    out, reader = args.out / planned.name, ViewReader(classifier.views, args.workers)
    evaluation = ClipEvaluation(classifier, planned.clips, reader=reader, policy=args.on_error, card=planned.card)
    count = len(part.of(range(len(planned.clips))))
    hidden = None if ranks.leads else True  # None: silent unless stderr is a terminal
    with tqdm(total=count, unit="clip", desc=planned.name or None, disable=hidden, file=sys.stderr) as bar:
        evaluation.score(out, part, progress=bar.update)
    ranks.gather(None)  # every journal is whole
    if not ranks.leads:
        return {}
    return evaluation.report(out) or {"scored": len(evaluation.records(out)), "listed": len(planned.clips)}


def finish(args: argparse.Namespace, plan: EvaluationPlan, results: Mapping[str, Mapping[str, Any]]) -> int:
    """Combine, write and print.

    Returns:
        The exit code.
    """
    from densevl.engine.documents import write_json
    from video.evaluate.protocols import combine

    complete = all("listed" not in value for value in results.values())
    document: dict[str, Any] = {"out": str(args.out), "complete": complete}
    if plan.protocol is None or plan.protocol.combine == "single":
        document |= results[""]
    else:
        document |= {"protocol": args.protocol, "splits": results}
        if complete:
            document["combined"] = combine(plan.protocol, results)
            write_json(args.out / "metrics.json", {key: document[key] for key in ("protocol", "combined", "splits")})
    print(json.dumps(document, ensure_ascii=False) if args.json else _as_text(document, results))
    failed = any(value.get("unanswered") or value.get("skipped") for value in results.values())
    return EXIT_PARTIAL if failed else EXIT_DONE


def _as_text(document: Mapping[str, Any], results: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [_line(name, value) for name, value in results.items()]
    if "combined" in document:
        figures = document["combined"].items()
        rows.append(", ".join(f"{name.replace('_', ' ')} {_cell(value)}" for name, value in figures))
    rows.append(f"see {document['out']}" if document["complete"] else "the figures come with the last shard")
    return "\n".join(rows)


def _line(name: str, value: Mapping[str, Any]) -> str:
    head = f"{name}: " if name else ""
    if "listed" in value:
        return f"{head}{value['scored']} of {value['listed']} clips are scored"
    top = f"top-{value['top5_of']} {_cell(value['top5'])}"
    text = f"{head}top-1 {_cell(value['top1'])}, {top}, mean class {_cell(value['mean_class'])} (per cent)"
    text += f"; {value['answered']} of {value['counted'] + value['skipped']} clips answered"
    lost = [
        f"{value[key]} {word}"
        for key, word in (("unanswered", "counted as wrong"), ("skipped", "skipped"))
        if value[key]
    ]
    return f"{text}, {', '.join(lost)}: see failed.csv" if lost else text


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
