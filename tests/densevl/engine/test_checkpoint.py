"""Checkpoints are whole, readable without pickles, and bring the generators back."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from densevl.core.errors import OutputError, WeightsError
from densevl.engine.checkpoint import (
    load_checkpoint,
    random_states,
    restore_random_states,
    save_checkpoint,
    save_release,
)
from densevl.weights import read_field


def draw() -> list[float]:
    return [
        random.random(),
        random.gauss(0, 1),
        float(np.random.rand()),
        float(np.random.randn()),
        float(torch.rand(1)),
    ]


def test_generators_go_on_where_they_were(tmp_path: Path) -> None:
    draw()  # leaves a spare gauss number in both generators
    save_checkpoint(tmp_path, {"settings": {}, "random": random_states()})
    expected = [draw() for _ in range(3)]
    draw()
    restore_random_states(load_checkpoint(tmp_path)["random"])
    assert [draw() for _ in range(3)] == expected


def test_the_one_before_is_kept_and_taken_where_the_newest_is_damaged(tmp_path: Path) -> None:
    for iteration in (1, 2, 3):
        save_checkpoint(tmp_path, {"settings": {}, "iteration": iteration})
    assert load_checkpoint(tmp_path)["iteration"] == 3
    newest = tmp_path / "checkpoint.pt"
    newest.write_bytes(newest.read_bytes()[:100])
    assert load_checkpoint(tmp_path)["iteration"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint_damaged.pt", "checkpoint_previous.pt"]
    save_checkpoint(tmp_path, {"settings": {}, "iteration": 3})
    newest.write_bytes(b"")  # damaged again: the good one before was not put behind a damaged one
    assert load_checkpoint(tmp_path)["iteration"] == 2


@pytest.mark.parametrize("junk", [b"abc", b"", b"\x80\x02}", b"PK\x03\x04"])
def test_whatever_stands_in_the_newest_file_the_one_before_is_taken(tmp_path: Path, junk: bytes) -> None:
    for iteration in (1, 2):
        save_checkpoint(tmp_path, {"settings": {}, "iteration": iteration})
    (tmp_path / "checkpoint.pt").write_bytes(junk)
    assert load_checkpoint(tmp_path)["iteration"] == 1


def test_what_is_no_mapping_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save(torch.zeros(3), tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match="is no checkpoint of a run"):
        load_checkpoint(tmp_path)


def test_both_old_ones_stay_where_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for iteration in (1, 2):
        save_checkpoint(tmp_path, {"settings": {}, "iteration": iteration})

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        save_checkpoint(tmp_path, {"settings": {}, "iteration": 3})
    assert load_checkpoint(tmp_path)["iteration"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "checkpoint_previous.pt"]


def test_a_release_is_one_content_in_two_forms(tmp_path: Path) -> None:
    state = {"weight": torch.arange(6.0).reshape(2, 3).T}
    path = save_release(tmp_path, "best", {"epoch": 4, "model_state_dict": state})
    assert path == tmp_path / "best.pt" and torch.load(path, weights_only=True)["epoch"] == 4
    assert torch.equal(load_file(tmp_path / "best.safetensors")["weight"], state["weight"])
    assert read_field(tmp_path / "best.safetensors", "epoch") == 4
    save_release(tmp_path, "last", {"model": state})
    assert torch.equal(torch.load(tmp_path / "last.pt", weights_only=True)["model"]["weight"], state["weight"])


def test_without_a_readable_checkpoint_it_says_what_was_found(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"checkpoint\.pt is not there"):
        load_checkpoint(tmp_path)
    (tmp_path / "own.pt").write_bytes(b"no checkpoint")
    with pytest.raises(WeightsError, match=r"own\.pt cannot be read"):
        load_checkpoint(tmp_path / "own.pt")
    torch.save({"epoch": 3, "model_state_dict": {}}, tmp_path / "last.pt")
    with pytest.raises(WeightsError, match=r"last\.pt is no checkpoint of a run"):
        load_checkpoint(tmp_path / "last.pt")


def test_nothing_but_numbers_and_tensors_is_read(tmp_path: Path) -> None:
    torch.save({"iteration": Path("x")}, tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match="cannot be read"):
        load_checkpoint(tmp_path)
