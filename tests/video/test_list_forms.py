from __future__ import annotations

import json
from pathlib import Path

import pytest

from video.clip_files import Moment
from video.list_forms import ClipListError, read_rows

PAIRS = [("a.mp4", "0"), ("my clips/b c.mp4", "12"), ("d.webm", "3")]
MOMENTS = [Moment("---QUuC4vJs", 84, 94), Moment("_a_bcdefghi", 0, 10)]


def pairs_of(path: Path, text: str) -> list[tuple[str, str]]:
    path.write_text(text, encoding="utf-8")
    return [(row.path, row.label) for row in read_rows(path).rows]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "a.mp4 0\nmy clips/b c.mp4 12\nd.webm\t3\n"),
        ("a.txt", "\ufeffa.mp4   0 \r\n\r\nmy clips/b c.mp4 12\r\n\n  d.webm 3"),
        ("a.csv", "a.mp4 0\nmy clips/b c.mp4 12\nd.webm 3\n"),
        ("a.csv", "a.mp4,0\nmy clips/b c.mp4, 12\nd.webm ,3\n"),
        ("a.csv", "Label,split,path\n0,x,a.mp4\n12,x,my clips/b c.mp4\n3,x,d.webm\n"),
        ("a.json", json.dumps([{"path": path, "label": int(label)} for path, label in PAIRS])),
        ("a.json", json.dumps([{"filename": path, "label": label} for path, label in PAIRS])),
        ("a.json", json.dumps(PAIRS)),
        ("a.json", json.dumps(dict(PAIRS))),
    ],
)
def test_every_form_of_paths_gives_the_same_rows(tmp_path: Path, name: str, text: str) -> None:
    assert pairs_of(tmp_path / name, text) == PAIRS


def test_a_comma_in_a_path_is_kept(tmp_path: Path) -> None:
    assert pairs_of(tmp_path / "a.txt", "a, b.mp4 3\nc,d.mp4 4\n") == [("a, b.mp4", "3"), ("c,d.mp4", "4")]
    assert pairs_of(tmp_path / "a.csv", '"a, b.mp4",3\nc.mp4,4\n') == [("a, b.mp4", "3"), ("c.mp4", "4")]


def test_class_names_with_blanks_come_whole_out_of_a_csv(tmp_path: Path) -> None:
    assert pairs_of(tmp_path / "a.csv", "a.mp4,riding a bike\nb.mp4,archery\n") == [
        ("a.mp4", "riding a bike"),
        ("b.mp4", "archery"),
    ]


@pytest.mark.parametrize(
    ("line", "path", "label"),
    [
        ("a.mp4 riding a bike", "a.mp4", "riding a bike"),
        ("a.mp4\triding  a bike ", "a.mp4", "riding  a bike"),
        ("a.mp4, riding a bike", "a.mp4", "riding a bike"),
        ("my clips/b c.mp4 riding a bike", "my clips/b c.mp4", "riding a bike"),
        ("old.mp4 files/riding a bike/b 2.MP4 12", "old.mp4 files/riding a bike/b 2.MP4", "12"),
        ("a.mp4.part 3/b.webm 3", "a.mp4.part 3/b.webm", "3"),
        ("a, b.mp4 3", "a, b.mp4", "3"),
        ("a 1.mp4 2", "a 1.mp4", "2"),
        ('"my, clip.mp4" 3', "my, clip.mp4", "3"),
        ('"my clip.mp4" riding a bike', "my clip.mp4", "riding a bike"),
        ("frames/a 1 2", "frames/a 1", "2"),
        ("a, b 3", "a, b", "3"),
        ("frames/a 1,riding a bike", "frames/a 1", "riding a bike"),
        ("frames/a archery", "frames/a", "archery"),
        ("c.webm Lifting up one end, then letting it drop", "c.webm", "Lifting up one end, then letting it drop"),
        ('a.mp4 "riding a bike"', "a.mp4", "riding a bike"),
        ('"a, b.mp4", "up, then down"', "a, b.mp4", "up, then down"),
    ],
)
def test_a_path_ends_behind_the_last_clip_suffix_and_the_rest_is_the_label(
    tmp_path: Path, line: str, path: str, label: str
) -> None:
    lines = f"{line}\nz.mp4 0\n"  # the second keeps the file from being a table
    assert pairs_of(tmp_path / "a.txt", lines) == [(path, label), ("z.mp4", "0")]


def test_a_line_that_ends_in_a_file_name_has_no_label(tmp_path: Path) -> None:
    assert pairs_of(tmp_path / "a.txt", "my clip.mp4\nb.mp4 1\nc\n") == [("my clip.mp4", ""), ("b.mp4", "1"), ("c", "")]


def test_the_line_of_a_row_counts_empty_lines(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a.mp4 0\n\n\nb.mp4 1\n")
    assert [row.line for row in read_rows(tmp_path / "a.txt").rows] == [1, 4]


@pytest.mark.parametrize(
    "columns",
    [
        ("label", "youtube_id", "time_start", "time_end", "split"),
        ("split", "time_end", "is_cc", "youtube_id", "label", "time_start"),
    ],
)
def test_the_csv_of_kinetics_is_read_in_any_order_of_columns(tmp_path: Path, columns: tuple[str, ...]) -> None:
    cells = [
        {"label": '"riding a bike"', "split": "train", "is_cc": "0"},
        {"label": "archery", "split": "validate", "is_cc": "1"},
    ]
    for row, moment in zip(cells, MOMENTS, strict=True):
        row |= {"youtube_id": moment.youtube_id, "time_start": str(moment.start), "time_end": f"{moment.end}.0"}
    lines = [",".join(columns).upper(), *(",".join(row[column] for column in columns) for row in cells)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    rows = read_rows(tmp_path / "a.csv").rows
    assert [row.moment for row in rows] == MOMENTS
    assert [row.label for row in rows] == ["riding a bike", "archery"]
    assert [row.split for row in rows] == ["train", "validate"]


def test_the_json_of_kinetics_is_read(tmp_path: Path) -> None:
    value = {
        moment.youtube_id: {"annotations": {"label": "archery", "segment": [moment.start, moment.end]}, "subset": "val"}
        for moment in MOMENTS
    }
    (tmp_path / "a.json").write_text(json.dumps(value))
    rows = read_rows(tmp_path / "a.json").rows
    assert [row.moment for row in rows] == MOMENTS
    assert {(row.label, row.split) for row in rows} == {("archery", "val")}


def test_a_list_for_testing_may_lack_labels(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("youtube_id,time_start,time_end,split\nabc,1,11,test\n")
    (row,) = read_rows(tmp_path / "test.csv").rows
    assert (row.label, row.moment) == ("", Moment("abc", 1, 11))


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.txt", "", "the list is empty"),
        ("a.txt", "\n \n", "the list is empty"),
        ("a.csv", "label,youtube_id,time_start,time_end,split\n", "the list is empty"),
        ("a.json", "[]", "the list is empty"),
        ("a.json", "{}", "the list is empty"),
        ("a.json", "[1, ", "no valid JSON"),
        ("a.json", "3", "expected"),
        ("a.json", '[["a.mp4", [1, 2]]]', "entry 1: expected"),
        ("a.json", '[{"label": 1}]', "entry 1: expected"),
        ("a.json", '{"abc": {"duration": 10}}', "entry 1: expected"),
        (
            "a.txt",
            "b.mp4 1\na.mp4,0,extra\n",
            "line 2: expected a path and one label, got the path 'a.mp4' and '0,extra'",
        ),
        ("a.csv", "b.mp4,1\na.mp4,0,extra\n", "line 2: expected a path and one label"),
        ("a.csv", "b.mp4,1,2\n", "line 1: expected a path and one label"),
        ("a.txt", "b.mp4 300 1\n", "line 1: expected a path and one label, got the path 'b.mp4' and '300 1'"),
        ("a.csv", "filename,label\na.mp4,archery\n", "line 1: path 'filename', label 'label' looks like a header"),
        ("a.txt", "video class\na.mp4 1\n", "line 1: path 'video', label 'class' looks like a header"),
        ("a.csv", "path,label\nb.mp4,1\na.mp4,0,extra\n", "line 3: expected 2 cells (path, label), got 3"),
        ("a.csv", "label,youtube_id,time_start,time_end\na,b,1\n", "line 2: expected 4 cells"),
        ("a.csv", "label,youtube_id,time_start,time_end\na,b,1,12.5\n", "line 2: expected whole seconds"),
        ("a.csv", "label,youtube_id,time_start,time_end\na,b,0.5,12\n", "got start 0.5, end 12"),
        ("a.json", '{"abc": {"annotations": {"segment": [1.5, 11.5]}}}', "entry 1: expected whole seconds"),
        (
            "a.csv",
            "label,youtube_id,time_start,time_end\na,b,nan,1\n",
            "line 2: expected an id and two ascending times",
        ),
        ("a.csv", "label,youtube_id,time_start,time_end\na,b,11,1\n", "line 2: expected an id and two ascending times"),
        ("a.csv", "label,youtube_id,time_start,time_end\na,b,x,1\n", "line 2: expected an id and two ascending times"),
        ("a.csv", "label,youtube_id,time_start,time_end\na,,0,1\n", "line 2: expected an id and two ascending times"),
    ],
)
def test_a_faulty_list_is_told_with_file_and_line(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ClipListError) as caught:
        read_rows(tmp_path / name)
    assert told in str(caught.value)
    assert name in str(caught.value)


def test_a_missing_list_and_one_that_is_no_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(ClipListError, match=r"nowhere\.txt"):
        read_rows(tmp_path / "nowhere.txt")
    (tmp_path / "a.txt").write_bytes(b"a.mp4 \xff\xfe\n")
    with pytest.raises(ClipListError, match="UTF-8"):
        read_rows(tmp_path / "a.txt")
