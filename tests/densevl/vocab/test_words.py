import pytest

from densevl.vocab.words import fold, inner_keys, known_words, name_key, singular, split_glued


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("cars", "car"),
        ("horses", "horse"),
        ("houses", "house"),
        ("glasses", "glass"),
        ("boxes", "box"),
        ("benches", "bench"),
        ("bodies", "body"),
        ("shelves", "shelf"),
        ("people", "person"),
        ("buses", "bus"),
    ],
)
def test_plurals_find_their_singular_and_singulars_stay(plural, one):
    assert singular(plural) == one
    assert singular(one) == one


@pytest.mark.parametrize("word", ["bus", "grass", "tennis", "canoes", "gas"])
def test_words_that_only_look_like_plurals_do_not_lose_their_s(word):
    assert singular(word) in {word, "canoe"}


@pytest.mark.parametrize(
    ("glued", "parts"),
    [
        ("trafficlight", "traffic light"),
        ("pottedplant", "potted plant"),
        ("tvmonitor", "tv monitor"),
        ("diningtable", "dining table"),
        ("chestofdrawers", "chest of drawers"),
        ("crtscreen", "crt screen"),
        ("trafficlights", "traffic lights"),
    ],
)
def test_glued_words_come_apart(glued, parts):
    assert split_glued(glued) == tuple(parts.split())


@pytest.mark.parametrize("word", ["sidewalk", "skyscraper", "windowpane", "grandstand", "xyzzy", "carx", "bicyclist"])
def test_words_of_the_dictionary_and_unknown_ones_stay_whole(word):
    assert split_glued(word) == (word,)


def test_every_imagenet_name_is_free_of_glued_words():
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    words = {word for name in IMAGENET_CLASSNAMES for word in fold(name).split()}
    assert [word for word in sorted(words) if len(split_glued(word)) > 1] == []


def test_keys_compare_names_without_case_plural_hyphens_and_glue():
    assert name_key("Traffic-Lights") == name_key("trafficlight") == ("traffic", "light")


def test_inner_keys_are_the_shorter_runs():
    assert inner_keys(("a", "b", "c")) == {("a",), ("b",), ("c",), ("a", "b"), ("b", "c")}
    assert inner_keys(("a",)) == set()


def test_known_words_are_lower_case_letters():
    assert all(word.isascii() and word.isalpha() and word == word.lower() for word in known_words())
