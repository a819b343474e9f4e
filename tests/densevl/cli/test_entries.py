"""Modules of other packages, and flags that every command takes."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from densevl.cli.entries import add_common_flags, load_entries


def test_a_broken_package_is_named_and_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    metadata = tmp_path / "other-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text("[some.group]\ngood = json\nbroken = no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = load_entries("some.group", "thing")
    assert {name: module.__name__ for name, module in found.items()} == {"good": "json"}
    assert "the thing broken of no_such_module is broken" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "debug"), [([], False), (["--debug", "x"], True), (["x", "--debug"], True)])
def test_common_flags_may_stand_before_or_behind_an_inner_word(words: list[str], debug: bool) -> None:
    parser = argparse.ArgumentParser()
    inner = parser.add_subparsers().add_parser("x")
    add_common_flags(inner, default=argparse.SUPPRESS)
    add_common_flags(parser)
    assert parser.parse_args(words).debug is debug
