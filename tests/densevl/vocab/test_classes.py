import ast
import dataclasses
import importlib.util
from pathlib import Path

import pytest

from densevl.core.errors import ClassListError
from densevl.vocab import ClassList, list_names, parse_classes

SHIPPED = {
    "ade20k": (150, 150, None),
    "ade20k@trident": (150, 150, None),
    "ade847@trident": (847, 847, None),
    "camvid": (11, 11, None),
    "cityscapes": (19, 19, None),
    "cityscapes@trident": (19, 19, None),
    "coco_object": (81, 81, 0),
    "coco_object@clip-dinoiser": (81, 81, 0),
    "coco_object@sclip": (81, 113, 0),
    "coco_object@trident": (81, 97, 0),
    "coco_stuff": (171, 171, None),
    "coco_stuff@trident": (171, 171, None),
    "context459@trident": (459, 459, 430),  # a class named "unknown"
    "context59": (59, 59, None),
    "context59@clip-dinoiser": (59, 59, None),
    "context59@trident": (59, 59, None),
    "context60": (60, 60, 0),
    "context60@clip-dinoiser": (60, 60, 0),
    "context60@trident": (60, 60, 0),
    "voc20": (20, 20, None),
    "voc20@clip-dinoiser": (20, 20, None),
    "voc20@sclip": (20, 30, None),
    "voc20@trident": (20, 20, None),
    "voc21": (21, 21, 0),
    "voc21@clearclip": (21, 21, 0),
    "voc21@clip-dinoiser": (21, 21, 0),
    "voc21@sclip": (21, 56, 0),
    "voc21@trident": (21, 46, 0),
}


def test_all_shipped_lists_are_read_at_their_published_sizes():
    assert set(list_names()) == set(SHIPPED)
    for name, (classes, queries, background) in SHIPPED.items():
        found = parse_classes(name)
        assert (len(found), len(found.queries), found.background_index) == (classes, queries, background), name
        assert found.source == name


def test_camvid_keeps_the_order_of_its_ids():
    names = "sky,building,pole,road,pavement,tree,sign symbol,fence,car,pedestrian,bicyclist"
    assert parse_classes("camvid").names == tuple(names.split(","))


def mmseg_names(file):
    """The class names in the source of an mmseg data set: importing it needs mmcv's compiled operators."""
    folder = importlib.util.find_spec("mmseg").submodule_search_locations[0]
    tree = ast.parse((Path(folder) / "datasets" / file).read_text(encoding="utf-8"))
    found = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "classes"]
    return ast.literal_eval(found[0])


def test_ade20k_is_spelled_as_mmseg_does_without_its_stray_blank():
    assert parse_classes("ade20k").names == tuple(name.strip() for name in mmseg_names("ade.py"))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("voc21", "voc.py"),
        ("context60", "pascal_context.py"),
        ("cityscapes", "cityscapes.py"),
        ("coco_stuff", "coco_stuff.py"),
    ],
)
def test_the_others_are_spelled_as_mmseg_does(name, file):
    assert parse_classes(name).names == mmseg_names(file)


def test_parts_of_a_data_set_keep_the_names_of_the_whole():
    assert parse_classes("voc20").names == parse_classes("voc21").names[1:]
    assert parse_classes("context59").names == parse_classes("context60").names[1:]
    assert parse_classes("coco_object").names == ("background", *parse_classes("coco_stuff").names[:80])


@pytest.mark.parametrize("spelling", ["trident", "sclip"])
def test_a_word_that_was_published_in_two_classes_is_asked_for_in_both(spelling):
    found = parse_classes(f"coco_object@{spelling}")
    assert [found.names[k] for k, query in zip(found.class_index, found.queries, strict=True) if query == "bed"] == [
        "background",
        "bed",
    ]


def test_a_file_may_say_that_a_word_stands_in_several_classes(tmp_path):
    file = tmp_path / "classes.txt"
    file.write_text("# shared:  bed , deck  chair\nroom; bed; deck chair\nbed\ndeck chair; seat\n")
    assert parse_classes(file).queries == ("room", "bed", "deck chair", "bed", "deck chair", "seat")
    file.write_text("# shared: bed\nroom; bed; seat\nbed; seat\n")
    with pytest.raises(ClassListError, match=r'line 3: "seat" is already on line 2 .*# shared: seat'):
        parse_classes(file)
    file.write_text("# shared: bed\nbed\nbed\n")
    with pytest.raises(ClassListError, match='"bed" is already a class'):
        parse_classes(file)


def test_the_published_background_is_26_scene_words_without_its_name():
    words = parse_classes("voc21@trident").synonyms[0]
    assert len(words) == 26
    assert "background" not in words


def test_queries_know_their_class():
    found = parse_classes("road; car, automobile; sky")
    assert found.names == ("road", "car", "sky")
    assert found.queries == ("road", "car", "automobile", "sky")
    assert found.class_index == (0, 1, 1, 2)
    assert found.source == "--classes"


def test_a_class_list_is_frozen_and_passes_through():
    found = parse_classes(["a", "b"])
    assert parse_classes(found) is found
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.names = ()


def test_a_shipped_name_comes_before_a_file_and_a_file_before_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("camvid").write_text("mine\n")
    Path("words").write_text("mine\n")
    Path("folder").mkdir()
    assert len(parse_classes("camvid")) == 11
    assert parse_classes("./camvid").names == ("mine",)
    assert parse_classes("words").names == ("mine",)
    assert parse_classes("folder").names == ("folder",)
    assert parse_classes("other words").names == ("other words",)


@pytest.mark.parametrize("path", ["nofile.txt", "no.CSV", "no.json", "lists/mine", r"lists\mine"])
def test_what_looks_like_a_path_must_exist(path):
    with pytest.raises(ClassListError, match="no such file"):
        parse_classes(path)


def test_a_class_that_looks_like_a_path_is_text_with_a_semicolon():
    assert parse_classes("bus/truck;").names == ("bus/truck",)


def test_a_path_object_is_always_a_file(tmp_path):
    with pytest.raises(ClassListError, match="cannot read the class file"):
        parse_classes(tmp_path / "camvid")
    with pytest.raises(ClassListError, match="cannot read the class file"):
        parse_classes(tmp_path)


@pytest.mark.parametrize("data", [b"\xef\xbb\xbfroad\r\ncar \r\n", b"road\rcar\r", b"road\ncar"])
def test_byte_order_marks_and_line_ends_do_not_count(tmp_path, data):
    file = tmp_path / "c.txt"
    file.write_bytes(data)
    assert parse_classes(file).names == ("road", "car")


@pytest.mark.parametrize("data", [b"road\ncaf\xe9\n", "road\ncar\n".encode("utf-16")])
def test_a_file_that_is_no_utf8_names_the_line_and_the_cure(tmp_path, data):
    file = tmp_path / "c.txt"
    file.write_bytes(data)
    with pytest.raises(ClassListError, match=r"c.txt line [12]: .*save the file as UTF-8"):
        parse_classes(str(file))


def test_the_header_makes_a_csv_of_any_file(tmp_path):
    for name in ("c.csv", "c.txt"):
        (tmp_path / name).write_text("id,name\n1,b\n0,a\n")
        assert parse_classes(tmp_path / name).names == ("a", "b")


def test_a_json_file_is_read(tmp_path):
    (tmp_path / "c.json").write_text('{"car": ["auto"]}')
    assert parse_classes(tmp_path / "c.json").synonyms == (("car", "auto"),)


@pytest.mark.parametrize("empty", ["", " ; ", [], {}, "# only\n# comments\n"])
def test_no_classes_is_an_error(empty):
    with pytest.raises(ClassListError, match="no class in it"):
        parse_classes(empty)


def test_names_given_twice_name_both_lines(tmp_path):
    file = tmp_path / "c.txt"
    file.write_text("# head\nroad\nsky\nroad \n")
    with pytest.raises(ClassListError, match=r'c.txt line 4: "road" is already a class on line 2; remove one'):
        parse_classes(file)


def test_a_word_of_two_classes_names_both():
    with pytest.raises(ClassListError, match=r'class 3: "car" is already on class 1 as a word of "vehicle"'):
        parse_classes("vehicle, car; sky; car")


def test_all_faults_are_told_at_once():
    with pytest.raises(ClassListError) as error:
        parse_classes(["a"] * 15)
    assert str(error.value).count("remove one") == 10
    assert "4 more" in str(error.value)


@pytest.mark.parametrize("wrong", [3, None, [3], [["a", 3]]])
def test_other_kinds_are_refused(wrong):
    with pytest.raises(ClassListError, match="expected"):
        parse_classes(wrong)


def test_the_first_leftover_class_is_the_background():
    assert ClassList(("a", "Unknown", "background"), (("a",), ("Unknown",), ("background",))).background_index == 1
    assert parse_classes("a; b").background_index is None
