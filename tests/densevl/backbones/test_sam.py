from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from segment_anything import SamPredictor
from torch.testing import assert_close

from densevl.backbones import SAMBackbone
from densevl.core.errors import ConfigError, ShapeError, UnknownNameError, WeightsError
from tests.tiny import TINY_SAM, tiny_sam, tiny_sam_weights

ONE_SIDE = {**TINY_SAM, "img": 64}  # 4 x 4 tokens


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("cfg", [TINY_SAM, ONE_SIDE, {**TINY_SAM, "window": 14}], ids=["tiny", "64 px", "wide window"])
def test_the_walk_equals_segment_anything(cfg: dict[str, object]) -> None:
    sam = tiny_sam(cfg)
    pixels = torch.rand(2, 3, sam.image_size, sam.image_size)
    assert_close(sam.encode_image(pixels), sam.sam.image_encoder(sam.normalise(pixels)), atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(40, 100), (200, 30), (7, 9), (64, 64)])
def test_pictures_are_encoded_as_segment_anythings_predictor_does(size: tuple[int, int]) -> None:
    sam = tiny_sam()
    predictor = SamPredictor(sam.sam)
    predictor.set_image(picture(*size))
    pixels = sam.fit(picture(*size))
    assert tuple(pixels.shape[2:]) == tuple(predictor.input_size) == sam.fitted_size(*size)
    assert_close(sam.encode_image(pixels), predictor.features, atol=1e-5, rtol=0)


def test_prompts_give_the_predictors_masks() -> None:
    sam = tiny_sam()
    predictor = SamPredictor(sam.sam)
    predictor.set_image(picture(64, 128))
    point, label, box = torch.tensor([[[20.0, 30.0]]]), torch.tensor([[1]]), torch.tensor([[4.0, 5.0, 60.0, 50.0]])
    prompt = torch.randn(1, 1, 32, 32)
    _, iou, logits = predictor.predict_torch(point, label, box, prompt, multimask_output=False)
    embedding = sam.encode_image(sam.fit(picture(64, 128)))
    found = sam.decode(embedding, points=(point, label), boxes=box, masks=prompt)
    assert_close(found[0], logits, atol=1e-4, rtol=0)
    assert_close(found[1], iou, atol=1e-4, rtol=0)
    assert found[0].shape == (1, 1, 32, 32)
    assert sam.decode(embedding, boxes=box)[0].shape == (1, 1, 32, 32)
    assert sam.upscale(found[0], sam.fitted_size(50, 100), (50, 100)).shape == (1, 1, 50, 100)


def test_a_batch_gives_what_its_pictures_give() -> None:
    sam, pixels = tiny_sam(), torch.rand(3, 3, 128, 48)
    singles = torch.cat([sam.encode_image(one) for one in pixels.split(1)])
    assert_close(sam.encode_image(pixels), singles, atol=1e-5, rtol=0)


def test_the_valid_grid_is_what_is_no_padding_and_never_empty() -> None:
    sam = tiny_sam()
    assert sam.valid_grid(torch.empty(1, 3, 128, 70)) == (8, 4)
    assert sam.valid_grid(torch.empty(1, 3, 5, 128)) == (1, 8)


def test_padding_is_black_after_normalising() -> None:
    sam, pixels = tiny_sam(), torch.rand(1, 3, 64, 128)
    padded = F.pad(sam.normalise(pixels), (0, 0, 0, 64))
    assert_close(sam.encode_image(pixels), sam.sam.image_encoder(padded), atol=1e-6, rtol=0)


def test_it_keeps_the_models_dtype_and_runs_on_the_meta_device() -> None:
    sam = tiny_sam()
    assert deepcopy(sam).double().encode_image(torch.rand(1, 3, 64, 128, dtype=torch.double)).dtype == torch.double
    sam = sam.to("meta")
    embedding = sam.encode_image(torch.empty(2, 3, 128, 90, device="meta"))
    assert (embedding.device.type, embedding.shape) == ("meta", (2, 32, 8, 8))


@pytest.mark.parametrize("pixels", [torch.rand(3, 64, 64), torch.zeros(1, 3, 64, 64).byte(), torch.rand(1, 3, 64, 129)])
def test_other_pixels_are_refused(pixels: torch.Tensor) -> None:
    with pytest.raises(ShapeError, match=r"no side above 128, got .*see fit"):
        tiny_sam().embed(pixels)


def test_every_published_size_has_its_tensors() -> None:
    from segment_anything import sam_model_registry

    from densevl.backbones.sam_models import SIZES, make_sam

    for name, sizes in SIZES.items():
        with torch.device("meta"):
            expected = sam_model_registry[name]().state_dict()
        found = make_sam(sizes, {}, device="meta").state_dict()
        assert {key: tensor.shape for key, tensor in found.items()} == {k: t.shape for k, t in expected.items()}


def test_weights_of_another_size_give_one_clear_message() -> None:
    table = torch.zeros(1, 64, 64, 1024)
    with pytest.raises(
        WeightsError, match=r"^these weights are of SAM vit_l, the model is SAM vit_b: give the weights"
    ):
        SAMBackbone.from_config({"sam": "vit_b"}, {"image_encoder.pos_embed": table})
    with pytest.raises(WeightsError, match="no SAM's"):
        SAMBackbone.from_config({"sam": "vit_b"}, {"cls_token": table})


def test_a_missing_tensor_stops_the_load() -> None:
    weights = tiny_sam_weights()
    del weights["mask_decoder.iou_token.weight"]
    with pytest.raises(WeightsError, match=r"1 missing \(mask_decoder\.iou_token\.weight\)"):
        SAMBackbone.from_config(TINY_SAM, weights)


def test_faulty_configs_are_named() -> None:
    weights = tiny_sam_weights()
    with pytest.raises(UnknownNameError, match="vit_b"):
        SAMBackbone.from_config({"sam": "vit_bb"}, weights)
    with pytest.raises(ConfigError, match=r"missing here: depth; unknown: deep"):
        SAMBackbone.from_config({key.replace("depth", "deep"): value for key, value in TINY_SAM.items()}, weights)
    with pytest.raises(ConfigError, match="last of 3 blocks must be global"):
        SAMBackbone.from_config({**TINY_SAM, "global_idx": (0,)}, weights)


def test_fitting_uses_pillows_low_pass_filter() -> None:
    large = picture(500, 300)
    fitted = tiny_sam().fit(large)
    expected = np.asarray(Image.fromarray(large).resize((77, 128), Image.Resampling.BILINEAR))
    assert_close(fitted[0], torch.from_numpy(expected / np.float32(255)).permute(2, 0, 1))
