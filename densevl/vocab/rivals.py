"""What a bare class `background` stands for: the stuff that surrounds things."""

from __future__ import annotations

from dataclasses import replace

from densevl.vocab.classes import ClassList
from densevl.vocab.words import inner_keys, name_key, read_lines


def rival_words() -> tuple[str, ...]:
    """The shipped words of scenes and stuff."""
    return tuple(read_lines("_background.txt"))


def with_rivals(classes: ClassList) -> ClassList:
    """Give a bare background class words to win with.

    "background" says nothing about a picture, so a background class without words of its own is asked for with
    `rival_words()`, less those that equal, contain or lie inside a word of another class. Any other list comes back
    as it is. Without a rival left the class keeps its name.
    """
    index = classes.background_index
    if index is None or classes.synonyms[index] != (classes.names[index],):
        return classes
    others = {name_key(query) for k, words in enumerate(classes.synonyms) if k != index for query in words}
    inner = {run for key in others for run in inner_keys(key)}
    free = tuple(word for word in rival_words() if not _meets(name_key(word), others | inner))
    synonyms = list(classes.synonyms)
    synonyms[index] = free or synonyms[index]
    return replace(classes, synonyms=tuple(synonyms))


def _meets(key: tuple[str, ...], taken: set[tuple[str, ...]]) -> bool:
    return bool(({key} | inner_keys(key)) & taken)
