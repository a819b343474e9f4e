"""`densevl train CONFIG --data DIR --out DIR`: train a method on a folder of pictures; killed runs go on exactly."""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densevl.core.errors import EXIT_DONE, EXIT_INTERRUPTED, UsageError

if TYPE_CHECKING:
    from densevl.engine.trainer import Trainer

HELP = "train a method on a folder of pictures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "config", metavar="CONFIG", type=Path, help="a training config, such as train_clip_dinoiser_b16.py"
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of pictures, with sub-folders; no labels needed"
    )
    parser.add_argument("--out", type=Path, help="folder of the run: checkpoints, train.jsonl, last.pt")
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="PATH", help="go on from --out, or from this checkpoint or run"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change the config, dotted keys"
    )
    parser.add_argument("--log", default="jsonl", help="jsonl, or jsonl,tb for TensorBoard too")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "fp16", "bf16"))
    parser.add_argument(
        "--dry-run", action="store_true", help="shapes, trained parameters, memory, one step; write nothing"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout at the end")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    assignments = parse_assignments(args.set)
    tensorboard = parse_log(args.log)
    if args.out is None and not args.dry_run:
        raise UsageError("--out DIR is missing: say where the run should be (or --dry-run)")
    refuse_another_run(args)
    from densevl.core.config import override, read_config
    from densevl.engine.runtime import pick_device, pick_precision
    from densevl.tasks.train import make_trainer

    device = pick_device(args.device)
    config = override(read_config(args.config), assignments).to_dict()
    dtype = pick_precision(args.precision, device)
    trainer = make_trainer(config, data=args.data, out=args.out or Path(), device=device, dtype=dtype)
    if args.dry_run:
        return show(try_once(trainer), as_json=args.json)
    return train(args, trainer, tensorboard=tensorboard, batches=len_of_epoch(config, trainer))


def train(args: argparse.Namespace, trainer: Trainer, *, tensorboard: bool, batches: int) -> int:
    """Train under a progress bar, and write the release at the end; 130 when stopped before."""
    from tqdm import tqdm

    from densevl.tasks.train import write_release

    with (
        tqdm(total=trainer.plan.iterations, unit="update", file=sys.stderr, dynamic_ncols=True) as bar,
        closing(open_tensorboard(args.out)) if tensorboard else nullcontext() as board,
    ):
        result = trainer.run(resume=resume_place(args), progress=bar.update, report=reporter(board))
    if result.stopped:
        print(
            f"densevl: stopped after update {result.iteration}; go on with the same command and --resume",
            file=sys.stderr,
        )
        return EXIT_INTERRUPTED
    last = write_release(trainer, result.iteration // batches)
    return show({"iteration": result.iteration, "losses": dict(result.losses), "last": str(last)}, as_json=args.json)


def parse_assignments(items: Sequence[str]) -> dict[str, Any]:
    """`plan.iterations=10` -> {"plan.iterations": 10}; what is no Python literal is a string."""
    assignments = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not equals or not key:
            raise UsageError(f"--set {item}: expected KEY=VALUE, such as plan.iterations=1000")
        try:
            assignments[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            assignments[key] = text
    return assignments


def parse_log(text: str) -> bool:
    """Whether TensorBoard is asked for beside the JSON lines, which are always written."""
    words = {word.strip() for word in text.split(",")}
    if not words <= {"jsonl", "tb"}:
        raise UsageError(f"--log {text}: expected jsonl, or jsonl,tb")
    return "tb" in words


def refuse_another_run(args: argparse.Namespace) -> None:
    """A folder that holds a run is only gone on with, never written over."""
    from densevl.engine.checkpoint import NEWEST, PREVIOUS

    if args.dry_run or not any((args.out / name).exists() for name in (NEWEST, PREVIOUS)):
        return  # a log without a checkpoint is of a run killed early: nothing to go on from, nothing to lose
    place = resume_place(args)
    if place is None or args.out.resolve() not in (place.resolve(), place.resolve().parent):
        raise UsageError(f"{args.out} holds a run already: --resume goes on with it, or choose another --out")


def resume_place(args: argparse.Namespace) -> Path | None:
    """Where a run goes on from: --out where --resume names nothing else."""
    return None if args.resume is None else Path(args.resume or args.out)


def open_tensorboard(out: Path) -> Any:
    """A writer of TensorBoard's events in the folder of the run.

    Raises:
        UsageError: the package is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError("--log tb needs TensorBoard: pip install tensorboard") from error
    return SummaryWriter(str(out))


def reporter(board: Any) -> Callable[[Mapping[str, Any]], object]:
    """What is done with a line of the log beside writing it."""

    def report(line: Mapping[str, Any]) -> None:
        """Losses and rates to TensorBoard, where it is asked for."""
        if board is not None:
            for name, value in line["losses"].items():
                board.add_scalar(f"loss/{name}", value, line["iteration"])
            for place, rate in enumerate(line["rates"]):
                board.add_scalar(f"rate/{place}", rate, line["iteration"])

    return report


def try_once(trainer: Trainer) -> dict[str, Any]:
    """What one step takes, and the most memory this process used."""
    from densevl.engine.runtime import peak_memory

    found = trainer.try_once()
    return {**found, "peak_memory_mb": round(peak_memory(trainer.device) / 2**20)}


def len_of_epoch(config: Mapping[str, Any], trainer: Trainer) -> int:
    """Updates of an epoch."""
    return -(-int(trainer.settings["pictures"].split()[0]) // int(config["data"]["batch_size"]))


def show(found: Mapping[str, Any], *, as_json: bool) -> int:
    """Print what was found or done."""
    if as_json:
        print(json.dumps(found))
    else:
        for key, value in found.items():
            print(f"{key.replace('_', ' '):>20}  {value}")
    return EXIT_DONE
