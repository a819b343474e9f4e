"""video.load: names, configs, and what is for pictures."""

from __future__ import annotations

import pytest

import densevl
import video
from densevl.core.config import build, model_configs, read_config
from densevl.core.errors import UnknownNameError
from video.loading import PREFERENCE
from video.views import ClipViews


def test_the_embedded_model_loads_by_name_and_as_auto() -> None:
    classifier = video.load("vifi-clip-lite", "cpu", **{"model.views.num_frames": 5})
    assert isinstance(classifier, video.VideoClassifier)
    assert classifier.name == "vifi-clip-lite" and "num_frames=5" in classifier.config_text
    assert classifier.views.num_frames == 5 and "no order" in classifier.limits
    assert not classifier.training
    assert isinstance(densevl.load("vifi-clip-lite", "cpu"), video.VideoClassifier)


def test_auto_takes_the_embedded_model_on_a_bare_machine(bare_machine: object) -> None:
    assert video.load("auto", "cpu").name == "vifi-clip-lite"


def test_auto_prefers_models_that_exist() -> None:
    assert set(PREFERENCE) == set(model_configs("video"))


@pytest.mark.parametrize("name", sorted(model_configs("video")))
def test_every_video_config_says_what_it_sees(name: str) -> None:
    config = read_config(name)
    assert config.model.type == "video.VideoClassifier" and config.weights
    assert isinstance(build(config.model.views), ClipViews)


@pytest.mark.parametrize("name", ["lite", "maskclip-b16", "vifi-clip-light"])
def test_a_model_of_pictures_or_nobody_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"unknown video model.*vifi-clip-"):
        video.load(name, "cpu")
