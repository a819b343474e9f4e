from pathlib import Path

import pytest

from densevl.core.errors import SourceError
from densevl.data import output_names
from densevl.data.output_names import refuse_clashes


def test_names_of_their_own_pass_and_one_name_of_two_files_does_not():
    refuse_clashes([Path("a.mp4"), Path("b.mp4")], ["a", "b"])
    with pytest.raises(SourceError, match=r"a\.mp4 and a\.webm would both become the output 'a': rename"):
        refuse_clashes([Path("a.mp4"), Path("a.webm")], ["a", "a"])
    with pytest.raises(SourceError, match=r"the output 'a' \(2 more such pairs\): rename"):
        refuse_clashes([Path(f"{k}.png") for k in range(5)], ["a", "a", "b", "a", "b"])


def test_names_that_differ_in_case_or_form_clash_only_where_the_output_folder_folds_them(tmp_path, monkeypatch):
    paths = [Path("1.png"), Path("2.png")]
    for names in (["a/é", "A/é"], ["é", "e\u0301"]):
        monkeypatch.setattr(output_names, "_folds_case", lambda folder: False)
        refuse_clashes(paths, names, exclude=tmp_path)
        monkeypatch.setattr(output_names, "_folds_case", lambda folder: True)
        with pytest.raises(SourceError, match="both become"):
            refuse_clashes(paths, names, exclude=tmp_path)


def test_an_output_does_not_stand_where_a_folder_of_outputs_must():
    refuse_clashes([Path("x/a.jpg"), Path("x/a.txt/b.jpg")], ["x/a", "x/a.txt/b"])
    with pytest.raises(SourceError, match=r"x/a\.jpg would be written where the folder of x/a\.png/b\.jpg must stand"):
        refuse_clashes([Path("x/a.jpg"), Path("x/a.png/b.jpg")], ["x/a", "x/a.png/b"])
