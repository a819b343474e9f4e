"""Kinds of evaluation, and how the first word is told apart."""

from __future__ import annotations

import pytest

from densevl.cli import evaluate
from densevl.cli.app import expand, main, make_parser
from tests.entry_points import install_entry_points


@pytest.mark.parametrize(
    ("words", "written_out"),
    [
        ("maskclip-lite-camvid --data x", "dataset maskclip-lite-camvid --data x"),
        ("--data x my.py", "dataset --data x my.py"),
        ("-v --debug my.py", "-v --debug dataset my.py"),
        ("--explain a.json b.json", "explain a.json b.json"),
        ("masks --pred a --gt b", "masks --pred a --gt b"),
        ("--debug masks", "--debug masks"),
        ("dataset my.py", "dataset my.py"),
        ("-h", "-h"),
        ("", ""),
    ],
)
def test_what_begins_with_no_kind_is_about_a_model_on_a_data_set(words: str, written_out: str) -> None:
    assert evaluate.expand(words.split()) == written_out.split()


def test_kinds_of_other_packages_are_kinds(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_entry_points(tmp_path, monkeypatch)
    assert evaluate.expand(["clips", "--data", "x"]) == ["clips", "--data", "x"]
    assert {"clips", "dataset", "masks", "explain"} <= set(evaluate.kind_names())


def test_the_command_line_writes_short_forms_out() -> None:
    verbs = {"eval": evaluate}
    assert expand(["eval", "my.py"], verbs) == ["eval", "dataset", "my.py"]
    assert expand(["segment", "my.py"], verbs) == ["segment", "my.py"] and expand([], verbs) == []
    args = make_parser(verbs).parse_args(expand(["eval", "my.py", "--data", "x", "-v"], verbs))
    assert (args.target, args.config, args.verbose, args.debug) == ("dataset", "my.py", True, False)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "say what is scored: CONFIG --data DIR"),
        ("nonsense --data x", "unknown config or kind of evaluation 'nonsense': expected a model on a data set"),
        ("mask", "did you mean masks"),
        ("maskclip-lite-camvit", "did you mean maskclip-lite-camvid"),
        ("maskclip-lite-camvid", "--data DIR is missing"),
        ("vifi-clip-lite --data x", "unknown config or kind"),
    ],
)
def test_a_first_word_that_is_nothing_gets_one_line(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", *words.split()]) == 2
    printed = capsys.readouterr().err
    assert message in printed and printed.count("\n") == 1 and "trident" not in printed
