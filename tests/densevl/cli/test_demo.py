"""`densevl demo` on the pictures that installed packages carry."""

from __future__ import annotations

from pathlib import Path

import pytest

from densevl.cli import demo
from densevl.cli.app import main
from densevl.core.errors import SourceError


def test_the_demo_labels_six_real_pictures_and_says_where_to_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--short-side", "192", "--offline"]) == 0
    assert "report.html" in capsys.readouterr().out
    assert len(list((out / "overlay").glob("*.jpg"))) == 6
    assert (out / "report.html").stat().st_size > 1000


def test_without_the_packages_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PICTURES", {"no_such_package": ("a.png",)})
    with pytest.raises(SourceError, match="pip install"):
        demo.collect_pictures(tmp_path / "pictures")
