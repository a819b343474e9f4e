"""Configs: find one, read one (mmengine's Config), build what it says by dotted path.

A config is a Python file with `_base_` inheritance. `dict(type="densevl.heads.CosineHead", logit_scale=100.0)` builds
that class with those arguments, inner dicts first; lists are built item by item. What stands in
`parts = dict(clip_model=dict(type=...))` is built first and shared: `"$clip_model"` stands for the object. There is no
registry: a class's path is its name. A model's name is its file's: `maskclip-b16` is `configs/**/maskclip_b16.py`, and
`maskclip_b16_voc21.py` beside it is that model on a data set.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densevl.core.errors import ConfigError, DensevlError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from mmengine.config import Config

ALIASES = {"lite": "maskclip-lite"}


def config_folder() -> Path:
    """The folder of the configs we ship: inside the wheel, or beside the package in a checkout."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def _data_set_names() -> tuple[str, ...]:
    """The data sets that models are evaluated on by name, such as voc21: `configs/_base_/datasets/*.py`."""
    return tuple(sorted(path.stem for path in config_folder().glob("_base_/datasets/*.py")))


def model_configs(field: str = "*") -> dict[str, Path]:
    """Every model we ship, or those of one folder such as `segmentation`, by name; none of `dataset_configs`."""
    return {name: path for name, path in _named_configs(field).items() if not _is_of_data_set(path)}


def dataset_configs(field: str = "*") -> dict[str, Path]:
    """Every model on a data set, with the settings it was published with there, by name: `trident-b16-voc21`."""
    return {name: path for name, path in _named_configs(field).items() if _is_of_data_set(path)}


def _named_configs(field: str) -> dict[str, Path]:
    """By name, but for `train_...` files, which train a model."""
    files = sorted(config_folder().glob(f"{field}/*/*.py"))
    named = (path for path in files if "_base_" not in path.parts and not path.stem.startswith("train_"))
    return {path.stem.replace("_", "-"): path for path in named}


def _is_of_data_set(path: Path) -> bool:
    return path.stem.endswith(tuple(f"_{name}" for name in _data_set_names()))


def find_config(name_or_path: str | Path) -> Path:
    """The file of a model name or the file itself; `configs/...` is also looked for among the configs we ship.

    Raises:
        UnknownNameError: neither a model of ours, on a data set or not, nor a file; names the nearest.
    """
    path = Path(name_or_path)
    if path.suffix == ".py":
        shipped = config_folder().parent / path
        for place in (path, shipped) if path.parts[0] == "configs" else (path,):
            if place.is_file():
                return place
        raise ConfigError(f"no config file {path}: give a .py config, or a model name (densevl models list)")
    name = ALIASES.get(str(name_or_path), str(name_or_path))
    named = _named_configs("*")
    if name not in named:
        raise unknown_model(str(name_or_path))
    return named[name]


def unknown_model(name: str, field: str = "*", *, kind: str = "model", others: Iterable[str] = ()) -> UnknownNameError:
    """The error for a name that no model of a field has: the nearest of all names, else those of the models alone.

    Args:
        name: what was asked for.
        field: folder of the models, such as `segmentation`.
        kind: what the name should have been.
        others: names that would have done as well.
    """
    models = model_configs(field)
    known = [*models, *(alias for alias, full in ALIASES.items() if full in models), *others]
    near = difflib.get_close_matches(name, [*known, *dataset_configs(field)], n=3, cutoff=0.5)
    return UnknownNameError(kind, name, near or known, "See `densevl models list`.")


def read_config(name_or_path: str | Path) -> Config:
    """Read a config with its bases.

    Raises:
        ConfigError: the file is no valid config.
    """
    from mmengine.config import Config

    path = find_config(name_or_path)
    try:
        return Config.fromfile(str(path))
    except Exception as error:  # a config is code: whatever it raises is the user's to see
        raise ConfigError(f"{path} cannot be read as a config: {type(error).__name__}: {error}") from error


def import_path(dotted: str) -> Any:
    """The object at a dotted path such as `densevl.heads.CosineHead`.

    Raises:
        ConfigError: no such module or name; names the nearest.
    """
    module_name, _, attribute = dotted.rpartition(".")
    if not module_name:
        raise ConfigError(f"type='{dotted}' must be a dotted path such as 'densevl.heads.CosineHead'")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise
        raise ConfigError(f"type='{dotted}': there is no module {module_name}") from error
    if not hasattr(module, attribute):
        near = difflib.get_close_matches(attribute, dir(module), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "see the module's __all__."
        raise ConfigError(f"type='{dotted}': {module_name} has no '{attribute}'; {hint}")
    return getattr(module, attribute)


def build(node: Any, parts: Mapping[str, Any] | None = None) -> Any:
    """Build a config node: dicts with `type` become objects, inner ones first; everything else is copied.

    Args:
        node: what to build.
        parts: built objects; the string `$name` stands for one, so that two parts can share it.

    Raises:
        ConfigError: unknown type, unknown part, or arguments it does not take.
    """
    if isinstance(node, str) and node.startswith("$"):
        if node[1:] not in (parts or {}):
            raise ConfigError(f"'{node}' names no part; there are: {', '.join(parts or {}) or 'none'}")
        return (parts or {})[node[1:]]
    if isinstance(node, Mapping):
        built = {key: build(value, parts) for key, value in node.items() if key != "type"}
        return _construct(node["type"], built) if "type" in node else built
    if isinstance(node, (list, tuple)):
        return type(node)(build(value, parts) for value in node)
    return node


def build_model(config: Mapping[str, Any]) -> Any:
    """Build `config.model` over its shared `config.parts`, which are built first, in order."""
    if "model" not in config:
        raise ConfigError("the config has no `model = dict(type=...)`")
    parts: dict[str, Any] = {}
    for name, node in config.get("parts", {}).items():
        parts[name] = build(node, parts)
    return build(config["model"], parts)


def _construct(kind: Any, arguments: dict[str, Any]) -> Any:
    target = import_path(kind) if isinstance(kind, str) else kind
    try:
        return target(**arguments)
    except DensevlError:
        raise
    except TypeError as error:
        name = kind if isinstance(kind, str) else kind.__name__
        raise ConfigError(f"cannot build {name}({', '.join(arguments)}): {error}") from error


def override(config: Config, assignments: Mapping[str, Any]) -> Config:
    """Set dotted keys (`model.head.logit_scale`) and return the config.

    Raises:
        UsageError: the part that a key speaks of, or a key at the top, is not in the config.
    """
    for key in assignments:
        node: Any = config.to_dict()
        *parents, leaf = key.split(".")
        if not parents and leaf not in node:
            raise UnknownNameError("config key", leaf, node, "Inner keys are dotted, such as model.head.logit_scale.")
        for depth, name in enumerate(parents):
            if not isinstance(node, Mapping) or name not in node:
                place = ".".join(parents[:depth]) or "the config"
                there = ", ".join(node) if isinstance(node, Mapping) else repr(node)
                raise UsageError(f"cannot set {key}: {place} has no '{name}', only {there}")
            node = node[name]
    config.merge_from_dict(dict(assignments))
    return config
