"""`densevl models list|show NAME|verify [NAME]`: which models there are, and where their weights lie."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from densevl.core.errors import EXIT_DONE, UsageError, WeightsError

if TYPE_CHECKING:
    from densevl.weights import WeightsRow

HELP = "list the models, show one, or verify the hashes of weights"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("action", choices=("list", "show", "verify"), help="list all, show one, verify hashes")
    parser.add_argument("name", nargs="?", metavar="NAME", help="a model, or weights, by name")
    parser.add_argument("--datasets", action="store_true", help="list the models on data sets, for `densevl eval`")
    parser.add_argument("--json", action="store_true", help="JSON on stdout")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    if args.datasets and args.action != "list":
        raise UsageError("--datasets is for `models list`")
    if args.action == "list":
        if args.name is not None:
            raise UsageError(f"`models list` takes no name; did you mean `models show {args.name}`?")
        return list_on_datasets(as_json=args.json) if args.datasets else list_models(as_json=args.json)
    if args.action == "show":
        if args.name is None:
            raise UsageError("`models show` needs the NAME of a model; `models list` lists them")
        return show_model(args.name, as_json=args.json)
    return verify_weights(args.name, as_json=args.json)


def list_models(*, as_json: bool) -> int:
    """Print every model with its weights: found where, or missing."""
    models = [_describe(name) for name in _model_names()]
    if as_json:
        print(json.dumps(models, indent=2))
        return EXIT_DONE
    rows = [("MODEL", "WEIGHTS", "SIZE", "LICENCE", "WHERE")]
    for model in models:
        rows += [
            (model["name"], weights["name"], _size(weights["size"]), weights["licence"], weights["path"] or "missing")
            for weights in model["weights"]
        ] or [(model["name"], "none", "", "", "")]
    _print_table(rows)
    print("\nWith the settings published for a data set, such as trident-b16-voc21: densevl models list --datasets")
    return EXIT_DONE


def list_on_datasets(*, as_json: bool) -> int:
    """Print every config of a model on a data set, and what it is."""
    from densevl.core.config import dataset_configs

    about = {name: _first_line(path.read_text(encoding="utf-8")) for name, path in dataset_configs().items()}
    if as_json:
        print(json.dumps(about, indent=2))
    else:
        _print_table([("MODEL ON A DATA SET", "ABOUT"), *about.items()])
    return EXIT_DONE


def show_model(name: str, *, as_json: bool) -> int:
    """Print one model: its config, its parts, its weights with source and hash."""
    model = _describe(name)
    if as_json:
        print(json.dumps(model, indent=2))
        return EXIT_DONE
    print(f"{model['name']}: {model['about']}")
    print(f"  config   {model['config']}")
    for part in model["parts"]:
        print(f"  part     {part}")
    for weights in model["weights"]:
        print(f"  weights  {weights['name']} (size {_size(weights['size'])}, licence {weights['licence']})")
        print(f"           {weights['path'] or 'missing'}")
        print(f"           from {weights['source']}, sha256 {weights['sha256'] or 'not known'}")
    return EXIT_DONE


def verify_weights(name: str | None, *, as_json: bool) -> int:
    """Hash the weights of a model (or of all) and compare; exit code 4 when one is wrong, or a named one is missing."""
    from densevl.weights import locate, verify

    checks = [verify(weights) for weights in _weights_of(name)]
    if as_json:
        print(json.dumps([{**vars(check), "path": str(check.path or ""), "state": check.state} for check in checks]))
    else:
        _print_table([("WEIGHTS", "STATE", "FILE"), *((c.name, c.state, str(c.path or "")) for c in checks)])
    wrong = [f"{check.name} ({check.path})" for check in checks if check.state == "wrong"]
    if wrong:
        raise WeightsError(f"not the published file: {', '.join(wrong)}; remove it and get it again")
    for check in checks:
        if name is not None and check.state == "missing":
            locate(check.name, offline=True)  # raises, and says where it looked
    return EXIT_DONE


def _model_names() -> list[str]:
    from densevl.core.config import model_configs

    return list(model_configs())


def _weights_of(name: str | None) -> list[str]:
    from densevl.core.config import ALIASES, dataset_configs, model_configs, read_config, unknown_model
    from densevl.weights import TABLE

    if name is None:
        return list(TABLE)
    if name in TABLE:
        return [name]
    if ALIASES.get(name, name) not in model_configs() | dataset_configs():
        raise unknown_model(name, kind="model or weights", others=TABLE)
    return list(read_config(name).get("weights", []))


def _describe(name: str) -> dict[str, Any]:
    from densevl.core.config import find_config, read_config
    from densevl.weights import get_row

    path, config = find_config(name), read_config(name)
    return {
        "name": path.stem.replace("_", "-"),
        "about": _first_line(path.read_text(encoding="utf-8")),
        "config": str(path),
        "parts": _types(config.to_dict()),
        "weights": [_describe_weights(get_row(weights)) for weights in config.get("weights", [])],
    }


def _describe_weights(row: WeightsRow) -> dict[str, Any]:
    from densevl.weights import find

    path = find(row)
    return {
        "name": row.name,
        "path": str(path) if path is not None else None,
        "size": row.size if path is None else path.stat().st_size,
        "licence": row.licence,
        "source": row.source,
        "sha256": row.sha256,
    }


def _types(node: Any) -> list[str]:
    """The dotted paths of everything a config builds, outer ones first."""
    if isinstance(node, dict):
        own = [node["type"]] if isinstance(node.get("type"), str) else []
        return own + [kind for value in node.values() for kind in _types(value)]
    if isinstance(node, (list, tuple)):
        return [kind for value in node for kind in _types(value)]
    return []


def _first_line(text: str) -> str:
    return text.partition('"""')[2].partition('"""')[0].strip().partition("\n")[0]


def _size(size: int | None) -> str:
    return "not known" if size is None else f"{size / 1e6:.0f} MB"


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
