import pytest

from densevl.vocab import lint_classes, list_names, read_classes

PLANTED = """# planted faults
car
sports car
Car
trees
tree
trafficlight

traffic_sign
a dog
bus, coach
sky; heaven
heaven
road
road
there is a large white house on the hill
17
: nameless
boat;; ship
"""
EXPECTED = {
    (3, "inside"),
    (4, "near-duplicate"),
    (6, "near-duplicate"),
    (7, "glued"),
    (8, "empty"),
    (9, "glued"),
    (10, "article"),
    (11, "comma"),
    (13, "duplicate"),
    (15, "duplicate"),
    (16, "sentence"),
    (17, "number"),
    (18, "no-name"),
    (19, "empty"),
}

# Reviewed by hand: names of ADE20K that do lie inside one another.
ADE20K_INSIDE = {
    ("table", "pool table"),
    ("door", "screen door"),
    ("screen", "screen door"),
    ("table", "coffee table"),
    ("chair", "swivel chair"),
    ("light", "traffic light"),
    ("screen", "crt screen"),
}


def kinds(classes):
    return [finding.kind for finding in lint_classes(read_classes(classes))]


def test_all_planted_faults_are_found_and_none_is_invented(tmp_path):
    file = tmp_path / "c.txt"
    file.write_text(PLANTED)
    findings = lint_classes(read_classes(file))
    assert {(finding.line, finding.kind) for finding in findings} == EXPECTED
    assert {finding.kind for finding in findings if finding.fault} == {"duplicate", "no-name"}
    assert [finding.line for finding in findings] == sorted(finding.line for finding in findings)
    assert all(finding.message and finding.suggestion for finding in findings)


def test_nothing_is_invented_on_ade20k():
    findings = lint_classes(read_classes("ade20k"))
    assert {finding.kind for finding in findings} == {"inside"}
    expected = {f'"{part}" of class "{part}" lies inside "{whole}"' for part, whole in ADE20K_INSIDE}
    assert {finding.message for finding in findings} == expected


def test_camvid_is_clean():
    assert kinds("camvid") == []


def test_glued_names_of_the_published_list_are_all_found():
    spaced = {name.replace(" ", ""): name for name in (e.name for e in read_classes("ade20k").entries) if " " in name}
    glued = [finding for finding in lint_classes(read_classes("ade20k@trident")) if finding.kind == "glued"]
    assert {finding.message.split('"')[1]: finding.suggestion.split('"')[1] for finding in glued} == spaced


def test_glued_names_of_voc_are_found():
    found = {f.suggestion for f in lint_classes(read_classes("voc21")) if f.kind == "glued"}
    assert found == {f'did you mean "{name}"?' for name in ("dining table", "potted plant", "tv monitor")}


@pytest.mark.parametrize("name", list_names())
def test_no_shipped_list_has_a_fault(name):
    assert not any(finding.fault for finding in lint_classes(read_classes(name)))


def test_one_to_three_classes_without_a_rival_are_told_to_add_background():
    assert kinds("dog") == ["no-rival"]
    assert kinds("dog; cat; cow") == ["no-rival"]
    assert kinds("dog; cat; cow; hen") == []
    assert kinds("dog; background") == []
    assert kinds("dog; Other") == []


def test_commas_where_semicolons_were_meant_are_seen():
    findings = lint_classes(read_classes("dog, cat, person"))
    assert [finding.kind for finding in findings] == ["no-rival", "one-class"]
    assert "dog; cat; person" in findings[1].suggestion


@pytest.mark.parametrize(("word", "near"), [("ade20", "ade20k"), ("Camvid", "camvid"), ("voc", "voc21")])
def test_a_slip_in_the_name_of_a_list_is_a_hint_and_no_error(word, near):
    findings = [finding for finding in lint_classes(read_classes(word)) if finding.kind == "near-list"]
    assert len(findings) == 1
    assert near in findings[0].suggestion
    assert not findings[0].fault


def test_words_that_are_near_no_list_get_no_hint():
    for word in ("van", "camel", "vase", "car"):
        assert "near-list" not in kinds(word)


def test_synonyms_of_one_class_do_not_fight():
    assert kinds("car, sports car, cars; road; sky; tree") == []


def test_synonyms_of_two_classes_do():
    findings = lint_classes(read_classes("car, auto; racing, sports car; sky; autos"))
    assert [(finding.kind, finding.line) for finding in findings] == [("inside", 2), ("near-duplicate", 4)]


def test_names_of_brands_are_not_taken_apart():
    assert kinds("iPhone; McDonald; ladder; tree") == []
    assert kinds("TrafficLight; lamp; ladder; tree") == ["glued"]


def test_a_shared_word_is_no_rival_of_itself(tmp_path):
    file = tmp_path / "c.txt"
    file.write_text("# shared: bed\nroom; bed\nbed\nbeds\nwall\n")
    assert [(finding.line, finding.kind) for finding in lint_classes(read_classes(file))] == [(4, "near-duplicate")]
