import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densevl.core.errors import PictureError, SourceError
from densevl.core.files import sha256_bytes
from densevl.core.stages import Source
from densevl.data import output_names
from densevl.data.folders import CLIP_FILES, WRITTEN_FOLDERS, find_files, open_source
from tests.clips import make_clip


@pytest.fixture
def tree(tmp_path):
    """A function that makes tiny pictures (or, without a picture's suffix, text) below a folder."""

    def make(*names):
        root = tmp_path / "photos"
        for i, name in enumerate(names):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix.lower() in (".png", ".jpg", ".tif"):
                Image.new("RGB", (4, 3), (i, 0, 0)).save(path, "PNG")
            else:
                path.write_text("text")
        return root

    return make


def test_a_folder_is_searched_deeply_sorted_and_without_hidden_files(tree):
    root = tree("b.png", "a/z.JPG", "a/y.tif", ".hidden.png", ".git/c.png", "notes.txt", "a.b.png")
    source = open_source(str(root))
    assert source.names() == ("a.b", "a/y", "a/z", "b")
    assert [path.name for path in source.paths] == ["a.b.png", "y.tif", "z.JPG", "b.png"]
    assert len(source) == 4


def test_it_is_a_source_that_gives_pixels_and_the_hash_of_the_file(tree):
    root = tree("a.png", "b.png")
    source = open_source(str(root))
    assert isinstance(source, Source)
    picture, digest = source.read(1)
    assert picture.shape == (3, 4, 3)
    assert picture[0, 0].tolist() == [1, 0, 0]
    assert digest == sha256_bytes((root / "b.png").read_bytes())


def test_a_bad_picture_is_named_when_it_is_read(tree):
    root = tree("a.png")
    (root / "a.png").write_bytes(b"")
    with pytest.raises(PictureError, match=r"a\.png: the file is empty"):
        open_source(str(root)).read(0)


def test_one_file_is_taken_whatever_its_suffix(tree):
    root = tree("a.png")
    (root / "a.png").rename(root / "a.dat")
    source = open_source(str(root / "a.dat"))
    assert source.names() == ("a",)
    assert source.read(0)[0].shape == (3, 4, 3)


def test_a_glob_names_outputs_from_its_fixed_part(tree):
    root = tree("a/1.png", "a/b/2.png", "a/b/3.jpg", "c/4.png")
    assert open_source(f"{root}/a/**/*.png").names() == ("1", "b/2")
    assert open_source(f"{root}/*/*.png").names() == ("a/1", "c/4")
    assert open_source(f"{root}/**/a/**/*.png").names() == ("a/1", "a/b/2")


def test_relative_sources_work_from_the_folder_itself(tree, monkeypatch):
    monkeypatch.chdir(tree("1.png", "a/2.png"))
    assert open_source(".").names() == ("1", "a/2")
    assert open_source("*.png").names() == ("1",)
    assert open_source("a/../1.png").names() == ("1",)


def test_a_file_with_brackets_in_its_name_is_no_glob(tree):
    root = tree("a[1].png")
    assert open_source(str(root / "a[1].png")).names() == ("a[1]",)


def test_a_list_holds_paths_relative_to_itself_each_once(tree):
    root = tree("a/1.png", "2.png")
    (root / "list.txt").write_text("# mine\n\na/1.png\r\n  2.png  \n./a/../2.png\n", encoding="utf-8-sig")
    source = open_source(str(root / "list.txt"))
    assert source.names() == ("a/1", "2")
    assert [source.read(i)[0].shape for i in range(2)] == [(3, 4, 3)] * 2


def test_names_of_a_list_that_leaves_its_folder_start_at_the_common_one(tree):
    root = tree("lists/x.txt", "a/1.png", "b/2.png")
    (root / "lists" / "x.txt").write_text(f"../a/1.png\n{root}/b/2.png\n")
    assert open_source(str(root / "lists" / "x.txt")).names() == ("a/1", "b/2")


@pytest.mark.parametrize("line", ["../../../../x/1.png", "/elsewhere/x/1.png", "a/../../1.png"])
def test_no_name_leaves_the_output_folder(tree, line):
    root = tree("list.txt", "2.png")
    (root / "list.txt").write_text(f"{line}\n2.png\n")
    for name in open_source(str(root / "list.txt")).names():
        assert not os.path.isabs(name)
        assert ".." not in Path(name).parts


def test_an_absent_picture_of_a_list_fails_alone(tree):
    root = tree("list.txt", "1.png")
    (root / "list.txt").write_text("gone.png\n1.png\n")
    source = open_source(str(root / "list.txt"))
    with pytest.raises(PictureError, match="no such file"):
        source.read(0)
    assert source.read(1)[0].shape == (3, 4, 3)


def test_a_dash_reads_paths_from_stdin(tree, monkeypatch):
    monkeypatch.chdir(tree("a/1.png", "2.png"))
    assert open_source("-", stdin=io.StringIO("a/1.png\n2.png\n")).names() == ("a/1", "2")
    monkeypatch.setattr("sys.stdin", io.StringIO("2.png\n"))
    assert open_source("-").names() == ("2",)


@pytest.mark.parametrize(
    ("files", "source", "parts"),
    [
        ([], "", ["does not exist", "-"]),
        ([], "gone", ["'gone' does not exist", "folder"]),
        ([], "x" * 400, ["does not exist"]),
        ([], "gone/*.png", ["no pictures in the pattern", "no files"]),
        (["a.heic", "b.HEIC", "c.md", "README"], ".", ["2 .heic", "1 .md", "1 no suffix", ".jpg", "list"]),
        (["a.heic"], "*.heic", ["1 .heic", "looked for"]),
        (["empty.txt"], "empty.txt", ["names no pictures", "one path a line"]),
        (["a/1.png", "a/1.jpg"], ".", ["a/1.jpg", "a/1.png", "both become the output 'a/1'", "rename"]),
    ],
)
def test_a_source_without_a_clear_meaning_says_cause_and_cure(tree, tmp_path, monkeypatch, files, source, parts):
    tree(*files)
    (tmp_path / "photos").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / "photos")
    if source == "empty.txt":
        Path(source).write_text("# nothing\n")
    with pytest.raises(SourceError) as caught:
        open_source(source)
    assert caught.value.exit_code == 3
    for part in parts:
        assert part in str(caught.value)


def test_a_list_that_is_no_utf8_is_a_source_error(tree):
    root = tree("list.txt")
    (root / "list.txt").write_bytes("ä.png\n".encode("latin-1"))
    with pytest.raises(SourceError, match="UTF-8"):
        open_source(str(root / "list.txt"))


def test_a_folder_that_cannot_be_read_is_a_source_error(tree, monkeypatch):
    root = tree("a.png", "locked/b.png")
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(SourceError, match=r"locked cannot be read \(Permission denied\)"):
        open_source(str(root))


def test_outputs_of_an_earlier_run_are_no_inputs(tree):
    root = tree("a.png", "out/labels/a.png", "out/overlay/a.jpg")
    assert open_source(str(root), exclude=root / "out").names() == ("a",)
    assert open_source(f"{root}/**/*.png", exclude=root / "out").names() == ("a",)
    assert len(open_source(str(root))) == 3


def test_outputs_of_any_run_below_the_source_are_no_inputs(tree):
    root = tree("a.png", "out/labels/b/a.png", "out/overlay/a.jpg", "out/own.png", "labels/c.png")
    assert len(open_source(str(root)).names()) == 5
    for mark in ("journal.jsonl", "run.json"):
        (root / "out" / mark).write_text("{}")
    assert open_source(str(root), exclude=root / "other").names() == ("a", "labels/c", "out/own")
    assert open_source(str(root / "out/labels")).names() == ("b/a",)


def test_where_the_output_folder_is_or_holds_the_source_only_what_a_run_writes_is_left_out(tree):
    root = tree("a.png", "b/c.png", "labels/a.png", "overlay/b/c.jpg")
    assert open_source(str(root), exclude=root).names() == ("a", "b/c")
    assert open_source(str(root / "b"), exclude=root).names() == ("c",)
    assert open_source(str(root / "labels"), exclude=root).names() == ("a",)


def test_only_outputs_left_says_so(tree):
    root = tree("labels/a.png")
    with pytest.raises(SourceError, match="1 pictures that an earlier run wrote"):
        open_source(str(root), exclude=root)


def test_every_folder_a_writer_writes_is_known():
    from densevl.visualize import WRITERS

    assert {writer.path("x").split("/")[0] for writer in WRITERS.values()} == set(WRITTEN_FOLDERS)


def test_names_that_differ_in_case_clash_only_where_the_output_folder_folds_case(tree, tmp_path, monkeypatch):
    root = tree("a/1.png", "A/1.png")
    assert len(open_source(str(root), exclude=tmp_path / "out")) == 2
    monkeypatch.setattr(output_names, "_folds_case", lambda folder: True)
    with pytest.raises(SourceError, match="both become"):
        open_source(str(root), exclude=tmp_path / "out")


def test_a_link_to_a_folder_is_followed_and_a_circle_ends(tree, tmp_path):
    root = tree("a/1.png")
    (tmp_path / "other").mkdir()
    Image.new("L", (1, 1)).save(tmp_path / "other" / "2.png")
    (root / "linked").symlink_to(tmp_path / "other")
    (root / "a" / "up").symlink_to(root)
    (root / "broken.png").symlink_to(root / "gone.png")
    assert open_source(str(root)).names() == ("a/1", "linked/2")


def test_a_name_that_is_no_utf8_gets_an_output_name_that_is(tree):
    root = tree("x.png")
    try:
        (root / "x.png").rename(root / os.fsdecode(b"b\xffd.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    source = open_source(str(root))
    assert source.names() == ("b\ufffdd",)
    assert np.array_equal(source.read(0)[0], np.zeros((3, 4, 3), np.uint8))


def test_a_picture_and_a_folder_of_one_output_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SourceError, match="rename one"):
        open_source(str(tmp_path))


def test_a_folder_with_clips_gives_their_frames_beside_its_pictures(tree):
    root = tree("a.png", "notes.md")
    make_clip(root / "sub.mp4", frames=3)
    (root / "deep").mkdir()
    make_clip(root / "deep" / "b.MKV", frames=3)
    source = open_source(str(root), every=2)
    assert source.names() == (
        "a",
        "deep/b/00-00-00.000",
        "deep/b/00-00-00.067",
        "sub/00-00-00.000",
        "sub/00-00-00.067",
    )


def test_a_clip_may_be_named_alone_in_a_glob_or_in_a_list(tree):
    root = tree("a.png")
    clip = make_clip(root / "b.mp4", frames=3)
    (root / "list.txt").write_text("b.mp4\n")
    for text in (str(clip), str(root / "*.mp4"), str(root / "list.txt")):
        assert open_source(text).names() == ("b/00-00-00.000",)


def test_two_clips_of_one_name_are_refused(tree):
    root = tree("x.png")
    make_clip(root / "a.mp4", frames=1)
    make_clip(root / "a.mkv", frames=1)
    with pytest.raises(SourceError, match=r"a\.mkv.* and .*a\.mp4 would both become the output 'a/00-00-00\.000'"):
        open_source(str(root))


def test_frames_and_a_picture_of_one_name_are_refused(tree):
    root = tree("a/00-00-00.000.png")
    make_clip(root / "a.mp4", frames=1)
    with pytest.raises(SourceError, match=r"would both become"):
        open_source(str(root))


def test_clips_alone_are_found_where_clips_are_asked_for(tree, tmp_path):
    root = tree("b.png", "a/z.mp4", "y.WEBM", "notes.txt")
    paths, names = find_files(str(root), CLIP_FILES)
    assert ([path.name for path in paths], names) == (["z.mp4", "y.WEBM"], ["a/z", "y"])
    with pytest.raises(SourceError, match=r"no clips in the pattern .*found 1 \.png"):
        find_files(str(root / "*.png"), CLIP_FILES)
    with pytest.raises(SourceError, match="give a clip, a folder"):
        find_files(str(root / "gone"), CLIP_FILES)
