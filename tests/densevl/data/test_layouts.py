import pytest

from densevl.core.errors import DataError
from densevl.data.layouts import Layout, find_files, find_root, fits, is_full_ade20k, read_split, require_pairs
from tests.densevl.data.pairs import ids, write_set

FOLDERS = Layout("images", "labels")
ONE = ids([0])


def test_pictures_and_annotations_are_found_by_name_whatever_their_suffixes(tmp_path):
    root = write_set(tmp_path, {"b": ONE, "sub/a": ONE})
    (root / "images" / "notes.txt").write_text("no picture")
    (root / "labels" / ".hidden.png").write_bytes(b"")
    found = find_files(root, FOLDERS)
    assert found.names == ("b", "sub/a") and found.listed is None
    assert found.images["sub/a"] == root / "images/sub/a.jpg" and found.labels["b"] == root / "labels/b.png"
    assert require_pairs(found, FOLDERS) == ("b", "sub/a")


def test_a_given_suffix_is_cut_off_and_nothing_else_is_taken(tmp_path):
    layout = Layout("leftImg8bit/val", "gtFine/val", "_leftImg8bit.png", "_gtFine_labelTrainIds.png")
    root = write_set(
        tmp_path,
        {"ulm/ulm_000_19": ONE},
        images="leftImg8bit/val/{}_leftImg8bit.png",
        annotations="gtFine/val/{}_gtFine_labelTrainIds.png",
    )
    (root / "gtFine/val/ulm/ulm_000_19_gtFine_color.png").write_bytes(b"x")
    found = find_files(root, layout)
    assert require_pairs(found, layout) == ("ulm/ulm_000_19",) and list(found.labels) == ["ulm/ulm_000_19"]


def test_a_split_file_names_the_part_and_its_order(tmp_path):
    layout = Layout("images", "labels", ".jpg", ".png", "val.txt")
    root = write_set(tmp_path, {name: ONE for name in "abc"})
    (root / "val.txt").write_text("c\n\na\nc\n")
    assert require_pairs(find_files(root, layout), layout) == ("c", "a")
    assert read_split(root / "val.txt") == ("c", "a")


def test_a_split_file_of_another_system_names_the_same(tmp_path):
    (tmp_path / "val.txt").write_bytes(b"\xef\xbb\xbfa\r\nan ulm/b \t\r\n  \r\n\r\nc")
    assert read_split(tmp_path / "val.txt") == ("a", "an ulm/b", "c")


def test_a_split_file_that_is_empty_or_no_text_says_so(tmp_path):
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="names nothing"):
        read_split(tmp_path / "empty.txt")
    with pytest.raises(DataError, match="cannot be read"):
        read_split(tmp_path / "bytes.txt")


def test_the_root_is_also_found_from_above_and_from_inside(tmp_path):
    root = write_set(tmp_path / "ADE", {"a": ONE})
    assert find_root(root, FOLDERS) == root
    assert find_root(tmp_path, FOLDERS) == root
    assert find_root(root / "images", FOLDERS) == root
    assert fits(root, FOLDERS) and not fits(tmp_path, FOLDERS)


def test_two_data_sets_that_fit_must_be_told_apart(tmp_path):
    for name in ("one", "two"):
        write_set(tmp_path / name, {"a": ONE})
    with pytest.raises(DataError, match=r"several data sets that fit \(one, two\)"):
        find_root(tmp_path, FOLDERS)


def test_missing_folders_are_named_with_what_is_there(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        find_root(tmp_path / "none", FOLDERS)
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match=r"has no labels and no val\.txt: expected images, labels, val.txt; there: ima"):
        find_root(tmp_path, Layout("images", "labels", split="val.txt"))


@pytest.mark.parametrize("mark", ["ADE20K_2021_17_01", "ADE20K_2016_07_26", "images/ADE", "index_ade20k.mat"])
def test_the_full_ade20k_is_told_apart_and_the_tool_named(tmp_path, mark):
    (tmp_path / mark).mkdir(parents=True)
    assert is_full_ade20k(tmp_path) and not is_full_ade20k(tmp_path / "images" / "none")
    assert is_full_ade20k(tmp_path / mark / "images") == mark.startswith("ADE20K_")
    with pytest.raises(DataError, match=r"full ADE20K.*tools/convert_full_ade20k\.py"):
        find_root(tmp_path, Layout("images/validation", "annotations/validation"))


def test_pictures_without_annotation_are_listed_with_what_makes_them(tmp_path):
    root = write_set(tmp_path, {f"{i}": ONE for i in range(7)})
    for i in range(6):
        (root / f"labels/{i}.png").unlink()
    with pytest.raises(DataError, match=r"6 of 7 \(0, 1, 2, 3, 4 and 1 more\) pictures have no annotation"):
        require_pairs(find_files(root, FOLDERS), FOLDERS)
    layout = Layout("images", "labels", ".jpg", "_labelTrainIds.png")
    with pytest.raises(DataError, match=r"coco_stuff164k\.py"):
        require_pairs(find_files(root, layout), layout)


def test_names_of_a_split_without_picture_and_empty_sets_are_errors(tmp_path):
    layout = Layout("images", "labels", ".jpg", ".png", "val.txt")
    root = write_set(tmp_path, {"a": ONE})
    (root / "val.txt").write_text("a\nb\n")
    found = find_files(root, layout)
    assert found.without_picture == ("b",) and found.without_annotation == ()
    with pytest.raises(DataError, match=r"1 of 2 \(b\) of val\.txt have no picture.*a line is a name without suffix"):
        require_pairs(found, layout)
    (root / "images/a.jpg").unlink()
    with pytest.raises(DataError, match="no pictures in"):
        require_pairs(find_files(root, FOLDERS), FOLDERS)


def test_annotations_without_a_picture_are_known(tmp_path):
    root = write_set(tmp_path, {"a": ONE, "b": ONE})
    (root / "images/a.jpg").unlink()
    assert find_files(root, FOLDERS).without_picture == ("a",)


def test_two_files_of_one_name_are_an_error(tmp_path):
    root = write_set(tmp_path, {"a": ONE})
    (root / "images/a.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"a\.jpg and .*a\.png have one name"):
        find_files(root, FOLDERS)
