import pytest

from densevl.core.errors import DataError, UnknownNameError
from densevl.vocab import load_templates, template_names


@pytest.mark.parametrize("name", template_names())
def test_every_set_has_one_place_for_the_name_in_each_template(name):
    templates = load_templates(name)
    assert len(set(templates)) == len(templates) > 0
    for template in templates:
        assert template.format("x y") == template.replace("{}", "x y")
        assert template.count("{}") == 1


def test_the_imagenet_set_is_the_80_of_open_clip_in_order():
    from open_clip import OPENAI_IMAGENET_TEMPLATES

    templates = load_templates("imagenet80")
    assert len(templates) == 80
    assert [template.format("cat") for template in templates] == [make("cat") for make in OPENAI_IMAGENET_TEMPLATES]


def test_the_small_sets_are_spelled_as_published():
    assert load_templates("plain") == ("a photo of a {}.",)
    assert load_templates("name") == ("{}",)
    assert load_templates("lite") == ("{}", "a photo of a {}.")
    assert load_templates("laion2") == ("a photo of a {}", "a photo of an {}")
    assert load_templates("plain1") == ("a {}",)


def test_a_file_of_your_own_is_read(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("# aerial\nan aerial photo of {}.\n\n{} from above \n")
    assert load_templates(file) == load_templates(str(file)) == ("an aerial photo of {}.", "{} from above")


@pytest.mark.parametrize("line", ["a photo", "{} and {}", "a {0}", "a {} in {place}", "a {} }"])
def test_a_line_without_exactly_one_place_is_named(tmp_path, line):
    file = tmp_path / "mine.txt"
    file.write_text(f"{{}}\n{line}\n")
    with pytest.raises(DataError, match=r"mine\.txt line 2: expected exactly one"):
        load_templates(file)


def test_an_empty_an_absent_and_a_binary_file_are_data_errors(tmp_path):
    (tmp_path / "empty.txt").write_text("# nothing\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe{}")
    for name, message in (("empty", "no template"), ("absent", "cannot read"), ("binary", "cannot read")):
        with pytest.raises(DataError, match=message):
            load_templates(tmp_path / f"{name}.txt")


def test_an_unknown_set_names_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean imagenet80"):
        load_templates("imagenet")
