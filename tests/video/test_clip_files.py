from __future__ import annotations

from pathlib import Path

import pytest

from densevl.core.errors import SourceError
from video.clip_files import ClipIndex, Moment, find_clips, fold_class, is_kinetics_name, parse_stem


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


@pytest.mark.parametrize("youtube_id", ["---QUuC4vJs", "_a_b_000001", "abc"])
def test_a_timed_name_gives_back_the_moment_it_was_made_of(youtube_id: str) -> None:
    moment = Moment(youtube_id, 84, 94)
    assert parse_stem(moment.stem) == moment
    assert moment.stem.endswith("_000084_000094")
    assert moment.seconds == 10


def test_names_without_times_are_no_moments_but_an_id_is_a_kinetics_name() -> None:
    assert parse_stem("---QUuC4vJs") is None
    assert is_kinetics_name("---QUuC4vJs")
    assert is_kinetics_name("abc_000001_000011")
    assert not is_kinetics_name("00007")


def test_classes_are_equal_however_folders_spell_them() -> None:
    assert (
        len({fold_class(name) for name in ["riding a bike", "riding_a_bike", '"Riding a bike"', "riding  a_bike"]}) == 1
    )
    assert fold_class("riding a bike") != fold_class("riding a mule")


def test_clips_are_found_below_a_folder_without_hidden_and_other_files(tmp_path: Path) -> None:
    kept = [tmp_path / "b" / "c" / "2.webm", tmp_path / "a.MP4"]
    touch(*kept, tmp_path / ".x.mp4", tmp_path / ".cache" / "y.mp4", tmp_path / "list.txt")
    assert find_clips(tmp_path) == tuple(sorted(kept))


def test_a_circle_of_links_is_walked_once(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4")
    (tmp_path / "again").symlink_to(tmp_path)
    assert find_clips(tmp_path) == (tmp_path / "a.mp4",)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere"):
        find_clips(tmp_path / "nowhere")


def test_both_rules_of_naming_find_the_clip_and_the_timed_name_goes_first(tmp_path: Path) -> None:
    moment = Moment("---QUuC4vJs", 84, 94)
    timed = tmp_path / "val" / f"{moment.stem}.mp4"
    in_class, elsewhere = tmp_path / "riding_a_bike" / "---QUuC4vJs.mp4", tmp_path / "bowling" / "---QUuC4vJs.mp4"
    touch(in_class, elsewhere)
    index = ClipIndex.of(tmp_path, find_clips(tmp_path))
    assert index.find(moment, "riding a bike") == (in_class,)
    assert set(index.find(moment)) == {in_class, elsewhere}
    touch(timed)
    index = ClipIndex.of(tmp_path, find_clips(tmp_path))
    assert index.find(moment, "riding a bike") == (timed,)
    assert index.find(Moment("---QUuC4vJs", 1, 11), "bowling") == (elsewhere,)


def test_a_missing_clip_has_the_place_where_it_would_lie(tmp_path: Path) -> None:
    index = ClipIndex.of(tmp_path, ())
    moment = Moment("abc", 1, 11)
    assert index.find(moment) == ()
    assert index.path_of(moment) == tmp_path / "abc_000001_000011.mp4"
