"""What all runs into a folder do, on a run of numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from densevl.core.errors import PictureError
from densevl.core.files import sha256_bytes
from densevl.engine.journal import Record
from densevl.tasks.resumable_run import ResumableRun, task_settings
from densevl.vocab import parse_classes


class Numbers:
    """A source: 3 cannot be read."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def names(self) -> list[str]:
        return [f"n{number}" for number in self.numbers]

    def digest(self, index: int) -> str:
        return sha256_bytes(bytes([self.numbers[index]]))

    def read(self, index: int) -> tuple[int, str]:
        if self.numbers[index] == 3:
            raise PictureError("3 is no number")
        return self.numbers[index], self.digest(index)


class Squares:
    kind = "squares"

    def path(self, name: str) -> str:
        return f"squares/{name}.txt"

    def encode(self, name: str, result: int, content: int) -> bytes:
        return str(result).encode()


class SquareRun(ResumableRun):
    def __init__(self, numbers: Sequence[int], *, power: int = 2, on_error: Any = "skip", group_size: int = 2) -> None:
        self.source, self.power, self.on_error, self.group_size = Numbers(numbers), power, on_error, group_size
        self.groups: list[list[int]] = []

    def infer(self, items: list[int]) -> list[int]:
        self.groups.append(items)
        return [item**self.power for item in items]

    def settings(self) -> dict[str, Any]:
        return {"power": self.power}

    def writers(self) -> list[Squares]:
        return [Squares()]

    def row(self, index: int, result: int) -> dict[str, Any]:
        return {"result": result}

    def write_documents(self, out: Path, records: Sequence[Record], settings: Mapping[str, Any]) -> None:
        document = {"settings": settings, "rows": [record.row["result"] for record in records]}
        (out / "all.json").write_text(json.dumps(document))


def test_every_input_is_written_and_the_documents_are_made_of_all_that_did_not_fail(tmp_path: Path) -> None:
    run = SquareRun([5, 3, 1, 4])
    result = run.run(tmp_path)
    assert (result.done, [failure.name for failure in result.failed]) == (3, ["n3"])
    assert json.loads((tmp_path / "all.json").read_text()) == {"settings": {"power": 2}, "rows": [25, 1, 16]}
    assert "n3,3 is no number" in (tmp_path / "failed.csv").read_text()
    assert (tmp_path / "squares/n4.txt").read_text() == "16"
    assert json.loads((tmp_path / "run.json").read_text())["settings"] == {"power": 2}
    assert run.groups == [[5], [1, 4]] and not (tmp_path / "classes.json").exists()


def test_a_second_run_does_what_is_new_or_was_lost_and_other_settings_everything(tmp_path: Path) -> None:
    SquareRun([5, 1]).run(tmp_path)
    (tmp_path / "squares/n1.txt").unlink()
    result = SquareRun([5, 1, 4]).run(tmp_path)
    assert (result.done, result.resumed) == (2, 1)
    assert json.loads((tmp_path / "all.json").read_text())["rows"] == [25, 1, 16]
    assert SquareRun([5, 1, 4], power=3).run(tmp_path).done == 3


def test_words_are_there_from_the_start_and_an_error_can_stop_a_run(tmp_path: Path) -> None:
    run = SquareRun([3], on_error="stop")
    run.classes = parse_classes("cat; sky")
    with pytest.raises(PictureError, match="3 is no number"):
        run.run(tmp_path)
    listed = json.loads((tmp_path / "classes.json").read_text())["classes"]
    assert [entry["name"] for entry in listed] == ["cat", "sky"]


def test_the_settings_of_a_task_tell_its_weights_and_words() -> None:
    def settings(weight: float, classes: str) -> dict[str, Any]:
        module = nn.Linear(1, 1, bias=False)
        nn.init.constant_(module.weight, weight)
        said = {"name": "tiny", "config_text": "x = 1", "device": torch.device("cpu"), "dtype": torch.float32}
        for name, value in said.items():
            setattr(module, name, value)
        return task_settings(module, parse_classes(classes))

    first = settings(1.0, "cat; sky, cloud")
    assert first["classes"] == [["cat", "cat"], ["sky", "sky", "cloud"]] and first["precision"] == "float32"
    assert first == settings(1.0, "cat; sky, cloud")
    assert first["weights"] != settings(2.0, "cat; sky, cloud")["weights"]
    assert first != settings(1.0, "cat; sky")
