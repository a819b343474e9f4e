import pytest

from densevl.vocab.grammar import Entry, is_leftover, make_entry, read_file_text, read_text


def entries(reading):
    return [(entry.line, entry.name, entry.queries) for entry in reading.entries]


def test_in_text_semicolons_end_classes_and_commas_separate_synonyms():
    found = read_text("road; car,  automobile ;traffic   light")
    assert entries(found) == [
        (1, "road", ("road",)),
        (2, "car", ("car", "automobile")),
        (3, "traffic light", ("traffic light",)),
    ]


def test_in_text_a_class_may_be_named_with_a_colon():
    assert entries(read_text("vehicle: car, truck; sky")) == [
        (1, "vehicle", ("vehicle", "car", "truck")),
        (2, "sky", ("sky",)),
    ]


def test_a_last_semicolon_is_no_class_and_an_empty_one_is_remarked():
    assert read_text("road; sky;").remarks == ()
    found = read_text("road;; sky")
    assert [entry.name for entry in found.entries] == ["road", "sky"]
    assert [(remark.kind, remark.line, remark.fault) for remark in found.remarks] == [("empty", 2, False)]


def test_text_of_several_lines_is_read_as_a_file():
    assert entries(read_text("road; street\ncar, auto\n")) == [
        (1, "road", ("road", "street")),
        (2, "car, auto", ("car, auto",)),
    ]


def test_in_a_file_a_bare_comma_is_part_of_the_name():
    assert entries(read_file_text("chest of drawers, chest\n", "f")) == [
        (1, "chest of drawers, chest", ("chest of drawers, chest",))
    ]


@pytest.mark.parametrize("header", ["# synonyms: ,", "#synonyms:,", "#  Synonyms : ,  "])
def test_the_header_makes_commas_separate_synonyms(header):
    found = read_file_text(f"{header}\ncar, auto\nbus; coach\n", "f")
    assert entries(found) == [(2, "car", ("car", "auto")), (3, "bus", ("bus", "coach"))]
    assert "','" in found.rule


def test_a_comment_about_synonyms_is_no_header():
    assert read_file_text("# synonyms: see the paper\na, b\n", "f").entries[0].name == "a, b"


def test_comments_and_trailing_blanks_do_not_count_and_lines_keep_their_numbers():
    assert entries(read_file_text("# head\nbed \t\n  # note\nsky\n\n\n", "f")) == [
        (2, "bed", ("bed",)),
        (4, "sky", ("sky",)),
    ]


def test_an_empty_line_between_classes_is_remarked_and_one_at_the_end_is_not():
    assert [remark.line for remark in read_file_text("a\n\nb\n\n", "f").remarks] == [2]


def test_a_named_class_takes_commas_and_semicolons():
    assert entries(read_file_text("car: auto; motorcar, van\n", "f")) == [
        (1, "car", ("car", "auto", "motorcar", "van"))
    ]


def test_a_colon_after_the_first_separator_names_nothing():
    assert entries(read_file_text("screen; ratio 16:9\n", "f")) == [(1, "screen", ("screen", "ratio 16:9"))]


def test_a_class_without_a_name_is_a_fault_with_its_line():
    found = read_file_text("sky\n: a, b\n", "f")
    assert [(remark.kind, remark.line, remark.fault) for remark in found.remarks] == [("no-name", 2, True)]


def test_repeated_words_of_a_class_count_once():
    assert make_entry(1, ["car", "auto", "car", "auto"]) == Entry(1, "car", ("car", "auto"))


def test_a_leftover_name_beside_words_of_its_own_is_only_shown():
    assert make_entry(1, ["Background", "sky", "wall"]) == Entry(1, "Background", ("sky", "wall"))
    assert make_entry(1, ["background"]).queries == ("background",)


@pytest.mark.parametrize("name", ["background", "Other", "UNKNOWN", "unlabelled", "unlabeled", "everything_else"])
def test_leftover_names_are_known_in_any_case(name):
    assert is_leftover(name)
    assert not is_leftover(f"{name} car")
