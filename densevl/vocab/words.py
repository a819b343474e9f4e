"""Words of names: folded spellings, singulars, glued words, one name inside another."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

LISTS = Path(__file__).parent / "lists"

# Lists whose words are all spelled as in a dictionary; the others glue some ("pottedplant").
_WELL_SPELLED = ("ade20k.txt", "camvid.txt", "_background.txt", "_words.txt")
_IRREGULAR = {
    "people": "person",
    "persons": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "leaves": "leaf",
    "shelves": "shelf",
    "knives": "knife",
    "wolves": "wolf",
    "mice": "mouse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
    "buses": "bus",
    "potatoes": "potato",
    "tomatoes": "tomato",
}
_SHORTEST_PART = 3  # letters; shorter pieces of a glued word must be among the joints
_JOINTS = frozenset({"of", "tv"})


def fold(name: str) -> str:
    """One spelling for comparing: lower case, `_` and `-` as blanks, single blanks."""
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def singular(word: str) -> str:
    """The singular of a lower-case English noun, by its ending; good enough to compare two names."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and re.search(r"(ss|x|zz|ch|sh)es$", word):
        return word[:-2]
    if len(word) > 3 and re.search(r"[^sui]s$", word):
        return word[:-1]
    return word


def read_lines(file: str) -> list[str]:
    """The lines of a shipped file, without comments and blank ones."""
    lines = (LISTS / file).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


@lru_cache(maxsize=1)
def known_words() -> frozenset[str]:
    """Common words of objects and stuff, in singular and as written."""
    words = {word for file in _WELL_SPELLED for line in read_lines(file) for word in fold(line).split()}
    return frozenset(words | {singular(word) for word in words})


def is_known(word: str) -> bool:
    """Whether a lower-case word, or its singular, is a common one."""
    return word in known_words() or singular(word) in known_words()


def split_glued(word: str) -> tuple[str, ...]:
    """`pottedplant` -> (potted, plant); a known word, or one that is no chain of known words, stays whole."""
    if is_known(word):
        return (word,)
    for cut in range(len(word) - 1, 1, -1):  # longest first part first
        head, rest = word[:cut], word[cut:]
        if head in _JOINTS or (len(head) >= _SHORTEST_PART and head in known_words()):
            tail = split_glued(rest)
            if len(tail) > 1 or (len(rest) >= _SHORTEST_PART and is_known(rest)):
                return (head, *tail)
    return (word,)


@lru_cache(maxsize=4096)
def name_key(name: str) -> tuple[str, ...]:
    """What is compared of a name: its words in singular, glued ones taken apart."""
    return tuple(singular(part) for word in fold(name).split() for part in split_glued(word))


def inner_keys(key: tuple[str, ...]) -> set[tuple[str, ...]]:
    """Every shorter run of words inside a key."""
    size = len(key)
    runs = {key[i:j] for i in range(size) for j in range(i + 1, size + 1)}
    return runs - {key}
