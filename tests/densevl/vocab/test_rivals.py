from densevl.vocab import parse_classes, rival_words, with_rivals
from densevl.vocab.words import inner_keys, name_key


def test_a_bare_background_is_asked_for_with_scene_words():
    found = with_rivals(parse_classes("dog; background"))
    assert found.names == ("dog", "background")
    assert found.synonyms == (("dog",), rival_words())
    assert len(rival_words()) >= 25


def test_words_that_meet_another_class_are_left_out():
    found = with_rivals(parse_classes("background; palm tree; walls; car, road vehicle; pottedplant; diningtable"))
    assert set(rival_words()) - set(found.synonyms[0]) == {"tree", "wall", "road", "table"}


def test_no_rival_meets_a_class_of_the_shipped_list():
    found = with_rivals(parse_classes("voc21"))
    for rival in found.synonyms[0]:
        for name in found.names[1:]:
            key, other = name_key(rival), name_key(name)
            assert key != other
            assert key not in inner_keys(other)
            assert other not in inner_keys(key)


def test_a_background_with_words_of_its_own_and_a_list_without_one_stay():
    for text in ("background, wall; dog", "dog; cat", "voc21@trident"):
        classes = parse_classes(text)
        assert with_rivals(classes) is classes


def test_a_background_without_a_free_rival_keeps_its_name():
    classes = parse_classes("; ".join([*rival_words(), "unknown"]))
    assert with_rivals(classes).synonyms[-1] == ("unknown",)
