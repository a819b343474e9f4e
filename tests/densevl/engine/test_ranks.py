"""One process among several; what several do together is tested by a run of two (tests/densevl/cli/test_train.py)."""

from __future__ import annotations

import pytest
import torch

from densevl.engine.ranks import Ranks, current_ranks, join_ranks, rank_device


def test_alone_nothing_is_exchanged() -> None:
    with join_ranks(torch.device("cpu")) as ranks:
        assert ranks == Ranks(0, 1) and ranks.leads
        assert ranks.add_up(torch.tensor([1.0, 2.0])).tolist() == [1.0, 2.0] and ranks.gather("a") == ["a"]
    assert not Ranks(1, 2).leads and current_ranks() == Ranks()


def test_under_torchrun_each_process_takes_its_own_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rank_device("cuda") == "cuda" and rank_device("auto") == "auto"
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert rank_device("cuda") == "cuda:1" and rank_device("cpu") == "cpu" and rank_device("cuda:0") == "cuda:0"
    assert rank_device("auto") == ("cuda:1" if torch.cuda.is_available() else "auto")
