"""`densevl masks SOURCE --out DIR`: every thing in pictures as a mask, without words."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from densevl.cli.segment import find_inputs, finish, go_offline
from densevl.core.files import require_writable

if TYPE_CHECKING:
    from densevl.tasks.mask_generator import MaskGenerator, MaskSettings

HELP = "find the things in pictures as masks, without words (Segment Anything)"
MODELS = ("vit_b", "vit_l", "vit_h")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("source", metavar="SOURCE", help="picture, clip, folder, glob, list file, or - for stdin")
    parser.add_argument("--out", type=Path, required=True, help="output folder; the same command goes on")
    model = parser.add_argument_group("the model")
    model.add_argument("--model", choices=MODELS, default="vit_b", help="size of SAM (vit_b)")
    model.add_argument("--weights", help="a file of that size; else the published one")
    model.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    model.add_argument("--offline", action="store_true", help="never download")
    masks = parser.add_argument_group("the masks")
    masks.add_argument("--points", type=int, default=32, help="ask SAM at N x N points (32)")
    masks.add_argument("--iou", type=float, default=0.88, help="least predicted IoU of a mask (0.88)")
    masks.add_argument("--stability", type=float, default=0.95, help="least IoU of a mask at two cuts (0.95)")
    masks.add_argument("--min-area", type=int, default=0, help="remove pieces and holes below N pixels (0)")
    run = parser.add_argument_group("the run")
    run.add_argument("--every", type=int, metavar="N", help="take every N-th frame of a clip (one a second)")
    run.add_argument("--on-error", choices=("skip", "stop"), default="skip", help="an unreadable picture (skip)")
    run.add_argument("--json", action="store_true", help="one JSON object on stdout at the end")


def run(args: argparse.Namespace) -> int:
    """Run the verb; everything cheap is checked before the model is loaded."""
    from tqdm import tqdm

    from densevl.tasks.mask_generator import MaskSettings
    from densevl.tasks.mask_run import MaskRun

    settings = MaskSettings(args.points, args.iou, args.stability, args.min_area)
    source = find_inputs(args)
    require_writable(args.out)
    generator, device = load_generator(args, settings)
    mask_run = MaskRun(generator, source, device=device, on_error=args.on_error)
    with tqdm(total=len(source), unit="picture", file=sys.stderr, dynamic_ncols=True) as bar:
        result = mask_run.run(args.out, progress=bar.update)
    return finish(result, as_json=args.json, document="summary.csv")


def load_generator(args: argparse.Namespace, settings: MaskSettings) -> tuple[MaskGenerator, str]:
    """The generator that the flags ask for, and the kind of device it is on."""
    from densevl.backbones import load_sam
    from densevl.engine.runtime import pick_device
    from densevl.tasks.mask_generator import MaskGenerator
    from densevl.weights import hash_module

    if args.offline:
        go_offline()
    device = pick_device(args.device)
    name = f"sam-{args.model.replace('_', '-')}"
    sam = load_sam(name, weights=args.weights).to(device)
    print(f"densevl: model {name}, on {device}", file=sys.stderr)
    return MaskGenerator(sam, settings, header={"model": name, "weights": hash_module(sam)[:16]}), device.type
