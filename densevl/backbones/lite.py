"""The embedded default: EfficientNet-Lite0 sees, MiniLM reads, a closed-form map joins them. Nothing is downloaded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from densevl.backbones.lite_text import SentenceEncoder, TextMap, known_vectors
from densevl.weights import get_row, load_strict, locate, read_state_dict

IMAGE_WEIGHTS, TEXT_WEIGHTS = "efficientnet-lite0", "all-minilm-l6-v2"
GUIDE_BLOCKS = 4  # of 7; their output, 80 channels at stride 16, tells patches apart best
_LARGEST = 6.0  # of the activation ReLU6
_ENDS = {"conv_stem": "conv_stem", "bn0": "bn1", "conv_head": "conv_head", "bn1": "bn2", "fc": "classifier"}
_CONVS = ("expand_conv", "depthwise_conv", "project_conv")


class LiteModel(nn.Module):
    """Image and text tower of `lite`, and the map from words to image features.

    Args:
        image_state: EfficientNet-Lite0's tensors under their published names (`_conv_stem.weight` ...).
        sentence_encoder: the text tower.
        known_vectors: [N, 384] of the names it knows, see lite_text.known_vectors.
        weights_id: names the text weights; the key of vectors cached on disk.

    Raises:
        WeightsError: the tensors are not EfficientNet-Lite0's.
    """

    templates = "lite"

    def __init__(
        self,
        image_state: Mapping[str, Tensor],
        sentence_encoder: SentenceEncoder,
        *,
        known_vectors: Tensor,
        weights_id: str,
    ) -> None:
        super().__init__()
        import timm

        self.image_net = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        load_strict(self.image_net, map_names(image_state, self.image_net), name=IMAGE_WEIGHTS)
        self.sentence_encoder = sentence_encoder
        self.text_map = TextMap(self.image_net.classifier.weight.detach(), known_vectors)
        self.weights_id = weights_id
        last_norm = self.image_net.bn2
        usual = mean_after_relu6(last_norm.bias.detach(), last_norm.weight.detach())
        self.register_buffer("usual_features", usual, persistent=False)  # [1280]
        self.eval().requires_grad_(False)
        fold_norms(self.image_net)
        self.image_net.to(memory_format=torch.channels_last)

    def encode_image(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels [B, 3, H, W] in [0, 1] -> features [B, 1280, H/32, W/32] and guide [B, 80, H/16, W/16]."""
        net = self.image_net
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        guide = net.blocks[:GUIDE_BLOCKS](net.bn1(net.conv_stem(pixels * 2 - 1)))
        return net.bn2(net.conv_head(net.blocks[GUIDE_BLOCKS:](guide))), guide

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Prompts -> [n, 384] unit vectors."""
        return self.sentence_encoder(prompts)

    def match_space(self, vectors: Tensor) -> Tensor:
        """Unit vectors of names [Q, 384] -> [Q, 1280] unit vectors in the space of image features."""
        return self.text_map(vectors)


def load_lite() -> LiteModel:
    """The embedded model, from the two packages that carry its weights.

    Raises:
        WeightsError: a package is missing or its file is not the published one; says what to install.
    """
    image_file, text_file = locate(IMAGE_WEIGHTS), locate(TEXT_WEIGHTS)
    weights_id = f"{TEXT_WEIGHTS}-{str(get_row(TEXT_WEIGHTS).sha256)[:16]}"
    encoder = SentenceEncoder(text_file.parent)
    vectors = known_vectors(encoder, weights_id)
    return LiteModel(read_state_dict(image_file), encoder, known_vectors=vectors, weights_id=weights_id)


def map_names(state: Mapping[str, Tensor], net: nn.Module) -> dict[str, Tensor]:
    """The published tensors under the names of timm's tf_efficientnet_lite0; unknown names are kept as they are."""
    places = [f"blocks.{stage}.{index}" for stage, blocks in enumerate(net.blocks) for index in range(len(blocks))]
    return {_map_name(name, places): tensor for name, tensor in state.items()}


def _map_name(name: str, places: Sequence[str]) -> str:
    part, _, rest = name.removeprefix("_").partition(".")
    if part != "blocks":
        return f"{_ENDS.get(part, part)}.{rest}"
    number, _, rest = rest.partition(".")
    part, _, leaf = rest.removeprefix("_").partition(".")
    if not number.isdigit() or int(number) >= len(places):
        return name
    return f"{places[int(number)]}.{_block_part(part, first=int(number) == 0)}.{leaf}"


def _block_part(part: str, *, first: bool) -> str:
    """The first block has no expansion, so its convolutions and norms count from one place earlier."""
    if part in _CONVS:
        return {"expand_conv": "conv_pw", "depthwise_conv": "conv_dw"}.get(part, "conv_pw" if first else "conv_pwl")
    if part in ("bn0", "bn1", "bn2"):
        return f"bn{int(part[2:]) + (0 if first else 1)}"
    return part


def fold_norms(module: nn.Module) -> None:
    """Merge every frozen batch norm into the convolution before it; what is left of it is its activation."""
    children = list(module.named_children())
    for (_, conv), (name, norm) in pairwise(children):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
            conv.weight, conv.bias = fuse_conv_bn_weights(conv.weight, conv.bias, *statistics)
            setattr(module, name, norm.act)
    for _, child in children:
        fold_norms(child)


def mean_after_relu6(mean: Tensor, deviation: Tensor) -> Tensor:
    """[C] mean of min(max(x, 0), 6) for normal x: a batch norm's bias and weight tell what its layer usually gives."""
    deviation = deviation.abs().clamp(min=1e-6)

    def above(limit: float) -> Tensor:  # mean of max(x - limit, 0)
        z = (mean - limit) / deviation
        return deviation * (z * torch.special.ndtr(z) + torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))

    return above(0.0) - above(_LARGEST)
