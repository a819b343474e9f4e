"""`densevl eval --explain`: two cards on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from densevl.cli.app import main


@pytest.fixture
def documents(tmp_path: Path) -> list[str]:
    for name, threshold in (("a", 0.0), ("b", 0.2)):
        content = {"mIoU": 10.0 + threshold, "card": {"model": name, "threshold": threshold}}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return [str(tmp_path / "a.json"), str(tmp_path / "b.json")]


def test_what_differs_is_printed_in_sentences(documents: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--explain", *documents]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "mIoU: 10.00 against 10.20 (+0.20)"
    assert lines[1] == "the threshold: 0.0 against 0.2; changes figures"
    assert lines[-1] == "1 difference that changes figures"


def test_json_holds_the_same(documents: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--explain", *documents, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["key"], one["effect"]) for one in found["differences"]] == [
        ("threshold", "figures"),
        ("model", "nothing"),
    ]


def test_a_file_that_is_not_there_is_named(documents: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "--explain", documents[0], "gone.json"]) == 3
    assert "gone.json" in capsys.readouterr().err
