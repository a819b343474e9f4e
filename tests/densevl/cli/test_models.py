from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from densevl.cli import models
from densevl.core.config import dataset_configs, model_configs, read_config
from densevl.core.errors import UnknownNameError, UsageError, WeightsError
from densevl.weights import get_row
from tests.densevl.weights.test_locate import write


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    models.add_arguments(parser)
    return models.run(parser.parse_args(argv))


@pytest.mark.parametrize("name", model_configs())
def test_every_model_names_weights_of_the_table(name: str) -> None:
    for weights in read_config(name)["weights"]:
        assert get_row(weights).name == weights


def test_list_names_every_model_and_says_missing(bare_machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list") == 0
    *lines, _, last = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[1:]} == set(model_configs())
    assert "models list --datasets" in last
    (line,) = [line for line in lines if line.startswith("maskclip-b16 ")]
    assert line.split()[1] == "clip-vit-b16-laion2b"
    assert line.endswith("missing")


def test_models_on_data_sets_are_a_list_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("list", "--datasets") == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[1:]} == set(dataset_configs())
    assert run("list", "--datasets", "--json") == 0
    about = json.loads(capsys.readouterr().out)
    assert about["trident-b16-voc21"] == "Trident on PASCAL VOC with background, as published: refined by SAM."
    with pytest.raises(UsageError, match="is for `models list`"):
        run("show", "lite", "--datasets")
    assert run("show", "trident-b16-voc21") == 0
    assert "SAMMaskRefiner" in capsys.readouterr().out


def test_list_says_where_weights_were_found(bare_machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(bare_machine / "cache" / "weights" / "clip-vit-b16-laion2b.safetensors", b"x" * 3_000_000)
    assert run("list", "--json") == 0
    (model,) = [model for model in json.loads(capsys.readouterr().out) if model["name"] == "maskclip-b16"]
    assert model["weights"][0]["path"] == str(path)
    assert model["weights"][0]["size"] == 3_000_000
    assert run("list") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("maskclip-b16 ")]
    assert line.split()[2:] == ["3", "MB", "MIT", str(path)]


def test_show_tells_parts_source_and_licence(bare_machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("show", "maskclip-plain-b16") == 0
    out = capsys.readouterr().out
    row = get_row("clip-vit-b16-openai")
    for part in ("densevl.extractors.MaskCLIPExtractor", "missing", row.source, row.sha256, "licence MIT"):
        assert part in out
    assert run("show", "maskclip-plain-b16", "--json") == 0
    assert json.loads(capsys.readouterr().out)["weights"][0]["sha256"] == row.sha256


def test_an_unknown_model_gives_the_nearest(bare_machine: Path) -> None:
    for action in ("show", "verify"):
        with pytest.raises(UnknownNameError, match="maskclip-b16") as caught:
            run(action, "maskclip-b61")
        assert caught.value.exit_code == 2


def test_names_stand_where_they_belong() -> None:
    with pytest.raises(UsageError, match="needs the NAME"):
        run("show")
    with pytest.raises(UsageError, match="models show lite"):
        run("list", "lite")


def test_verify_is_right_for_published_files(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", "efficientnet-lite0") == 0
    assert "right" in capsys.readouterr().out


def test_verify_of_everything_does_not_mind_missing_weights(
    bare_machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("verify", "--json") == 0
    states = {check["name"]: check["state"] for check in json.loads(capsys.readouterr().out)}
    assert states["clip-vit-h14-laion2b"] == "missing"
    assert states["all-minilm-l6-v2"] == "right"


def test_verify_of_a_named_model_minds_missing_weights(bare_machine: Path) -> None:
    with pytest.raises(WeightsError, match="Looked in") as caught:
        run("verify", "maskclip-b16")
    assert caught.value.exit_code == 4


def test_a_wrong_hash_is_exit_code_four(bare_machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(bare_machine / ".cache" / "clip" / "ViT-B-16.pt", b"damaged")
    with pytest.raises(WeightsError, match=str(path)) as caught:
        run("verify")
    assert caught.value.exit_code == 4
    assert "wrong" in capsys.readouterr().out
