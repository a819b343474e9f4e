"""Trident's own steps at the size of ViT-B: windows pooled and spliced, and SAM's aggregation by rows of queries."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from densevl.bench.scenario import Scenario

if TYPE_CHECKING:
    from torch import Tensor

    from densevl.backbones import SAMBackbone

_WIDTH, _HEADS, _GRID = 768, 12, 64
_PATCH, _PICTURE = 16, (576, 864)  # pixels that CLIP and DINO see
_LARGE_GRID = (36, 54)  # of the canvas
_SPLICE_TOLERANCE, _ENCODER_TOLERANCE = 1e-4, 1e-3
_MOST_FLIPS = 1e-3  # share of places where a similarity lies at the threshold itself


def scenarios() -> list[Scenario]:
    """12 windows of 336 px, a picture of 1024 x 1024 px in SAM, and SAM's encoder."""
    return [
        Scenario("trident-splice", prepare_windows, splice, plain_splice, compare_splice, quick=False),
        Scenario("sam-aggregate", prepare_bonds, aggregate, plain_aggregate, compare_places, quick=False),
        Scenario("sam-encoder", prepare_encoder, encode, plain_encode, compare_encoder, quick=False),
    ]


def prepare_windows() -> dict[str, Any]:
    """Values and guide [W, D, 21, 21] of 12 windows, their boxes, and CLIP's last projection."""
    import torch

    from densevl.ops.windows import window_boxes

    generator = torch.Generator().manual_seed(0)
    boxes = window_boxes(*_PICTURE, crop=336, stride=224) // _PATCH
    shape = (len(boxes), _WIDTH, 21, 21)
    block = SimpleNamespace(ls_1=torch.nn.Identity(), attn=SimpleNamespace(out_proj=_projection(generator)))
    return {
        "values": torch.randn(shape, generator=generator),
        "guide": torch.randn(shape, generator=generator),
        "boxes": boxes,
        "clip_model": SimpleNamespace(blocks=[block]),
    }


def _projection(generator: Any) -> Any:
    import torch

    layer = torch.nn.Linear(_WIDTH, _WIDTH)
    for parameter in layer.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) * _WIDTH**-0.5
    return layer.requires_grad_(False)


def splice(inputs: dict[str, Any]) -> Tensor:
    """Ours."""
    from densevl.extractors.trident import pool_by_guide
    from densevl.ops.windows import splice_windows

    maps = pool_by_guide(inputs["clip_model"], inputs["values"], inputs["guide"], beta=1.2, gamma=3.0)
    return splice_windows(maps, inputs["boxes"])


def plain_splice(inputs: dict[str, Any]) -> Tensor:
    """Every head attends on its own, with the same affinities; then window after window onto the canvas."""
    import torch
    import torch.nn.functional as F

    guide = F.normalize(inputs["guide"], dim=1).flatten(2)  # [W, G, N]
    affinity = guide.transpose(1, 2) @ guide
    affinity = (affinity - affinity.mean() * 1.2) * 3.0
    affinity[affinity < 0] = -torch.inf
    count, tokens = affinity.shape[:2]
    affinity = affinity[:, None].repeat(1, _HEADS, 1, 1).softmax(dim=-1)  # [W, heads, N, N]
    values = inputs["values"].reshape(count, _HEADS, -1, tokens).transpose(2, 3)  # [W, heads, N, d]
    pooled = (affinity @ values).transpose(1, 2).reshape(count, tokens, _WIDTH)
    maps = inputs["clip_model"].blocks[-1].attn.out_proj(pooled).transpose(1, 2).reshape(inputs["values"].shape)
    canvas, hits = torch.zeros(_WIDTH, *_LARGE_GRID), torch.zeros(_LARGE_GRID)
    for window, (x0, y0, x1, y1) in zip(maps, inputs["boxes"].tolist(), strict=True):
        canvas[:, y0:y1, x0:x1] += window
        hits[y0:y1, x0:x1] += 1
    return canvas / hits


def compare_splice(inputs: dict[str, Any], ours: Tensor, reference: Tensor) -> tuple[bool, float]:
    """Equal within rounding."""
    difference = float((ours - reference).abs().max())
    return difference <= _SPLICE_TOLERANCE, difference


def prepare_bonds() -> dict[str, Any]:
    """Queries, keys and values of SAM ViT-B's last block at random, and a canvas."""
    import torch

    generator = torch.Generator().manual_seed(0)
    depth = _WIDTH // _HEADS
    query, key, values = torch.randn(3, 1, _HEADS, _GRID, _GRID, depth, generator=generator)
    rel_rows, rel_cols = torch.randn(2, _GRID, _GRID, depth, generator=generator) * 0.1
    canvas = torch.randn(_WIDTH, *_LARGE_GRID, generator=generator)
    return {"parts": (query, key, values, rel_rows, rel_cols), "canvas": canvas}


def aggregate(inputs: dict[str, Any]) -> Tensor:
    """Ours: [64, 64, D]."""
    from densevl.backbones.sam_attention import RowAttention
    from densevl.ops.guidance import aggregate_canvas

    last = RowAttention(*inputs["parts"])
    return aggregate_canvas(inputs["canvas"], [(last.flat_rows(), last.values[0])])


def plain_aggregate(inputs: dict[str, Any]) -> Tensor:
    """Attention and similarity of all heads as whole matrices."""
    import torch
    import torch.nn.functional as F

    query, key, values, rel_rows, rel_cols = inputs["parts"]
    flat_query, flat_key, flat_values = (part[0].flatten(1, 2) for part in (query, key, values))  # [heads, M, d]
    attention = (flat_query * flat_query.shape[-1] ** -0.5) @ flat_key.transpose(1, 2)  # [heads, M, M]
    by_row = torch.einsum("khwd,hid->khwi", query[0], rel_rows)[..., None]
    by_col = torch.einsum("khwd,wjd->khwj", query[0], rel_cols)[..., None, :]
    attention = attention + (by_row + by_col).reshape(attention.shape)
    attention = attention.softmax(dim=-1)
    unit = F.normalize(flat_values, dim=-1)
    similarity = unit @ unit.transpose(1, 2)
    threshold = (similarity.mean(dim=(0, 2)) * 1.2).clamp(max=0.9)
    attention[similarity <= threshold[:, None]] = 0
    weights = attention.mean(dim=0)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    canvas = F.interpolate(inputs["canvas"][None], size=(_GRID, _GRID), mode="bilinear", align_corners=False)[0]
    return (weights @ canvas.flatten(1).T).unflatten(0, (_GRID, _GRID))


def compare_places(inputs: dict[str, Any], ours: Tensor, reference: Tensor) -> tuple[bool, float]:
    """Equal within rounding, but for few places where a similarity at the threshold fell on the other side."""
    differences = (ours - reference).abs().amax(dim=-1)  # [64, 64]
    flipped = float((differences > _SPLICE_TOLERANCE).float().mean())
    return flipped <= _MOST_FLIPS, float(differences.max())


def random_sam(name: str = "vit_b") -> SAMBackbone:
    """A SAM of a published size with random weights, always the same."""
    import torch

    from densevl.backbones.sam import SAMBackbone
    from densevl.backbones.sam_models import make_sam, sizes_of

    sam = make_sam(sizes_of({"sam": name}), {})
    generator = torch.Generator().manual_seed(0)
    for tensor in sam.state_dict().values():
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.02)
    return SAMBackbone(sam)


def prepare_encoder() -> dict[str, Any]:
    """SAM ViT-B, and a picture [1, 3, 1024, 1024]."""
    import torch

    return {"sam": random_sam(), "pixels": torch.rand(1, 3, 1024, 1024, generator=torch.Generator().manual_seed(0))}


def encode(inputs: dict[str, Any]) -> Tensor:
    """Ours, without the backbone's memory of walks: every run pays for the whole encoder."""
    import torch

    from densevl.backbones.sam_attention import run_block

    sam = inputs["sam"]
    with torch.inference_mode():
        tokens = sam.embed(inputs["pixels"])
        for block in sam.blocks[:-1]:
            tokens = run_block(block, tokens)
        return sam.finish(tokens)


def plain_encode(inputs: dict[str, Any]) -> Tensor:
    """segment_anything's own forward pass."""
    import torch

    sam = inputs["sam"]
    with torch.inference_mode():
        return sam.sam.image_encoder(sam.normalise(inputs["pixels"]))


def compare_encoder(inputs: dict[str, Any], ours: Tensor, reference: Tensor) -> tuple[bool, float]:
    """Equal within rounding."""
    difference = float((ours - reference).abs().max())
    return difference <= _ENCODER_TOLERANCE, difference
