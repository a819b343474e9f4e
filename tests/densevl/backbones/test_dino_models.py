from __future__ import annotations

import pytest
import timm

from densevl.backbones.dino_models import make_vit, require_plain_vit
from densevl.core.errors import ConfigError, UnknownNameError, UsageError
from densevl.weights import TABLE
from tests.tiny import TINY_DINO

TINY = {"depth": 1, "embed_dim": 24, "num_heads": 3}


def test_the_sizes_of_a_config_are_those_of_the_model() -> None:
    vit = make_vit({"patch": 8, "dim": 24, "depth": 2, "heads": 4, "native_img": 32, "ln_eps": 1e-5})
    assert vit.patch_embed.proj.weight.shape == (24, 3, 8, 8)
    assert vit.pos_embed.shape == (1, 1 + 4 * 4, 24)
    assert (len(vit.blocks), vit.blocks[0].attn.num_heads, vit.norm.eps) == (2, 4, 1e-5)
    assert vit.blocks[0].attn.qkv.bias is not None


def test_the_norms_eps_is_dinos_own_where_the_config_is_silent() -> None:
    silent = {key: value for key, value in TINY_DINO.items() if key != "ln_eps"}
    assert make_vit(silent).norm.eps == 1e-6


@pytest.mark.parametrize("name", sorted({row.timm for row in TABLE.values() if row.timm}))
def test_every_model_of_the_table_is_one_that_the_view_walks(name: str) -> None:
    vit = make_vit({"timm": name, **TINY})
    require_plain_vit(vit)
    assert len(vit.blocks) == 1


def test_a_faulty_config_says_what_is_missing_and_what_is_unknown() -> None:
    with pytest.raises(ConfigError, match="missing here: heads; unknown: head"):
        make_vit({**{key: value for key, value in TINY_DINO.items() if key != "heads"}, "head": 3})
    with pytest.raises(ConfigError, match="does not take this config of vit_small_patch16_224"):
        make_vit({"timm": "vit_small_patch16_224.dino", "depht": 3})


@pytest.mark.parametrize("name", ["vit_small_patch16_244.dino", "vit_small_patch16_224.dina"])
def test_an_unknown_model_or_tag_of_timm_gives_the_nearest(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"vit_small_patch16_224\.dino"):
        make_vit({"timm": name})


@pytest.mark.parametrize(
    ("name", "options"), [("convnext_atto", {}), ("resmlp_12_224", {}), ("eva02_base_patch14_224", {"depth": 1})]
)
def test_a_model_without_a_fused_projection_is_refused(name: str, options: dict[str, int]) -> None:
    vit = timm.create_model(name, pretrained=False, **options)
    with pytest.raises(UsageError, match="no ViT with one projection"):
        require_plain_vit(vit)
