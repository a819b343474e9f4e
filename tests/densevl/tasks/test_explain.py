"""Two cards side by side: every planted change is named, with its weight."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from densevl.core.errors import DataError
from densevl.tasks.explain import explain, find_differences, read_metrics
from tests.densevl.tasks.labelled import MemorySet, evaluation, tiny_segmenter


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    run = evaluation(tiny_segmenter(), MemorySet())
    data = {**run.settings["data"], "pictures": 7, "sha256": "0" * 64}
    return {**run.settings, "data": data, "versions": {"torch": "2.9.1", "numpy": "2.0"}}


def changed(card: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    other: dict[str, Any] = deepcopy(card)
    *parents, leaf = place.split(".")
    node = other
    for name in parents:
        node = node[name]
    assert leaf in node and node[leaf] != value
    node[leaf] = value
    return other


@pytest.mark.parametrize(
    ("place", "value", "effect"),
    [
        ("weights", "1" * 64, "figures"),
        ("words.sha256", "1" * 64, "figures"),
        ("templates.sha256", "1" * 64, "figures"),
        ("resize.short_side", 448, "figures"),
        ("window", 336, "figures"),
        ("threshold", 0.2, "figures"),
        ("background", "'background': threshold", "figures"),
        ("data.sha256", "1" * 64, "figures"),
        ("data.pictures", 6, "figures"),
        ("data.ignore_index", 65535, "figures"),
        ("precision", "float16", "slightly"),
        ("device", "cuda", "slightly"),
        ("versions.torch", "2.10", "slightly"),
        ("model", "other", "nothing"),
        ("like", "trident", "nothing"),
        ("words.list", "elsewhere.txt", "nothing"),
    ],
)
def test_a_planted_change_is_the_one_that_is_named(card: dict[str, Any], place: str, value: Any, effect: str) -> None:
    (found,) = find_differences(card, changed(card, place, value))
    assert (found.key, found.second, found.effect) == (place, value, effect)
    *_, sentence, conclusion = explain({"card": card}, {"card": changed(card, place, value)})
    assert sentence == found.sentence() and found.what in sentence
    expected = {"figures": "1 difference that changes figures", "slightly": "last digits", "nothing": "be equal"}
    assert expected[effect] in conclusion


def test_equal_cards_say_so(card: dict[str, Any]) -> None:
    (sentence,) = explain({"card": card}, {"card": deepcopy(card)})
    assert sentence.startswith("the same protocol: figures should be equal, to the last digit where ")
    rivals = deepcopy(card)
    rivals["config"]["model"]["rivals"] = False  # what it does is told as background
    assert find_differences(card, rivals) == []


def test_what_changes_figures_comes_first_after_the_figures(card: dict[str, Any]) -> None:
    other = changed(changed(card, "model", "other"), "threshold", 0.2)
    first, second, third, last = explain({"mIoU": 27.26, "card": card}, {"mIoU": 30.0, "card": other})
    assert first == "mIoU: 27.26 against 30.00 (+2.74)"
    assert second == "the threshold: 0.0 against 0.2; changes figures"
    assert third.endswith("changes no figure by itself") and last.startswith("1 difference")


def test_a_key_that_one_card_lacks_and_a_key_of_another_kind_are_told(card: dict[str, Any]) -> None:
    other = {**card, "views": 4}
    (found,) = find_differences(card, other)
    assert (found.key, found.first, found.second, found.effect) == ("views", None, 4, "figures")
    assert "not told against 4" in found.sentence()


def test_that_a_whole_picture_has_no_stride_is_not_told_beside_the_window(card: dict[str, Any]) -> None:
    windowed = {**card, "window": 448, "stride": 224}
    (found,) = find_differences(card, windowed)
    assert found.key == "window"
    assert [one.key for one in find_differences(windowed, {**windowed, "stride": 112})] == ["stride"]


def test_a_config_key_is_told_with_its_place(card: dict[str, Any]) -> None:
    other = deepcopy(card)
    other["config"]["model"]["head"] = {"logit_scale": 40.0}
    (found,) = find_differences(card, other)
    assert found.sentence().startswith("the model's config (config.model.head.logit_scale): not told against 40.0")


def test_the_folder_of_an_evaluation_stands_for_its_figures(card: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"mIoU": 1.0, "card": card}))
    assert read_metrics(tmp_path)["mIoU"] == 1.0
    with pytest.raises(DataError, match=r"metrics\.json cannot be read"):
        read_metrics(tmp_path / "..")


@pytest.mark.parametrize("content", ["no json", "[]", json.dumps({"mIoU": 1})])
def test_files_without_a_card_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "m.json").write_text(content)
    with pytest.raises(DataError, match=r"m\.json.*densevl eval|m\.json.*metrics\.json"):
        read_metrics(tmp_path / "m.json")
