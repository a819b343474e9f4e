"""The card tells apart what gives other figures, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from densevl.refiners import FoundRule
from densevl.tasks.protocol import Protocol, read_protocol
from densevl.tasks.protocol_card import describe_model, describe_protocol, describe_segmenter, describe_set, fingerprint
from densevl.vocab import parse_classes
from tests.densevl.tasks.labelled import SHORT_SIDE, MemorySet, tiny_config, tiny_segmenter


class Normalising(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.5, 0.25, 0.125]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.full((3, 1, 1), 0.2), persistent=False)


class Model(nn.Module):
    """What `densevl.load` sets."""

    name, config_text, dtype, device = "tiny", "model = 1", torch.float32, torch.device("cpu")

    def __init__(self, *parts: nn.Module, weight: float = 1.0) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.weight = nn.Parameter(torch.tensor([weight]))


def test_the_model_is_told_with_its_normalisation_where_it_shows_one() -> None:
    assert describe_model(Model())["normalisation"] == "the model's own"
    told = describe_model(Model(Normalising()))
    assert told["normalisation"] == {"mean": [0.5, 0.25, 0.125], "std": [0.2, 0.2, 0.2]}
    assert (told["precision"], told["device"], told["model"]) == ("float32", "cpu", "tiny")


def test_other_weights_have_another_hash() -> None:
    one, same, other = (describe_model(Model(weight=weight))["weights"] for weight in (1.0, 1.0, 2.0))
    assert one == same != other


def test_the_segmenter_is_told_with_resize_rule_window_and_refiners() -> None:
    config = tiny_config()
    config["model"]["score_refiners"] = [{"type": "densevl.refiners.FoundRule"}]
    told = describe_segmenter(tiny_segmenter(), config)
    assert (told["resize"]["short_side"], told["window"], told["stride"]) == (SHORT_SIDE, "whole picture", None)
    assert told["refinement"] == ["FoundRule"]
    config["model"]["geometry"] |= {"window": 32}
    windowed = describe_segmenter(tiny_segmenter(), config)
    assert (windowed["window"], windowed["stride"]) == (32, "half a window")
    assert windowed["config_sha256"] != told["config_sha256"] and windowed["weights"] == told["weights"]


def test_the_words_are_told_by_hash_and_count() -> None:
    one = describe_protocol(read_protocol({"threshold": 0.2}, "a; b, c"), tiny_segmenter())
    assert (one["words"]["classes"], one["words"]["queries"], one["threshold"]) == (2, 3, 0.2)
    other = describe_protocol(read_protocol({"threshold": {"a": 0.2}}, "a; b, d"), tiny_segmenter())
    assert other["words"]["sha256"] != one["words"]["sha256"] and other["templates"] == one["templates"]
    assert other["threshold"] == {"a": 0.2}


@pytest.mark.parametrize(
    ("words", "rivals", "threshold", "rule"),
    [
        ("cat; dog", True, 0.0, "none"),
        ("background; cat", True, 0.0, "'background': rivals (shipped words of scenes and stuff)"),
        ("background; cat", False, 0.2, "'background': its bare name and threshold"),
        ("background: wall, sky, tree; cat", False, 0.0, "'background': words (3)"),
    ],
)
def test_the_background_rule_is_told_in_words(words: str, rivals: bool, threshold: float, rule: str) -> None:
    segmenter = tiny_segmenter()
    segmenter.rivals = rivals
    assert describe_protocol(Protocol(parse_classes(words), threshold), segmenter)["background"] == rule


def test_the_found_rule_is_a_background_rule() -> None:
    segmenter = tiny_segmenter()
    segmenter.score_refiners = (FoundRule(),)
    told = describe_protocol(Protocol(parse_classes("background; cat")), segmenter)
    assert told["background"].endswith("and found rule")


def test_the_data_is_told_with_how_its_annotations_are_read() -> None:
    section = {
        "type": "T",
        "name": "memory",
        "classes": "x",
        "root": "/a",
        "ignore": (11,),
        "images": "i",
        "split": None,
    }
    told = describe_set(MemorySet(), section)
    assert (told["name"], told["ignore"], told["ignore_index"]) == ("memory", (11,), 255)
    assert told["config"] == {"type": "T", "images": "i", "split": None}
    assert "root" not in str(told) and "reduce_zero_label" not in told


def test_the_fingerprint_knows_words_and_not_where_they_lie() -> None:
    card = {
        "words": {"list": "/a/words.txt", "sha256": "1"},
        "config": {"pretrained": "/a/w.pt", "scale": [1, {"list": 2}]},
    }
    moved = {"words": {"list": "/b.txt", "sha256": "1"}, "config": {"pretrained": "/b.pt", "scale": (1, {"list": 3})}}
    assert fingerprint(card) == fingerprint(moved)
    assert fingerprint(card) != fingerprint({**card, "words": {"sha256": "2"}})
