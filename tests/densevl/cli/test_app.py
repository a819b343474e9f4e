"""The program as a whole: verbs, exit codes, messages."""

from __future__ import annotations

import subprocess
import sys
import time
from types import ModuleType, SimpleNamespace

import pytest

from densevl.cli import app
from densevl.core import errors


def run_verb(monkeypatch: pytest.MonkeyPatch, outcome: object, *flags: str) -> int:
    """Run a verb that returns or raises `outcome`."""

    def run(args: object) -> int:
        if isinstance(outcome, BaseException):
            raise outcome
        return int(outcome)  # type: ignore[call-overload]

    verb = SimpleNamespace(HELP="test", add_arguments=lambda parser: None, run=run)
    monkeypatch.setattr(app, "collect_verbs", lambda: {"try": verb})
    return app.main(["try", *flags])


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (0, 0),
        (6, 6),
        (ValueError("boom"), 1),
        (errors.UsageError("x"), 2),
        (errors.UnknownNameError("model", "lit", ["lite"]), 2),
        (errors.SourceError("x"), 3),
        (errors.ClassListError("x"), 3),
        (errors.ConfigError("x"), 3),
        (errors.WeightsError("x"), 4),
        (errors.MemoryLimitError("x"), 5),
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_outcome_has_its_exit_code_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], outcome: object, code: int
) -> None:
    assert run_verb(monkeypatch, outcome) == code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err and captured.out == ""
    assert bool(captured.err) == isinstance(outcome, BaseException)


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.SourceError):
        run_verb(monkeypatch, errors.SourceError("x"), "--debug")


def test_an_unknown_name_says_the_nearest(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_verb(monkeypatch, errors.UnknownNameError("model", "maskclp-b16", ["maskclip-b16", "lite"]))
    assert "did you mean maskclip-b16?" in capsys.readouterr().err


@pytest.mark.parametrize("argv", [[], ["sgment"], ["segment"], ["segment", "a.png", "--classes", "a", "--nonsense"]])
def test_wrong_flags_end_with_2(argv: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        app.main(argv)
    assert caught.value.code == 2


def test_every_verb_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for name, module in app.collect_verbs().items():
        assert isinstance(module, ModuleType)
        with pytest.raises(SystemExit) as caught:
            app.main([name, "--help"])
        assert caught.value.code == 0
        assert module.HELP in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("arguments", "seconds"), [(["-c", "import densevl"], 0.3), (["-m", "densevl", "--help"], 0.5)]
)
def test_start_is_quick(arguments: list[str], seconds: float) -> None:
    """The best of five, so that a busy machine does not fail it."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    assert min(times) < seconds
