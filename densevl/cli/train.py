"""`densevl train CONFIG --data DIR --out DIR`: train a method on a folder of data; killed runs go on exactly."""

from __future__ import annotations

import argparse
import ast
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densevl.core.errors import EXIT_DONE, EXIT_INTERRUPTED, UsageError

if TYPE_CHECKING:
    from densevl.engine.trainer import Trainer

HELP = "train a method on a folder of data"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "config", metavar="CONFIG", type=Path, help="a training config, such as train_clip_dinoiser_b16.py"
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the training data, with sub-folders: pictures, or clips"
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
        "--dry-run", action="store_true", help="shapes, trained parameters, memory, one step; write nothing into --out"
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
    from densevl.engine.ranks import join_ranks, rank_device
    from densevl.engine.runtime import pick_device, pick_precision
    from densevl.tasks.train import make_trainer

    device = pick_device(rank_device(args.device))
    config = override(read_config(args.config), assignments).to_dict()
    if "plan.epochs" in assignments and "iterations" in config.get("plan", {}):
        raise UsageError("--set plan.epochs: this plan counts plan.iterations; set those")
    dtype = pick_precision(args.precision, device)
    with join_ranks(device) as ranks:
        out = args.out or Path()
        trainer = make_trainer(config, data=args.data, out=out, device=device, dtype=dtype, ranks=ranks)
        if args.dry_run:
            found, code = try_once(trainer), EXIT_DONE
        else:
            found, code = train(args, trainer, tensorboard=tensorboard and ranks.leads)
    return code if not ranks.leads else show(found, code, as_json=args.json)


def train(args: argparse.Namespace, trainer: Trainer, *, tensorboard: bool) -> tuple[dict[str, Any], int]:
    """Train under a progress bar; what came of it, and 130 where it was stopped before its end."""
    from tqdm import tqdm

    if tensorboard:
        require_tensorboard()
    with (
        tqdm(
            total=trainer.plan.iterations,
            unit="update",
            file=sys.stderr,
            dynamic_ncols=True,
            disable=not trainer.ranks.leads,
        ) as bar,
        closing(Board(args.out)) if tensorboard else nullcontext() as board,
    ):
        result = trainer.run(resume=resume_place(args), progress=bar.update, report=board or (lambda line: None))
    found: dict[str, Any] = {"iteration": result.iteration, "losses": dict(result.losses)}
    if result.best:
        best = args.out / "best.pt"  # where a run from elsewhere goes on, it may still be there
        found["best"] = {**result.best, **({"weights": str(best)} if best.exists() else {})}
    if not result.stopped:
        return {**found, "last": str(args.out / "last.pt")}, EXIT_DONE
    print(
        f"densevl: stopped after update {result.iteration}; go on with the same command and --resume", file=sys.stderr
    )
    return found, EXIT_INTERRUPTED


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


def require_tensorboard() -> None:
    """Refuse --log tb at once where the package is not installed."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise UsageError("--log tb needs TensorBoard: pip install tensorboard") from error


class Board:
    """Writes the lines of the log as TensorBoard's events; those behind a checkpoint gone on from are cut there too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.writer: Any = None

    def __call__(self, line: Mapping[str, Any]) -> None:
        """Losses, rates and figures of a validation."""
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(self.folder), purge_step=line["iteration"])
        for kind in ("losses", "validation"):
            for name, value in line.get(kind, {}).items():
                self.writer.add_scalar(f"{kind}/{name}", value, line["iteration"])
        for place, rate in enumerate(line["rates"]):
            self.writer.add_scalar(f"rates/{place}", rate, line["iteration"])

    def close(self) -> None:
        """Write what is left."""
        if self.writer is not None:
            self.writer.close()


def try_once(trainer: Trainer) -> dict[str, Any]:
    """What one step takes, and the most memory this process used."""
    from densevl.engine.runtime import peak_memory

    found = trainer.try_once()
    return {**found, "peak_memory_mb": round(peak_memory(trainer.updater.device) / 2**20)}


def show(found: Mapping[str, Any], code: int, *, as_json: bool) -> int:
    """Print what was found or done; the exit code."""
    if as_json:
        print(json.dumps(found))
        return code
    for key, value in found.items():
        print(f"{key.replace('_', ' '):>20}  {value}")
    return code
