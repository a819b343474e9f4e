"""Finding, reading, building and changing configs."""

from __future__ import annotations

from pathlib import Path

import pytest

from densevl.core.config import (
    build,
    build_model,
    config_folder,
    dataset_configs,
    find_config,
    import_path,
    model_configs,
    override,
    read_config,
    unknown_model,
)
from densevl.core.errors import ConfigError, UnknownNameError, UsageError
from densevl.heads import CosineHead

HEAD = "densevl.heads.CosineHead"


def test_a_dict_with_a_type_becomes_that_object_inner_ones_first() -> None:
    built = build({"heads": [{"type": HEAD, "logit_scale": 40.0}, 3], "name": "x"})
    assert built == {"heads": [CosineHead(logit_scale=40.0), 3], "name": "x"}


def test_parts_are_built_once_and_shared() -> None:
    config = {"parts": {"head": {"type": HEAD}}, "model": {"first": "$head", "second": ["$head"]}}
    model = build_model(config)
    assert model["first"] is model["second"][0]


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"type": "densevl.heads.CosinHead"}, "did you mean CosineHead"),
        ({"type": "densevl.haeds.CosineHead"}, "no module densevl.haeds"),
        ({"type": "CosineHead"}, "dotted path"),
        ({"type": HEAD, "scale": 3}, "scale"),
        ("$clip_model", "names no part"),
    ],
)
def test_what_cannot_be_built_says_why(node: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(node)


def test_a_broken_import_inside_a_module_is_not_hidden() -> None:
    with pytest.raises(ConfigError, match="there is no module"):
        import_path("no_such_package.thing")


def test_a_model_is_found_by_name_alias_and_file(tmp_path: Path) -> None:
    assert find_config("lite") == find_config("maskclip-lite") == model_configs()["maskclip-lite"]
    own = tmp_path / "own.py"
    own.write_text("model = dict()")
    assert find_config(own) == own
    with pytest.raises(UnknownNameError, match="maskclip-b16"):
        find_config("maskclip-b17")
    with pytest.raises(ConfigError, match="no config file"):
        find_config("absent.py")


def test_models_on_data_sets_are_found_and_listed_apart() -> None:
    assert find_config("trident-b16-voc21") == dataset_configs("segmentation")["trident-b16-voc21"]
    assert "trident-b16" in model_configs() and "trident-b16-voc21" not in model_configs()
    assert not dataset_configs("video")


def test_an_unknown_name_is_answered_with_the_nearest_or_with_models_alone() -> None:
    with pytest.raises(UnknownNameError, match="did you mean trident-b16-voc21 or"):
        find_config("trident-b16-voc22")
    with pytest.raises(UnknownNameError, match="known: clearclip-b16, ") as caught:
        find_config("?")
    assert "voc21" not in str(caught.value)
    error = unknown_model("?", "video", kind="video model", others=["own"])
    assert "unknown video model '?': known: own, vifi-clip-b16, vifi-clip-lite." in str(error)


def test_a_shipped_config_is_found_by_its_path_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = "configs/segmentation/clip_dinoiser/train_clip_dinoiser_b16.py"
    assert find_config(path) == config_folder().parent / path
    own = tmp_path / path
    own.parent.mkdir(parents=True)
    own.touch()
    assert find_config(path).resolve() == own  # a file that is there comes first


def test_a_config_that_raises_says_what(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text("model = dict(type=1 / 0)")
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        read_config(path)
    path.write_text("x = 1")
    with pytest.raises(ConfigError, match="no `model"):
        build_model(read_config(path))


def test_override_sets_keys_old_and_new_and_refuses_parts_that_are_not_there() -> None:
    config = override(read_config("lite"), {"model.geometry.window": 64, "model.head.logit_scale": 7.0})
    assert config.model.geometry.window == 64
    assert config.model.head.logit_scale == 7.0
    with pytest.raises(UsageError, match="clip_model"):
        override(config, {"parts.clip_model.pretrained": "x.pt"})
