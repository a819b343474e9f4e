"""What a model is asked with: a config's section, changes of a user, and published protocols for other models."""

from __future__ import annotations

import pytest

from densevl.core.config import read_config
from densevl.core.errors import ClassListError, ConfigError, UnknownNameError, UsageError
from densevl.tasks.protocol import Protocol, like, published_protocols, read_protocol
from densevl.vocab import parse_classes


def test_without_a_section_the_data_sets_own_words_are_asked() -> None:
    protocol = read_protocol(None, "camvid")
    assert protocol == Protocol(parse_classes("camvid"), 0.0, None, "")


def test_a_section_is_read_and_changes_replace_its_fields() -> None:
    section = {"like": "trident", "classes": "a; b", "threshold": 0.2, "templates": "plain"}
    protocol = read_protocol(section, "x; y", classes=None, templates="name")
    assert protocol == Protocol(parse_classes("a; b"), 0.2, "name", "trident")
    assert read_protocol({"threshold": {"a": 0.5}}, "a; b").threshold == {"a": 0.5}


@pytest.mark.parametrize(
    ("section", "kind", "words"),
    [
        ({"thresh": 0.2}, ConfigError, "protocol has no 'thresh'"),
        ({"threshold": 1.5}, UsageError, "1.5"),
        ({"threshold": {"z": 0.5}}, UsageError, "no such class"),
        ({"classes": "a; a"}, ClassListError, "already a class"),
        ({"templates": "imagenet81"}, UnknownNameError, "imagenet80"),
    ],
)
def test_faulty_sections_get_one_message(section: dict[str, object], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        read_protocol(section, "a; b")


def test_words_may_be_spelled_otherwise_and_not_stand_in_another_order() -> None:
    protocol = read_protocol(None, "tv, monitor; sofa; ship")
    protocol.check(("tv", "sofa", "ship"))
    protocol.check(("tvmonitor", "sofa", "boat"))
    with pytest.raises(ConfigError, match=r"'tv' stands where the data set has 'sofa' \(id 0\)"):
        protocol.check(("sofa", "tv", "ship"))
    with pytest.raises(ConfigError, match="2 classes of the data set, got 3"):
        protocol.check(("tv", "sofa"))


def test_a_published_protocol_brings_its_words_thresholds_and_geometry() -> None:
    published = read_config("trident-b16-voc21").to_dict()
    section, overrides = like("trident", "voc21", read_config("maskclip-lite-voc21"))
    assert {key: section[key] for key in ("classes", "threshold")} == {
        key: published["protocol"][key] for key in ("classes", "threshold")
    }
    assert section["templates"] == "imagenet80"
    assert overrides["model.geometry.short_side"] == published["model"]["geometry"]["short_side"]
    assert overrides["model.geometry.window"] == published["model"]["extractor"]["window"]
    assert overrides["model.geometry.stride"] == published["model"]["extractor"]["step"]
    assert overrides["model.rivals"] is False


def test_it_reaches_a_model_whose_extractor_holds_the_window() -> None:
    section, overrides = like("sclip", "coco_object", read_config("trident-b16"))
    published = read_config("sclip-b16-coco-object").to_dict()
    assert section["like"] == "sclip"
    assert overrides["model.extractor.window"] == published["model"]["geometry"]["window"]


def test_unknown_protocols_name_the_known_ones() -> None:
    assert {"trident", "sclip", "clip-dinoiser"} <= set(published_protocols("voc21"))
    with pytest.raises(UnknownNameError, match="did you mean trident"):
        like("tridant", "voc21", read_config("lite"))
    with pytest.raises(UsageError, match="nothing is published for the data set 'folders'"):
        like("trident", "folders", read_config("lite"))
