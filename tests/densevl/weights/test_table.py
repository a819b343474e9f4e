from __future__ import annotations

import re

import pytest

from densevl.core.errors import UnknownNameError
from densevl.weights import TABLE, find_clip_row, find_hash, get_row

CLIP_ROWS = [row for row in TABLE.values() if row.clip is not None]


@pytest.mark.parametrize("row", CLIP_ROWS, ids=lambda row: row.name)
def test_a_clip_row_says_what_open_clip_says(row) -> None:
    from open_clip.pretrained import get_pretrained_cfg

    theirs = get_pretrained_cfg(*row.clip)
    assert theirs, f"open_clip does not know {row.clip}"
    assert row.quick_gelu == bool(theirs.get("quick_gelu"))
    assert f"hf:{theirs['hf_hub'].rstrip('/')}" in row.sources
    if row.source.startswith("https:"):
        assert row.source == theirs["url"]


@pytest.mark.parametrize("row", TABLE.values(), ids=lambda row: row.name)
def test_every_row_has_a_licence_and_a_whole_hash_or_none(row) -> None:
    assert row.licence
    assert row.sha256 is None or re.fullmatch("[0-9a-f]{64}", row.sha256)
    assert row.source.split(":")[0] in {"https", "hf", "pypi"}


@pytest.mark.parametrize("row", [row for row in TABLE.values() if row.timm], ids=lambda row: row.name)
def test_a_dino_row_says_what_timm_says(row) -> None:
    import timm

    theirs = timm.get_pretrained_cfg(row.timm)
    assert f"hf:{theirs.hf_hub_id}" in row.sources
    assert row.hub_files == ("model.safetensors", "pytorch_model.bin")
    assert row.licence.lower().replace(" ", "-") == theirs.license
    if row.source.startswith("https:"):
        assert row.source == theirs.url


def test_the_families_of_the_promise_are_there() -> None:
    for model in ("ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "ViT-H-14"):
        assert any(row.clip[0] == model for row in CLIP_ROWS), model
    for tag in ("openai", "laion2b", "datacomp", "dfn", "metaclip"):
        assert find_clip_row("ViT-B-16", tag) is not None, tag


def test_a_clip_row_is_found_by_short_and_by_full_tag() -> None:
    short = find_clip_row("ViT-B-16", "laion2b")
    assert short is find_clip_row("ViT-B-16", "laion2b_s34b_b88k")
    assert short is get_row("clip-vit-b16-laion2b")
    assert find_clip_row("ViT-B-16", "laion400m_e32") is None


def test_a_known_hash_names_its_row() -> None:
    assert find_hash(get_row("clip-vit-l14-openai").sha256).clip == ("ViT-L-14", "openai")
    assert find_hash("0" * 64) is None


def test_an_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="clip-vit-b16-openai"):
        get_row("clip-vit-b16-openia")
