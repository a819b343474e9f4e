from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.testing import assert_close

from densevl.backbones import DINOBackbone, dino_weights, load_dino
from densevl.core.errors import UnknownNameError, WeightsError
from tests.densevl.weights.test_locate import hub_copy
from tests.tiny import tiny_dino_weights

SMALL = {"timm": "vit_small_patch16_224.dino"}


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return tiny_dino_weights(SMALL)


@pytest.fixture
def folder(bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DENSEVL_WEIGHTS", str(tmp_path))
    return tmp_path


def assert_loaded(dino: DINOBackbone, weights: dict[str, torch.Tensor]) -> None:
    assert (dino.patch_size, dino.embed_dim, dino.depth) == (16, 384, 12)
    assert_close(dino.vit.pos_embed, weights["pos_embed"])


@pytest.mark.parametrize("name", ["dino-vit-s16", "vit_small_patch16_224.dino"])
def test_a_name_of_ours_or_timms_finds_the_file_in_the_users_folder(folder: Path, weights, name: str) -> None:
    save_file(weights, folder / "dino-vit-s16.safetensors")
    assert_loaded(load_dino(name, offline=True), weights)


def test_the_publishers_own_file_name_is_found_too(folder: Path, weights) -> None:
    torch.save(weights, folder / "dino_deitsmall16_pretrain.pth")
    assert_loaded(load_dino("dino-vit-s16", offline=True), weights)


def test_torch_hubs_cache_is_looked_into(bare_machine: Path, weights) -> None:
    (cache := bare_machine / ".cache" / "torch" / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(weights, cache / "dino_deitsmall16_pretrain.pth")
    assert_loaded(load_dino("dino-vit-s16", offline=True), weights)


def test_a_copy_in_the_hubs_cache_is_found(bare_machine: Path, weights) -> None:
    save_file(weights, hub_copy(bare_machine / "hub", "timm/vit_small_patch16_224.dino", "model.safetensors"))
    assert_loaded(load_dino("dino-vit-s16", offline=True), weights)


def test_a_file_of_a_training_run_is_unwrapped(tmp_path: Path, weights) -> None:
    wrapped = {f"module.backbone.{key}": tensor for key, tensor in weights.items()}
    torch.save({"teacher": {**wrapped, "module.head.last": torch.zeros(1)}}, tmp_path / "run.pth")
    assert_loaded(load_dino("dino-vit-s16", weights=tmp_path / "run.pth"), weights)


def test_any_model_of_timm_loads_from_a_file(tmp_path: Path) -> None:
    tensors = tiny_dino_weights({"timm": "vit_tiny_patch16_224"})
    save_file(tensors, tmp_path / "own.safetensors")
    assert load_dino("vit_tiny_patch16_224", weights=str(tmp_path / "own.safetensors")).embed_dim == 192


def test_a_misfit_names_its_file(tmp_path: Path, weights) -> None:
    save_file(weights, tmp_path / "small.safetensors")
    with pytest.raises(WeightsError, match=r"small\.safetensors: DINO does not fit the model"):
        load_dino("dino-vit-s8", weights=tmp_path / "small.safetensors")


def test_missing_weights_say_how_to_get_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dino_weights, "TABLE", {"x": replace(dino_weights.TABLE["dino-vit-b8"], name="x", mirror=None)})
    with pytest.raises(WeightsError, match=r"fetch https://.*dino_vitbase8_pretrain\.pth"):
        load_dino("x", offline=True)


def test_an_unknown_name_gives_the_nearest_and_the_way_out() -> None:
    with pytest.raises(UnknownNameError, match=r"dino-vit-s16.*needs a file"):
        load_dino("dino-vit-s61")
