"""`densevl demo`: label real pictures that installed packages carry, and say where to look."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from densevl.cli.segment import add_model_arguments, finish, load_segmenter, run_with_progress
from densevl.core.errors import SourceError
from densevl.core.files import write_atomic

HELP = "label a few real pictures and open the gallery"
PICTURES = {
    "skimage": ("data/chelsea.png", "data/coffee.png", "data/rocket.jpg", "data/astronaut.png"),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
CLASSES = (
    "cat; flower, blossom; leaf, leaves; temple, pagoda; tree, trees; sky; rocket, space shuttle; tower, mast; "
    "cup, coffee cup; spoon; wood, wooden table; astronaut, space suit; face, hair; flag"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--out", type=Path, default=Path("densevl-demo"), help="output folder (densevl-demo)")
    add_model_arguments(parser)
    parser.set_defaults(model="lite")


def collect_pictures(folder: Path) -> None:
    """Copy the demo pictures that are installed into a folder.

    Raises:
        SourceError: none of the packages is installed. OutputError: the folder cannot be written.
    """
    found = 0
    for package, files in PICTURES.items():
        spec = importlib.util.find_spec(package)
        for file in files if spec is not None and spec.origin is not None else ():
            path = Path(str(spec and spec.origin)).parent / file
            if path.is_file():
                write_atomic(folder / path.name, path.read_bytes())
                found += 1
    if not found:
        raise SourceError(
            "the demo pictures come with scikit-image and scikit-learn, and neither is installed: "
            "pip install 'densevl[lite]'"
        )


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from densevl.data.folders import open_source
    from densevl.vocab import parse_classes

    segmenter = load_segmenter(args)
    pictures = args.out / "pictures"
    collect_pictures(pictures)
    from densevl.tasks.folder_run import FolderRun, RunOptions

    folder_run = FolderRun(segmenter, open_source(str(pictures)), parse_classes(CLASSES), options=RunOptions())
    code = finish(run_with_progress(folder_run, args.out), as_json=False)
    print(f"Look at {(args.out / 'report.html').resolve().as_uri()}")
    print(f"Your own pictures: densevl segment PHOTOS --classes 'road; car, automobile; sky' --out {args.out}-mine")
    return code
