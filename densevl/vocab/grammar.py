"""How a class list is written: one grammar for `--classes`, class files and Python lists.

    where                         a class ends at           synonyms are split at
    text of one line              `;`                       `,`
    file, text of several lines   the end of the line       `;`  (`,` too under the header `# synonyms: ,`)
    Python list, JSON list        the end of the element    `;`

Everywhere `name: a, b` gives a class its name and two more words; in a file any other `,` is part of the name, and
lines that begin with `#` are comments. A word belongs to one class, unless a line `# shared: bed, sink` of the file
says that it stands in several; where these are equally likely, the first wins. A class is asked for with its name and
its synonyms. One exception: a name for
what is left over (`background`, `other`, `unknown`, ...) says nothing about a picture, so beside words of its own it
is only shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from densevl.vocab.words import fold

LEFTOVER_NAMES = frozenset(
    {"background", "other", "others", "unknown", "unlabelled", "unlabeled", "void", "rest", "everything else"}
)
_HEADER = re.compile(r"^#[ \t]*synonyms[ \t]*:[ \t]*([^\w\s])[ \t]*$", re.MULTILINE | re.IGNORECASE)

_SHARED = re.compile(r"^#[ \t]*shared[ \t]*:(.*)$", re.MULTILINE | re.IGNORECASE)


def is_leftover(name: str) -> bool:
    """Whether a name stands for what no other class is: background, other, unknown, unlabelled, void, rest ..."""
    return fold(name) in LEFTOVER_NAMES


@dataclass(frozen=True)
class Finding:
    """One remark on a class list.

    Attributes:
        kind: one word, such as `duplicate` or `glued`.
        line: where, counted from 1 in the unit of the reading; 0 for the list as a whole.
        message: what is there.
        suggestion: what to do.
        fault: the list cannot be used as it is.
    """

    kind: str
    line: int
    message: str
    suggestion: str
    fault: bool = False


@dataclass(frozen=True)
class Entry:
    """One class as written: its place, its name and what it is asked for with."""

    line: int
    name: str
    queries: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """A class list as it was read, before it is judged.

    Attributes:
        source: a shipped list's name, a file, `--classes` or `list`.
        unit: what `line` counts: `line`, `class` or `entry`.
        rule: how classes and synonyms were told apart, in words.
        entries: the classes in order.
        remarks: what was noticed while reading.
        shared: words that may stand in several classes.
    """

    source: str
    unit: str
    rule: str
    entries: tuple[Entry, ...]
    remarks: tuple[Finding, ...] = ()
    shared: frozenset[str] = frozenset()

    def where(self, line: int) -> str:
        """`classes.txt line 7`."""
        return f"{self.source} {self.unit} {line}" if line else self.source


def make_entry(line: int, words: Sequence[str]) -> Entry:
    """A class from its name and synonyms; repeated words count once."""
    name, *synonyms = dict.fromkeys(words)
    queries = tuple(synonyms) if synonyms and is_leftover(name) else (name, *synonyms)
    return Entry(line, name, queries)


def add_entry(
    line: int, words: Sequence[str], entries: list[Entry], remarks: list[Finding], *, prompts_only: bool = False
) -> None:
    """Take a class whose words stand apart already (JSON, Python): blanks are collapsed, an empty word is a fault.

    Args:
        line: where it stands.
        words: name and synonyms.
        entries: where the class goes.
        remarks: where the fault goes.
        prompts_only: the first word is a name that is not asked for itself.
    """
    name, *others = (" ".join(word.split()) for word in words)
    if not name or not all(others):
        message = "a name or synonym is empty"
        remarks.append(Finding("no-name", line, message, "write a word in it, or remove it", fault=True))
    else:
        entries.append(Entry(line, name, tuple(others)) if prompts_only else make_entry(line, [name, *others]))


def read_pieces(pieces: Iterable[tuple[int, str]], separators: str) -> tuple[list[Entry], list[Finding]]:
    """Numbered pieces of text, each a class -> entries, and a remark for every empty place."""
    entries, remarks = [], []
    for line, piece in pieces:
        words = _split(piece, separators)
        if not words[0] and any(words):
            message = f'"{piece.strip()}" has no name before its first separator'
            remarks.append(Finding("no-name", line, message, "begin with the name of the class", fault=True))
            continue
        if not all(words):
            what = "an empty synonym" if words[0] else "nothing here"
            remarks.append(Finding("empty", line, what, "remove it"))
        if words[0]:
            entries.append(make_entry(line, [word for word in words if word]))
    return entries, remarks


def read_text(text: str) -> Reading:
    """The value of `--classes`: `road; car, automobile; sky`. Text of several lines is read as a file."""
    if "\n" in text.strip():
        return read_file_text(text, "--classes")
    pieces = text.strip().removesuffix(";").split(";")
    entries, remarks = read_pieces(enumerate(pieces, 1), ",")
    return Reading("--classes", "class", "';' ends a class, ',' separates synonyms", tuple(entries), tuple(remarks))


def read_file_text(text: str, source: str) -> Reading:
    """A class file: a class a line."""
    header = _HEADER.search(text)
    separators = ";" + (header[1] if header else "")
    lines = text.rstrip().split("\n")
    pieces = [(number, line) for number, line in enumerate(lines, 1) if not line.lstrip().startswith("#")]
    entries, remarks = read_pieces(pieces, separators)
    quoted = " and ".join(f"'{mark}'" for mark in dict.fromkeys(separators))
    rule = f"the line ends a class, {quoted} and 'name: a, b' give synonyms"
    shared = (" ".join(word.split()) for words in _SHARED.findall(text) for word in words.split(","))
    return Reading(source, "line", rule, tuple(entries), tuple(remarks), frozenset(filter(None, shared)))


def _split(piece: str, separators: str) -> list[str]:
    """`name: a, b`, or words between separators; blanks inside a word become one."""
    marks = f"[{re.escape(separators)}]"
    name, colon, rest = piece.partition(":")
    named = colon and not re.search(marks, name)
    words = [name, *re.split("[,;]", rest)] if named else re.split(marks, piece)
    return [" ".join(word.split()) for word in words]
