"""The protocol card: everything beside the data's bytes that decides a figure, so that two figures can be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from densevl.core.files import sha256_bytes
from densevl.tasks.geometry import read_geometry
from densevl.vocab import load_templates
from densevl.weights import hash_module

if TYPE_CHECKING:
    from torch import nn

    from densevl.core.stages import LabelledSet
    from densevl.tasks.protocol import Protocol
    from densevl.tasks.segmenter import Segmenter

_PLACES = ("list", "set", "pretrained", "config_sha256")  # beside hashes of what lies there


def describe_model(task: Any) -> dict[str, Any]:
    """Name, hash of the tensors as loaded, config, normalisation, precision, device.

    Args:
        task: a model that `densevl.load` gave.
    """
    return {
        "model": task.name,
        "weights": hash_module(task),
        "config": task.config_text,
        "normalisation": _normalisation(task),
        "precision": str(task.dtype).removeprefix("torch."),
        "device": task.device.type,
    }


def describe_segmenter(segmenter: Segmenter, config: Mapping[str, Any]) -> dict[str, Any]:
    """The model, how pictures meet it, and what refines its answers.

    Args:
        segmenter: the model.
        config: its config, as it was loaded.
    """
    model = config["model"]
    parts = {"parts": config.get("parts", {}), "model": model}
    told = describe_model(segmenter)
    geometry = read_geometry(config)
    return {
        **{key: value for key, value in told.items() if key != "config"},
        "config_sha256": _hash(parts),
        "config": parts,
        "resize": {
            "rule": "aspect kept, bilinear; labels at the picture's own size",
            "short_side": geometry["short_side"],
            "longest_side": geometry["longest_side"],
        },
        "window": geometry["window"] or "whole picture",
        "stride": (geometry["stride"] or "half a window") if geometry["window"] else None,
        "refinement": [refiner["type"].rpartition(".")[2] for refiner in _refiners(model)],
    }


def describe_protocol(protocol: Protocol, segmenter: Segmenter) -> dict[str, Any]:
    """What the model is asked with."""
    classes = protocol.classes
    words = [[name, *queries] for name, queries in zip(classes.names, classes.synonyms, strict=True)]
    templates = protocol.templates or segmenter.text_encoder.templates
    return {
        "like": protocol.like,
        "words": {
            "list": classes.source,
            "sha256": _hash(words),
            "classes": len(classes),
            "queries": len(classes.queries),
        },
        "templates": {"set": str(templates), "sha256": _hash(list(load_templates(templates)))},
        "background": _background(protocol, segmenter),
        "threshold": protocol.threshold if isinstance(protocol.threshold, float | int) else dict(protocol.threshold),
    }


def describe_set(dataset: LabelledSet, section: Mapping[str, Any]) -> dict[str, Any]:
    """Which data, and how its annotations are read.

    Args:
        dataset: the data set.
        section: the `data` section of the config.
    """
    rule = {key: section[key] for key in ("split", "reduce_zero_label", "ignore") if section.get(key)}
    if getattr(dataset, "reduce_zero_label", False):  # the class of a data set may say so, and not the section
        rule["reduce_zero_label"] = True
    names = "\n".join(dataset.class_names)
    return {
        "name": dataset.name,
        **rule,
        "ignore_index": dataset.ignore_index,
        "classes": {"list": str(section.get("classes", "")), "sha256": sha256_bytes(names.encode())},
        "config": {key: value for key, value in section.items() if key not in ("root", "name", "classes", *rule)},
    }


def fingerprint(card: Mapping[str, Any]) -> str:
    """Hex sha256 of all on a card that decides figures; not of the places where lists and weights lie."""
    return _hash(_without_places(card))


def _without_places(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_places(item) for key, item in value.items() if key not in _PLACES}
    return [_without_places(item) for item in value] if isinstance(value, list | tuple) else value


def _background(protocol: Protocol, segmenter: Segmenter) -> str:
    """What becomes background, in words."""
    classes, found = protocol.classes, _has_found_rule(segmenter)
    index = classes.background_index
    if index is None:
        return "none"
    name, words = classes.names[index], classes.synonyms[index]
    if words == (name,):
        rule = "rivals (shipped words of scenes and stuff)" if segmenter.rivals else "its bare name"
    else:
        rule = f"words ({len(words)})"
    rules = [rule, *(["found rule"] if found else []), *(["threshold"] if protocol.threshold else [])]
    return f"'{name}': {' and '.join(rules)}"


def _has_found_rule(segmenter: Segmenter) -> bool:
    return any(type(refiner).__name__ == "FoundRule" for refiner in segmenter.score_refiners)


def _refiners(model: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [*model.get("refiners", ()), *model.get("score_refiners", ())]


def _hash(value: Any) -> str:
    return sha256_bytes(json.dumps(value, sort_keys=True).encode())


def _normalisation(module: nn.Module) -> Any:
    """Mean and deviation in [0, 1] where the model shows them."""
    buffers = dict(module.named_buffers())
    for name, mean in buffers.items():
        std = buffers.get(f"{name[: -len('mean')]}std")
        if name.rpartition(".")[2] == "mean" and std is not None:
            return {"mean": _rounded(mean), "std": _rounded(std)}
    return "the model's own"


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 6) for value in values.flatten().tolist()]
