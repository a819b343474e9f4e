"""video.load: names, configs, and what is for pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import densevl
import video
from densevl.backbones import load_lite
from densevl.core.config import build, model_configs, read_config
from densevl.core.errors import ConfigError, UnknownNameError, UsageError, WeightsError
from densevl.engine.checkpoint import save_release
from densevl.tasks.load import choose_model
from video.loading import PREFERENCE
from video.models import LiteFrameMean
from video.views import ClipViews


def test_the_embedded_model_loads_by_name_and_as_auto() -> None:
    classifier = video.load("vifi-clip-lite", "cpu", **{"model.views.num_frames": 5})
    assert isinstance(classifier, video.VideoClassifier)
    assert classifier.name == "vifi-clip-lite" and "num_frames=5" in classifier.config_text
    assert classifier.views.num_frames == 5 and "no order" in classifier.limits
    assert not classifier.training
    assert isinstance(densevl.load("vifi-clip-lite", "cpu"), video.VideoClassifier)


def test_auto_takes_the_embedded_model_on_a_bare_machine(bare_machine: object) -> None:
    assert choose_model(PREFERENCE)[0] == "vifi-clip-lite"


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


def test_weights_of_our_training_say_what_they_saw_and_flags_come_first(tmp_path: Path) -> None:
    recogniser = LiteFrameMean(load_lite())
    views = {"size": 96, "num_frames": 4, "rule": "uniform", "stride": 1}
    own = save_release(tmp_path, "own", {**recogniser.to_checkpoint(1), "views": views})
    for file in (own, own.with_suffix(".safetensors")):
        assert video.load("vifi-clip-lite", "cpu", weights=file).views == ClipViews(**views)
    chosen = video.load("vifi-clip-lite", "cpu", weights=own, **{"model.views.size": 64})
    assert chosen.views == ClipViews(**{**views, "size": 64})
    published = save_release(tmp_path, "published", recogniser.to_checkpoint(1))
    assert video.load("vifi-clip-lite", "cpu", weights=published).views == video.load("vifi-clip-lite", "cpu").views


def test_weights_for_nobody_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="need a model"):
        video.load(weights="best.pt")
    config = tmp_path / "own.py"
    config.write_text(
        "model = dict(type='video.VideoClassifier', recogniser=dict(type='tests.video.fakes.ColourRecogniser'))"
    )
    with pytest.raises(UsageError, match="takes no other weights"):
        video.load(config, weights="best.pt")
    with pytest.raises(WeightsError, match="absent"):
        video.load("vifi-clip-lite", "cpu", weights=tmp_path / "absent.pt")


def test_a_config_of_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    pictures = model_configs("segmentation")["maskclip-lite"]
    for weights in (None, "best.pt"):
        with pytest.raises(ConfigError, match="is no video model"):
            video.load(pictures, "cpu", weights=weights)


@pytest.mark.parametrize("views", [[1], {"bogus": 3}, "4x3"])
def test_views_that_a_file_of_weights_cannot_mean_are_named_with_the_file(tmp_path: Path, views: object) -> None:
    odd = save_release(tmp_path, "odd", {"model": {"x": torch.zeros(1)}, "views": views})
    with pytest.raises(WeightsError, match=r"odd\.pt: what it says of the views"):
        video.load("vifi-clip-lite", "cpu", weights=odd)
