"""Remarks on a class list, before any picture is looked at.

Faults make a list unusable; the rest are warnings about names that change results in silence: spelled in a way the
text tower does not know, meant as several classes but read as one, or fighting over the same pixels.
"""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from densevl.vocab.classes import find_faults, list_names
from densevl.vocab.grammar import Entry, Finding, Reading, is_leftover
from densevl.vocab.words import fold, inner_keys, name_key, split_glued

_FEW_CLASSES = 3
_LONGEST_NAME = 6  # words
_ARTICLES = ("a", "an", "the")


def lint_classes(reading: Reading) -> tuple[Finding, ...]:
    """Faults and warnings on a class list, in the order of its lines."""
    faults = find_faults(reading)
    repeated = {fault.line for fault in faults if fault.kind == "duplicate"}
    entries = [entry for entry in reading.entries if entry.line not in repeated]
    found = [
        *faults,
        *(remark for remark in reading.remarks if not remark.fault),
        *_spelling(entries),
        *_sentences(entries),
        *_one_class(reading),
        *_no_rival(entries),
        *_rivals_by_spelling(entries, reading.shared),
    ]
    return tuple(sorted(found, key=lambda finding: finding.line))


def _spelling(entries: Iterable[Entry]) -> Iterator[Finding]:
    """Glued words, `_` for blanks, and ids in the place of names."""
    for entry in entries:
        for query in entry.queries:
            glued = {word: better for word in query.split() if (better := _unglue(word)) != word}
            if query.isdecimal():
                yield Finding("number", entry.line, f'"{query}" is a number', "write the name of the class")
            for word, better in glued.items():
                yield Finding("glued", entry.line, f'"{word}" is read as one unknown word', f'did you mean "{better}"?')


def _unglue(word: str) -> str:
    """A word taken apart: trafficLight, traffic_light, trafficlight -> traffic light."""
    spaced = re.sub(r"(?<=[a-z]{2})(?=[A-Z][a-z])", " ", word).replace("_", " ")
    return " ".join(part for piece in spaced.split() for part in _parts(piece))


def _parts(word: str) -> tuple[str, ...]:
    parts = split_glued(word.casefold())
    return parts if len(parts) > 1 else (word,)


def _sentences(entries: Iterable[Entry]) -> Iterator[Finding]:
    """Whole sentences, and articles that the templates bring themselves."""
    for entry in entries:
        for query in entry.queries:
            words = query.split()
            if len(words) > _LONGEST_NAME or query[-1] in ".!?":
                message = f'"{query}" looks like a sentence'
                yield Finding("sentence", entry.line, message, "a short noun works best: templates make the sentence")
            elif words[0].lower() in _ARTICLES and len(words) > 1:
                message = f'"{query}" begins with an article'
                yield Finding("article", entry.line, message, "leave it out: templates bring their own")


def _one_class(reading: Reading) -> Iterator[Finding]:
    """Separators that were likely meant otherwise, and a list's name with a slip in it."""
    entries = reading.entries
    if reading.unit == "class" and len(entries) == 1:
        name, *synonyms = entries[0].queries
        near = difflib.get_close_matches(name.lower(), list_names(), n=2, cutoff=0.6)
        if synonyms:
            message = f"one class, with the synonyms {', '.join(synonyms)}"
            apart = "; ".join((name, *synonyms))
            yield Finding("one-class", 1, message, f"to make them classes of their own write '{apart}'")
        elif near:
            yield Finding("near-list", 1, f'"{name}" is read as a class', f"did you mean the list {' or '.join(near)}?")
    for entry in entries:
        if reading.unit != "class" and "," in entry.name:
            message = f'"{entry.name}" is one name, with its comma'
            cure = "for synonyms write 'a; b' or 'name: a, b', or begin a text file with '# synonyms: ,'"
            yield Finding("comma", entry.line, message, cure)


def _no_rival(entries: list[Entry]) -> Iterator[Finding]:
    if 1 <= len(entries) <= _FEW_CLASSES and not any(is_leftover(entry.name) for entry in entries):
        message = f"{len(entries)} classes share every pixel" if len(entries) > 1 else "one class takes every pixel"
        yield Finding("no-rival", 0, message, "add a class 'background' for everything else")


def _rivals_by_spelling(entries: Iterable[Entry], shared: frozenset[str]) -> Iterator[Finding]:
    """Names of two classes that differ in spelling only, or of which one lies inside the other."""
    owners: dict[tuple[str, ...], list[tuple[Entry, str]]] = defaultdict(list)
    for entry in entries:
        for query in entry.queries:
            owners[name_key(query)].append((entry, query))
    for key, same in owners.items():
        first, name = same[0]
        for entry, query in same[1:]:
            if entry is not first and not (query == name and query in shared):
                how = "but for case or hyphens" if fold(query) == fold(name) else "but for plural or blanks"
                message = f'"{query}" is "{name}" (class "{first.name}") {how}'
                yield Finding("near-duplicate", entry.line, message, "keep it in one class")
        parts = [part for run in inner_keys(key) for part in owners.get(run, ())]
        yield from (_inside(part, whole) for part in parts for whole in same if part[0] is not whole[0])


def _inside(part: tuple[Entry, str], whole: tuple[Entry, str]) -> Finding:
    (owner, word), (entry, name) = part, whole
    message = f'"{word}" of class "{owner.name}" lies inside "{name}"'
    return Finding("inside", entry.line, message, "both will claim the same pixels: make the two names more distinct")
