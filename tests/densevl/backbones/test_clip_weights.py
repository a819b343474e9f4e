from __future__ import annotations

import json
import logging
from copy import deepcopy
from pathlib import Path

import open_clip
import pytest
import torch
from open_clip.transformer import QuickGELU
from safetensors.torch import save_file
from torch import nn
from torch.testing import assert_close

from densevl.backbones import CLIPBackbone, load_clip
from densevl.core.errors import UnknownNameError, UsageError, WeightsError
from densevl.weights import WeightsRow, file_hash, get_row, table
from tests.densevl.weights.test_locate import hub_copy
from tests.tiny import TINY_CLIP, tiny_clip, tiny_clip_weights

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")

PIXELS = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _tiny_models(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """open_clip's ViT-B-16 and ViT-L-14 are tiny ones, and nothing may be downloaded."""
    real = open_clip.get_model_config
    tiny = {"ViT-B-16": TINY_CLIP, "ViT-L-14": TINY_CLIP, "ViT-B-16-quickgelu": {**TINY_CLIP, "quick_gelu": True}}
    monkeypatch.setattr(open_clip, "get_model_config", lambda name: deepcopy(tiny.get(name)) or real(name))
    monkeypatch.setenv("DENSEVL_OFFLINE", "1")


def is_quick(clip_model: CLIPBackbone) -> bool:
    kinds = {type(block.mlp.gelu) for block in (*clip_model.blocks, *clip_model.clip_model.transformer.resblocks)}
    assert len(kinds) == 1
    return kinds == {QuickGELU}


def assert_tiny(clip_model: CLIPBackbone, *, quick_gelu: bool) -> None:
    assert is_quick(clip_model) == quick_gelu
    assert_close(clip_model.encode_image(PIXELS), tiny_clip(quick_gelu=quick_gelu).encode_image(PIXELS))


def save_archive(path: Path) -> Path:
    """A TorchScript archive with CLIP's key names in half precision, as OpenAI published its weights."""

    class Holder(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels

    holder = Holder()
    for key, tensor in tiny_clip_weights().items():
        *path_parts, last = key.split(".")
        node: nn.Module = holder
        for part in path_parts:
            if not hasattr(node, part):
                node.add_module(part, Holder())
            node = getattr(node, part)
        node.register_parameter(last, nn.Parameter(tensor.half()))
    for name in ("input_resolution", "context_length", "vocab_size"):
        holder.register_buffer(name, torch.tensor(1))
    torch.jit.save(torch.jit.script(holder), str(path))
    return path


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "wrapped.pt"])
def test_a_local_file_is_loaded(tmp_path: Path, name: str) -> None:
    path, weights = tmp_path / name, tiny_clip_weights()
    if name == "w.safetensors":
        save_file(weights, path)
    elif name == "w.pt":
        torch.save(weights, path)
    else:
        torch.save({"epoch": 1, "state_dict": {f"module.{key}": value for key, value in weights.items()}}, path)
    assert_tiny(load_clip("ViT-B-16", str(path), quickgelu=False), quick_gelu=False)
    assert_tiny(load_clip("ViT-B/16", str(path), quickgelu=True), quick_gelu=True)


def test_a_bare_file_of_unknown_activation_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_file(tiny_clip_weights(), tmp_path / "w.safetensors")
    with caplog.at_level(logging.WARNING):
        assert_tiny(load_clip("ViT-B-16", str(tmp_path / "w.safetensors")), quick_gelu=False)
    assert "--quickgelu" in caplog.text
    assert_tiny(load_clip("ViT-B-16-quickgelu", str(tmp_path / "w.safetensors")), quick_gelu=True)


def test_an_archive_of_known_hash_is_trusted_and_gets_quick_gelu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_archive(tmp_path / "renamed.pt")
    with pytest.raises(WeightsError, match="--trust"):
        load_clip("ViT-B-16", str(path))
    row = WeightsRow("x", "https://host/x.pt", "MIT", sha256=file_hash(path), quick_gelu=True)
    monkeypatch.setattr(table, "_ROWS", (row,))
    clip_model = load_clip("ViT-B-16", str(path))
    assert is_quick(clip_model)
    assert clip_model.clip_model.visual.proj.dtype == torch.float32
    assert_close(clip_model.encode_image(PIXELS), tiny_clip(quick_gelu=True).encode_image(PIXELS), atol=2e-2, rtol=2e-2)
    with pytest.raises(UsageError, match="QuickGELU"):
        load_clip("ViT-B-16", str(path), quickgelu=False)


def test_an_archive_of_unknown_hash_opens_on_trust(tmp_path: Path) -> None:
    path = save_archive(tmp_path / "w.pt")
    assert is_quick(load_clip("ViT-B-16", str(path), trust=True, quickgelu=True))


@pytest.mark.parametrize(
    ("tag", "family", "quick_gelu"),
    [("openai", "openai", True), ("laion2b", "laion2b", False), ("dfn2b", "dfn", True), ("metaclip", "metaclip", True)],
)
def test_a_tag_finds_its_weights_and_its_activation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: str, family: str, quick_gelu: bool
) -> None:
    monkeypatch.setenv("DENSEVL_WEIGHTS", str(tmp_path))
    save_file(tiny_clip_weights(), tmp_path / f"clip-vit-b16-{family}.safetensors")
    assert_tiny(load_clip("ViT-B-16", tag), quick_gelu=quick_gelu)


def test_a_tag_outside_our_table_is_found_in_the_hubs_cache(bare_machine: Path, tmp_path: Path) -> None:
    save_file(tiny_clip_weights(), tmp_path / "w.safetensors")
    content = (tmp_path / "w.safetensors").read_bytes()
    repository = "timm/vit_base_patch16_clip_224.metaclip_400m"
    hub_copy(bare_machine / "hub", repository, "open_clip_model.safetensors", content)
    assert_tiny(load_clip("ViT-B-16", "metaclip_400m"), quick_gelu=True)


def test_mean_and_std_follow_the_tag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSEVL_WEIGHTS", str(tmp_path))
    save_file(tiny_clip_weights(), tmp_path / "clip-vit-l14-laion2b.safetensors")
    save_file(tiny_clip_weights(), tmp_path / "clip-vit-l14-datacomp.safetensors")
    laion, datacomp = load_clip("ViT-L-14", "laion2b"), load_clip("ViT-L-14", "datacomp")
    assert laion.mean.flatten().tolist() == [0.5, 0.5, 0.5]  # these weights were trained so, others were not
    assert datacomp.mean.flatten().tolist() == pytest.approx([0.48145466, 0.4578275, 0.40821073])


def test_missing_weights_offline_say_where_they_were_looked_for() -> None:
    with pytest.raises(WeightsError, match="clip-vit-b16-openai are missing; downloading is off") as caught:
        load_clip("ViT-B-16", "openai")
    assert caught.value.exit_code == 4
    with pytest.raises(WeightsError, match="vit-b-16-laion400m_e32 are missing"):
        load_clip("ViT-B-16", "laion400m_e32")


@pytest.mark.parametrize("pretrained", [None, ""])
def test_weights_are_never_random(pretrained: str | None) -> None:
    with pytest.raises(WeightsError, match="would be random"):
        load_clip("ViT-B-16", pretrained)


def test_unknown_names_give_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="ViT-B-16"):
        load_clip("ViT-B-61", "openai")
    with pytest.raises(UnknownNameError, match="openai"):
        load_clip("ViT-B-16", "openia")


def test_a_file_of_another_model_is_refused(tmp_path: Path) -> None:
    save_file({"vision_model.embeddings.class_embedding": torch.zeros(3)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="0 of 86 tensors match, 86 missing"):
        load_clip("ViT-B-16", str(tmp_path / "w.safetensors"))


def test_a_foreign_tower_is_refused_before_anything_is_looked_for() -> None:
    with pytest.raises(UsageError, match="timm"):
        load_clip("ViT-B-16-SigLIP", "webli")


def write_folder(folder: Path, config: dict | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tiny_clip_weights(), folder / "open_clip_model.safetensors")
    if config is not None:
        (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def test_a_local_folder_brings_its_own_config(tmp_path: Path) -> None:
    config = {"model_cfg": {**TINY_CLIP, "quick_gelu": True}, "preprocess_cfg": {"mean": [0.1, 0.2, 0.3]}}
    folder = write_folder(tmp_path / "model", config)
    clip_model = load_clip(pretrained=f"local-dir:{folder}")
    assert clip_model.mean.flatten().tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert is_quick(clip_model)
    assert clip_model.weights_id == load_clip(f"local-dir:{folder}").weights_id


@pytest.mark.parametrize("config", [None, {"embed_dim": 3}])
def test_a_folder_without_a_config_is_refused(tmp_path: Path, config: dict | None) -> None:
    folder = write_folder(tmp_path / "model", config)
    with pytest.raises(WeightsError, match=r"open_clip_config\.json"):
        load_clip(pretrained=f"local-dir:{folder}")
    with pytest.raises(WeightsError, match="holds none of"):
        load_clip(pretrained=f"local-dir:{tmp_path}")


def test_a_hub_repository_is_loaded_from_the_hubs_cache(bare_machine: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "model", {"model_cfg": TINY_CLIP})
    for file in ("open_clip_model.safetensors", "open_clip_config.json"):
        hub_copy(bare_machine / "hub", "owner/name", file, (folder / file).read_bytes())
    assert_tiny(load_clip(pretrained="hf-hub:owner/name"), quick_gelu=False)
    with pytest.raises(WeightsError, match="owner--other are missing"):
        load_clip(pretrained="hf-hub:owner/other")


def test_the_weights_id_tells_files_and_activations_apart(tmp_path: Path) -> None:
    for seed in (0, 1):
        save_file(tiny_clip_weights(seed), tmp_path / f"{seed}.safetensors")
    first = load_clip("ViT-B-16", str(tmp_path / "0.safetensors"), quickgelu=False).weights_id
    assert first != load_clip("ViT-B-16", str(tmp_path / "1.safetensors"), quickgelu=False).weights_id
    assert first != load_clip("ViT-B-16", str(tmp_path / "0.safetensors"), quickgelu=True).weights_id
    assert first == load_clip("ViT-B-16", str(tmp_path / "0.safetensors"), quickgelu=False).weights_id


def test_the_published_openai_hashes_ask_for_quick_gelu() -> None:
    assert all(get_row(f"clip-vit-{short}-openai").quick_gelu for short in ("b32", "b16", "l14", "l14-336"))
