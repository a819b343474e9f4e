from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from densevl.core.errors import UnknownNameError
from densevl.weights import get_row, verify
from tests.densevl.weights.test_locate import hub_copy, write


def test_the_packaged_weights_are_the_published_ones() -> None:
    for name in ("efficientnet-lite0", "all-minilm-l6-v2"):
        check = verify(name)
        assert check.state == "right"
        assert check.found == get_row(name).sha256
        assert check.path.stat().st_size == get_row(name).size


def test_missing_weights_are_missing(bare_machine: Path) -> None:
    assert verify("clip-vit-b16-openai").state == "missing"


def test_a_published_hash_that_differs_is_wrong(bare_machine: Path) -> None:
    write(bare_machine / ".cache" / "clip" / "ViT-B-16.pt", b"damaged")
    check = verify("clip-vit-b16-openai")
    assert check.state == "wrong"
    assert check.found == hashlib.sha256(b"damaged").hexdigest()


def test_the_hubs_own_hash_is_what_a_hub_file_is_held_to(bare_machine: Path) -> None:
    copy = hub_copy(bare_machine / "hub", "laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "open_clip_model.safetensors")
    assert verify("clip-vit-b16-laion2b").state == "right"
    copy.resolve().write_bytes(b"some weight!")
    assert verify("clip-vit-b16-laion2b").state == "wrong"


def test_a_copy_of_unknown_hash_is_not_called_right(bare_machine: Path) -> None:
    write(bare_machine / "cache" / "weights" / "clip-vit-b16-laion2b.safetensors")
    assert verify("clip-vit-b16-laion2b").state == "hash not known"


def test_an_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="efficientnet-lite0"):
        verify("efficientnet-lite")
