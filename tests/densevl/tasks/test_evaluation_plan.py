"""What an evaluation is about: sections of a config and the wishes of a user, put together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densevl.core.config import read_config
from densevl.core.errors import ConfigError, DataError, UnknownNameError, UsageError
from densevl.tasks.evaluation_plan import EvaluationPlan, Wishes, plan_evaluation
from densevl.vocab import parse_classes

LAYOUTS = {"lite": ("images", "labels"), "maskclip-lite-camvid": ("images/val", "labels/val")}
LAYOUTS["maskclip-lite-ade20k"] = ("images/validation", "annotations/validation")


def plan(root: Path, config: str, **wishes: object) -> EvaluationPlan:
    images, labels = LAYOUTS[config]
    for place, picture, suffix in ((images, np.zeros((8, 8, 3)), "jpg"), (labels, np.ones((8, 8)), "png")):
        (root / place).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.astype(np.uint8)).save(root / place / f"a.{suffix}")
    return plan_evaluation(read_config(config), root, Wishes(**wishes))  # type: ignore[arg-type]


def test_a_config_on_a_data_set_says_where_it_lies_and_what_is_asked(tmp_path: Path) -> None:
    made = plan(tmp_path, "maskclip-lite-ade20k")
    assert (made.dataset.name, len(made.dataset), len(made.dataset.class_names)) == ("ade20k", 1, 150)
    assert made.protocol.classes.names == made.dataset.class_names
    assert (made.overrides, made.data["name"], "root" in made.data) == ({}, "ade20k", False)
    assert made.dataset.read_labels(0)[0].max() == 0  # 0 = other is taken off


def test_a_model_alone_is_about_folders_whose_classes_are_named(tmp_path: Path) -> None:
    made = plan(tmp_path, "lite", classes="cat: cat, lion; dog", ignore=frozenset({7, 9}))
    assert (made.dataset.class_names, made.protocol.classes.queries) == (("cat", "dog"), ("cat", "lion", "dog"))
    assert made.data["ignore"] == (7, 9)
    with pytest.raises(UsageError, match="--classes is missing"):
        plan(tmp_path, "lite")
    assert plan(tmp_path, "lite", assignments={"data.classes": "cat; dog"}).dataset.class_names == ("cat", "dog")


def test_words_replace_those_of_the_protocol_and_not_the_data_sets_classes(tmp_path: Path) -> None:
    names = parse_classes("camvid").names
    words = "; ".join([*names[:-1], "rider"])
    made = plan(tmp_path, "maskclip-lite-camvid", classes=words)
    assert (made.dataset.class_names, made.protocol.classes.names) == (names, (*names[:-1], "rider"))
    with pytest.raises(ConfigError, match="another order"):
        plan(tmp_path, "maskclip-lite-camvid", classes="; ".join(reversed(names)))


def test_ids_that_are_not_scored_come_to_those_of_the_data_set(tmp_path: Path) -> None:
    assert plan(tmp_path, "maskclip-lite-camvid", ignore=frozenset({3})).data["ignore"] == (3, 11)
    with pytest.raises(DataError):
        plan(tmp_path, "maskclip-lite-camvid", classes="cat; dog")


def test_assignments_go_to_data_protocol_or_model(tmp_path: Path) -> None:
    wishes = {"data.name": "mine", "protocol.threshold": 0.4, "model.head.logit_scale": 30}
    made = plan(tmp_path, "maskclip-lite-camvid", assignments=wishes)
    assert (made.dataset.name, made.protocol.threshold, made.overrides) == ("mine", 0.4, {"model.head.logit_scale": 30})


def test_a_published_protocol_replaces_the_configs_own_and_assignments_come_after_it(tmp_path: Path) -> None:
    made = plan(tmp_path, "maskclip-lite-ade20k", like="trident", assignments={"model.geometry.short_side": 99})
    assert (made.protocol.like, made.protocol.classes.source) == ("trident", "ade20k@trident")
    assert made.overrides["model.geometry.short_side"] == 99 and made.overrides["model.geometry.window"]
    with pytest.raises(UnknownNameError, match="trident"):
        plan(tmp_path, "maskclip-lite-ade20k", like="tridant")


def test_data_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gone"):
        plan_evaluation(read_config("maskclip-lite-camvid"), tmp_path / "gone", Wishes())
