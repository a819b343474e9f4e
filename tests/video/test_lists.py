from __future__ import annotations

from pathlib import Path

import pytest

from densevl.core.errors import ClassListError, DataError, ShapeError
from video.list_forms import ClipListError
from video.lists import ClipList, read_clip_list

CLASSES = ["archery", "bowling", "riding a bike"]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_numbers_are_labels_and_paths_start_at_the_list(tmp_path: Path) -> None:
    clips = read_clip_list(write(tmp_path / "a.txt", "a.mp4 2\nmy clips/b c.mp4 0\n"), CLASSES)
    assert clips.paths == (tmp_path / "a.mp4", tmp_path / "my clips/b c.mp4")
    assert clips.labels == (2, 0)
    assert clips.class_names == tuple(CLASSES)
    assert clips.source == str(tmp_path / "a.txt")
    assert "the rest is the label" in clips.rule
    assert len(clips) == 2


def test_a_root_moves_paths_and_leaves_whole_ones_alone(tmp_path: Path) -> None:
    whole = tmp_path / "x" / "b.mp4"
    clips = read_clip_list(write(tmp_path / "a.txt", f"a.mp4 0\n{whole} 1\n"), CLASSES, root=tmp_path / "clips")
    assert clips.paths == (tmp_path / "clips" / "a.mp4", whole)


def test_class_names_as_labels_may_have_underscores(tmp_path: Path) -> None:
    text = "path,label\na.mp4,riding_a_bike\nb.mp4,archery\nc.mp4,Riding a bike\n"
    assert read_clip_list(write(tmp_path / "a.csv", text), CLASSES).labels == (2, 0, 2)


def test_names_without_a_class_list_are_numbered_in_alphabetical_order(tmp_path: Path) -> None:
    clips = read_clip_list(write(tmp_path / "a.csv", "path,label\na.mp4,zumba\nb.mp4,archery\nc.mp4,zumba\n"))
    assert clips.class_names == ("archery", "zumba")
    assert clips.labels == (1, 0, 1)


def test_numbers_without_a_class_list_stay_without_names(tmp_path: Path) -> None:
    clips = read_clip_list(write(tmp_path / "a.txt", "a.mp4 7\nb.mp4 0\n"))
    assert clips.labels == (7, 0)
    assert clips.class_names == ()


def test_the_clips_of_kinetics_lists_are_found_under_both_names(tmp_path: Path) -> None:
    timed, in_class = tmp_path / "val" / "abc_000001_000011.mp4", tmp_path / "riding_a_bike" / "def.mp4"
    touch(timed, in_class)
    header = "label,youtube_id,time_start,time_end,split\n"
    rows = "archery,abc,1,11,val\nriding a bike,def,5,15,val\nbowling,ghi,0,10,val\n"
    clips = read_clip_list(write(tmp_path / "a.csv", header + rows))
    assert clips.paths == (timed, in_class, tmp_path / "ghi_000000_000010.mp4")
    assert clips.labels == (0, 2, 1)
    assert clips.class_names == tuple(CLASSES)


def test_class_folders_are_a_list(tmp_path: Path) -> None:
    touch(tmp_path / "riding_a_bike" / "1.mp4", tmp_path / "archery" / "x" / "2.mp4")
    clips = read_clip_list(tmp_path, CLASSES)
    assert clips.paths == (tmp_path / "archery" / "x" / "2.mp4", tmp_path / "riding_a_bike" / "1.mp4")
    assert clips.labels == (0, 2)
    assert read_clip_list(tmp_path).class_names == ("archery", "riding_a_bike")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a.mp4 0\n\nb.mp4 3\nc.mp4 4\n", ["line 3", "label 3 is beyond", "3 classes (0..2)", "b.mp4", "and 1 more"]),
        (
            "a.mp4 1\nb.mp4 2\nc.mp4 3\n",
            ["line 3", "label 3 is beyond", "labels run from 1 to 3, and 0 never", "subtract 1"],
        ),
        ("a.mp4 2\nb.mp4 3\n", ["line 2", "3 classes (0..2)", "labels run from 2 to 3", "subtract 1"]),
        ("a.mp4 0\nb c.mp4\n", ["line 2", "no label", "path 'b c.mp4', no label", "behind a clip's suffix"]),
        ("a.mp4 0\nb.mp4 -1\nc.mp4 -2\n", ["line 2", "whole numbers from 0 on", "label '-1'", "and 1 more"]),
        ("a.mp4 -2\n", ["line 1", "whole numbers from 0 on", "label '-2'"]),
        ("a.mp4 archery\nb.mp4 -3\n", ["line 2", "whole numbers from 0 on"]),
        ("a.mp4 1.0\n", ["line 1", "whole numbers from 0 on", "label '1.0'"]),
        ("a.mp4 archery\nb.mp4 archer\n", ["line 2", "'archer' is none of the 3 classes", "path 'b.mp4'"]),
        ("a.mp4 0\nb.mp4 1.5\n", ["line 2", "whole numbers from 0 on", "label '1.5'"]),
        ("a.mp4 0\nb.mp4 x1\n", ["line 2", "'x1' is no number", "line 1 has the number 0"]),
        ("a.mp4 riding a mule\n", ["line 1", "path 'a.mp4', label 'riding a mule'"]),
    ],
)
def test_a_label_that_is_no_class_is_told_with_file_line_and_reading(
    tmp_path: Path, text: str, told: list[str]
) -> None:
    with pytest.raises(ClipListError) as caught:
        read_clip_list(write(tmp_path / "val.txt", text), CLASSES)
    assert [part for part in ["val.txt", *told] if part not in str(caught.value)] == []
    assert isinstance(caught.value, DataError)


def test_labels_without_a_class_list_stay_and_are_warned_of_where_they_seem_to_count_from_1(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clips = read_clip_list(write(tmp_path / "a.txt", "a.mp4 1\nb.mp4 3\n"))
    assert (clips.labels, clips.class_names, clips.num_classes) == ((1, 3), (), 4)
    assert "run from 1 to 3" in caplog.text and "4 classes (0..3)" in caplog.text
    caplog.clear()
    assert read_clip_list(write(tmp_path / "a.txt", "a.mp4 0\nb.mp4 3\n")).num_classes == 4
    assert read_clip_list(write(tmp_path / "a.txt", "a.mp4 2\n")).labels == (2,)
    assert caplog.text == ""
    assert read_clip_list(write(tmp_path / "a.txt", "a.mp4 1\n"), CLASSES).num_classes == 3


def test_class_names_with_blanks_are_read_from_lines_without_commas(tmp_path: Path) -> None:
    clips = read_clip_list(write(tmp_path / "a.txt", "a.mp4 riding a bike\nmy clips/b c.mp4 archery\n"), CLASSES)
    assert clips.paths == (tmp_path / "a.mp4", tmp_path / "my clips/b c.mp4")
    assert clips.labels == (2, 0)


def test_a_class_that_looks_like_a_number_is_one_where_the_class_list_says_so(tmp_path: Path) -> None:
    assert read_clip_list(write(tmp_path / "a.txt", "a.mp4 -2\nb.mp4 a\n"), ["a", "-2"]).labels == (1, 0)


def test_a_list_may_leave_class_0_out_where_the_class_list_is_longer(tmp_path: Path) -> None:
    assert read_clip_list(write(tmp_path / "a.txt", "a.mp4 1\nb.mp4 2\n"), CLASSES).labels == (1, 2)


def test_numbers_and_names_do_not_mix(tmp_path: Path) -> None:
    with pytest.raises(ClipListError, match=r"line 2.*numbers everywhere"):
        read_clip_list(write(tmp_path / "a.txt", "a.mp4 1\nb.mp4 x3\n"))


def test_a_missing_class_file_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ClassListError, match=r"classes\.csv"):
        read_clip_list(write(tmp_path / "a.txt", "a.mp4 1\n"), tmp_path / "classes.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ClipListError, match="no clips"):
        read_clip_list(tmp_path / "empty")


def test_a_clip_beside_the_class_folders_has_no_label(tmp_path: Path) -> None:
    touch(tmp_path / "archery" / "1.mp4", tmp_path / "2.mp4")
    with pytest.raises(ClipListError, match=r"no label.*2\.mp4"):
        read_clip_list(tmp_path, CLASSES)


def test_a_clip_list_has_as_many_labels_as_paths() -> None:
    with pytest.raises(ShapeError, match="2 labels"):
        ClipList((Path("a.mp4"),), (0, 1), ("a", "b"), "here")


def test_a_list_is_known_by_its_paths_and_labels_wherever_it_lies(tmp_path: Path) -> None:
    def digest(*paths: Path, labels: tuple[int, ...] = (0, 1)) -> str:
        return ClipList(paths, labels, ("a", "b"), "test").digest()

    here, there = tmp_path / "here", tmp_path / "there/below"
    first = digest(here / "a.mp4", here / "b/c.mp4")
    assert digest(there / "a.mp4", there / "b/c.mp4") == first
    assert digest(here / "a.mp4", here / "b/d.mp4") != first
    assert digest(here / "a.mp4", here / "b/c.mp4", labels=(1, 1)) != first
    assert digest(Path("a.mp4"), tmp_path / "b.mp4") != first  # a relative beside a whole one
    assert digest(labels=()) == digest(labels=())
