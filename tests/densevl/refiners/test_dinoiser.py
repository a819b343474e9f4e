"""DINOiser's two convolutions, their checkpoint, and what does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from densevl.core.errors import ConfigError, WeightsError
from densevl.core.structures import FeatureMap
from densevl.engine.checkpoint import save_release
from densevl.refiners import DINOiserRefiner, load_dinoiser


def make_refiner(threshold: float | None = 0.2) -> DINOiserRefiner:
    torch.manual_seed(0)
    return DINOiserRefiner(12, 6, threshold=threshold).eval().requires_grad_(False)


def make_map(batch: int = 2) -> FeatureMap:
    generator = torch.Generator().manual_seed(1)
    draw = [torch.randn(batch, channels, 5, 7, generator=generator) for channels in (8, 12)]
    return FeatureMap(draw[0], draw[1])


def test_pooled_features_are_the_plain_weighted_mean() -> None:
    refiner, feature_map = make_refiner(), make_map()
    assert feature_map.guide is not None
    affinity = refiner.correlate(feature_map.guide)
    affinity[affinity < 0.2] = 0
    values = feature_map.features.flatten(2)
    expected = torch.einsum("bdq,bpq->bdp", values, affinity) / (affinity.sum(2)[:, None] + 1e-6)
    refined = refiner(feature_map)
    torch.testing.assert_close(refined.features.flatten(2), expected, atol=1e-5, rtol=1e-5)
    assert refined.objectness is not None and refined.objectness.shape == (2, 1, 5, 7)
    assert refined.guide is feature_map.guide


def test_a_batch_equals_its_pictures_alone() -> None:
    refiner, feature_map = make_refiner(), make_map()
    together = refiner(feature_map)
    for index in range(2):
        assert feature_map.guide is not None
        alone = refiner(FeatureMap(feature_map.features[index : index + 1], feature_map.guide[index : index + 1]))
        torch.testing.assert_close(together.features[index : index + 1], alone.features, atol=1e-6, rtol=1e-5)


def test_a_checkpoint_goes_out_and_comes_back(tmp_path: Path) -> None:
    refiner = make_refiner()
    torch.save(refiner.to_checkpoint(epoch=3), tmp_path / "last.pt")
    for source in (tmp_path / "last.pt", str(tmp_path / "last.pt"), refiner.to_checkpoint(3)):
        again = DINOiserRefiner.from_checkpoint(source)
        for name, tensor in refiner.state_dict().items():
            torch.testing.assert_close(again.state_dict()[name], tensor, atol=0, rtol=0)
    assert load_dinoiser(str(tmp_path / "last.pt"), threshold=None).threshold is None
    assert refiner.to_checkpoint(3)["epoch"] == 3


def test_a_missing_tensor_or_another_file_is_refused(tmp_path: Path) -> None:
    state = make_refiner().to_checkpoint(0)["model_state_dict"]
    with pytest.raises(WeightsError, match="missing"):
        DINOiserRefiner.from_checkpoint({name: state[name] for name in state if name != "bkg_decoder.bias"})
    torch.save({"head.weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"other\.pt has no obj_proj"):
        DINOiserRefiner.from_checkpoint(tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"no weights file .*absent\.pt"):
        load_dinoiser(str(tmp_path / "absent.pt"))


def test_a_guide_of_another_width_or_none_says_what_to_do() -> None:
    with pytest.raises(WeightsError, match="12 channels, the extractor gives 10"):
        make_refiner()(FeatureMap(torch.zeros(1, 8, 5, 7), torch.zeros(1, 10, 5, 7)))
    with pytest.raises(ConfigError, match="guide_block"):
        make_refiner()(FeatureMap(torch.zeros(1, 8, 5, 7)))


def test_another_tap_of_the_same_width_is_refused_where_both_are_known(tmp_path: Path) -> None:
    torch.save(make_refiner().to_checkpoint(0), tmp_path / "last.pt")
    refiner, feature_map = load_dinoiser(str(tmp_path / "last.pt"), guide_block=-3), make_map()
    expected = refiner(feature_map).features  # this map does not say its tap
    torch.testing.assert_close(refiner(replace(feature_map, guide_block=-3)).features, expected)
    for tap in (-2, "final"):
        with pytest.raises(WeightsError, match=f"trained on guide_block=-3, the extractor gives {tap!r}"):
            refiner(replace(feature_map, guide_block=tap))


def test_what_our_training_writes_says_its_tap_in_both_forms(tmp_path: Path) -> None:
    refiner = DINOiserRefiner(48, 8, guide_block=-2)
    path = save_release(tmp_path, "last", refiner.to_checkpoint(3))
    for file in (path, path.with_suffix(".safetensors")):
        assert DINOiserRefiner.from_checkpoint(file).guide_block == -2
        with pytest.raises(WeightsError, match=r"trained on guide_block=-2, asked for is -3"):
            DINOiserRefiner.from_checkpoint(file, guide_block=-3)
    content = refiner.to_checkpoint(3)
    content.pop("guide_block")  # as published
    assert DINOiserRefiner.from_checkpoint(content, guide_block=-3).guide_block == -3


@pytest.mark.parametrize("gamma", [None, 0, 0.0])
def test_a_gamma_of_nothing_keeps_negative_cosines_as_published(gamma: float | None) -> None:
    refiner, feature_map = make_refiner(gamma), make_map()
    assert feature_map.guide is not None
    affinity = refiner.correlate(feature_map.guide)
    assert (affinity < 0).any()
    pooled = feature_map.features.flatten(2) @ affinity.transpose(1, 2) / (affinity.sum(2)[:, None] + 1e-6)
    torch.testing.assert_close(refiner(feature_map).features.flatten(2), pooled, atol=1e-4, rtol=1e-4)


def test_it_runs_on_the_meta_device() -> None:
    refined = make_refiner().to("meta")(
        FeatureMap(torch.zeros(1, 8, 5, 7, device="meta"), torch.zeros(1, 12, 5, 7, device="meta"))
    )
    assert refined.features.shape == (1, 8, 5, 7) and refined.features.device.type == "meta"
