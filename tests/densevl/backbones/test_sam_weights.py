from __future__ import annotations

from pathlib import Path

import pytest
import torch

from densevl.backbones import load_sam, sam_models
from densevl.core.errors import UnknownNameError, WeightsError
from densevl.weights import TABLE
from tests.tiny import TINY_SAM, tiny_sam_weights


@pytest.fixture
def folder(bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DENSEVL_WEIGHTS", str(tmp_path))
    monkeypatch.setitem(sam_models.SIZES, "vit_b", TINY_SAM)
    return tmp_path


def test_a_name_finds_the_users_copy(folder: Path) -> None:
    torch.save(tiny_sam_weights(), folder / "sam-vit-b.pt")  # another format than the published: no published hash
    assert load_sam(offline=True).walk(torch.rand(1, 3, 128, 128)).shape[-1] == TINY_SAM["dim"]


def test_another_file_under_the_published_name_is_refused(folder: Path) -> None:
    torch.save(tiny_sam_weights(), folder / "sam_vit_b_01ec64.pth")
    with pytest.raises(WeightsError, match=r"not the published sam-vit-b: sha256"):
        load_sam(offline=True)


def test_a_file_of_another_size_is_named(folder: Path) -> None:
    torch.save(tiny_sam_weights(), folder / "own.pth")
    with pytest.raises(WeightsError, match=r"own\.pth: these weights are of SAM vit_b, the model is SAM vit_l"):
        load_sam("sam-vit-l", weights=folder / "own.pth")


def test_missing_weights_and_unknown_names_say_what_to_do(folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"fetch https://.*sam_vit_h_4b8939\.pth"):
        load_sam("sam-vit-h", offline=True)
    with pytest.raises(UnknownNameError, match="sam-vit-b"):
        load_sam("sam-vit-x")


def test_the_table_holds_the_three_published_files() -> None:
    rows = [TABLE[f"sam-vit-{size}"] for size in "blh"]
    assert all(row.licence == "Apache-2.0" and len(row.sha256 or "") == 64 and row.size for row in rows)
