"""Checkpoints on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from densevl.core.errors import UnknownNameError, WeightsError
from densevl.weights import get_row
from tests.tiny import tiny_clip_weights
from tests.video.models.tiny_vifi import HEADS, NAMES, PROMPTS, tiny_video, tiny_vifi
from video.models import load_vifi_clip


@pytest.fixture
def clip_file(tmp_path: Path) -> Path:
    torch.save(tiny_clip_weights(), tmp_path / "clip.pt")
    return tmp_path / "clip.pt"


def test_a_published_file_is_read_with_the_token_table_of_its_clip(tmp_path: Path, clip_file: Path) -> None:
    for prompts in (None, PROMPTS):
        model = tiny_vifi(prompts)
        torch.save(model.to_checkpoint(3) | {"optimizer": {"state": {}}, "max_accuracy": 51.3}, tmp_path / "best.pth")
        again = load_vifi_clip(tmp_path / "best.pth", NAMES, clip=clip_file, num_heads=HEADS)
        assert torch.equal(again(tiny_video()), model(tiny_video()))


def test_a_clip_without_text_tower_is_refused(tmp_path: Path, clip_file: Path) -> None:
    torch.save(tiny_vifi().to_checkpoint(3), tmp_path / "best.pth")
    torch.save({"visual.proj": torch.zeros(2, 2)}, clip_file)
    with pytest.raises(WeightsError, match=r"clip\.pt has no token_embedding\.weight"):
        load_vifi_clip(tmp_path / "best.pth", NAMES, clip=clip_file)


def test_a_file_of_another_model_is_named(tmp_path: Path, clip_file: Path) -> None:
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth: image_encoder\.conv1\.weight is missing"):
        load_vifi_clip(tmp_path / "other.pth", NAMES, clip=clip_file)


def test_missing_weights_of_the_table_say_where_to_get_them(bare_machine: Path) -> None:
    with pytest.raises(WeightsError, match=r"put it as vifi-clip-b16-k400\.pth"):
        load_vifi_clip(offline=True)
    with pytest.raises(UnknownNameError):
        load_vifi_clip("vifi-clip-b17")


def test_a_file_of_the_table_is_found_under_its_published_name(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch, clip_file: Path
) -> None:
    monkeypatch.setenv("DENSEVL_WEIGHTS", str(bare_machine))
    file = bare_machine / get_row("vifi-clip-b16-k400").file_name
    assert file.suffix == ".pth"
    torch.save(tiny_vifi().to_checkpoint(3), file)
    model = load_vifi_clip("vifi-clip-b16-k400", clip=clip_file, num_heads=HEADS, offline=True)
    assert model.class_names == ()
