from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from densevl.bench import trident
from densevl.bench.measure import measure_peaks
from tests.tiny import tiny_sam

LIMIT_MB = 1500
SCRIPT = """
from pathlib import Path
import numpy as np, torch
from open_clip import get_model_config
from open_clip.model import CLIP
from densevl.backbones import CLIPBackbone, DINOBackbone
from densevl.backbones.dino_models import make_vit
from densevl.bench.trident import random_sam
from densevl.extractors import TridentExtractor

field = lambda name: int(Path("/proc/self/status").read_text().split(name + ":")[1].split()[0]) / 1024
dino = DINOBackbone(make_vit({"timm": "vit_base_patch16_224.dino"}))
clip_model = CLIPBackbone(CLIP(**get_model_config("ViT-B-16")), weights_id="random")
trident = TridentExtractor(clip_model, dino, random_sam("vit_b"))
original = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
pixels = torch.rand(1, 3, 448, 448)
Path("/proc/self/clear_refs").write_text("5")
loaded = field("VmRSS")
with torch.inference_mode():
    features = trident(pixels, [original]).features
print(tuple(features.shape[2:]), round(field("VmHWM") - loaded, 1))
"""


def test_splicing_agrees_with_the_plain_form_and_a_changed_value_shows() -> None:
    inputs = trident.prepare_windows()
    ours, plain = trident.splice(inputs), trident.plain_splice(inputs)
    assert trident.compare_splice(inputs, ours, plain)[0]
    ours[3, 5, 7] += 1e-2
    assert not trident.compare_splice(inputs, ours, plain)[0]


def test_aggregation_agrees_with_the_plain_form_but_for_few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trident, "_GRID", 16)
    inputs = trident.prepare_bonds()
    ours, plain = trident.aggregate(inputs), trident.plain_aggregate(inputs)
    assert ours.shape == (16, 16, 768)
    assert trident.compare_places(inputs, ours, plain)[0]
    assert not trident.compare_places(inputs, ours + 1e-2, plain)[0]


def test_encoders_are_compared_value_by_value() -> None:
    embedding = torch.rand(1, 8, 4, 4)
    assert trident.compare_encoder({}, embedding, embedding) == (True, 0.0)
    assert not trident.compare_encoder({}, embedding, embedding + 1)[0]


def test_every_run_of_the_encoder_walks_all_its_blocks() -> None:
    inputs = {"sam": tiny_sam(), "pixels": torch.rand(1, 3, 128, 128)}
    walked: list[int] = []
    inputs["sam"].blocks[0].register_forward_hook(lambda *_: walked.append(1))
    ours = [trident.encode(inputs) for _ in range(2)]
    assert len(walked) == 2
    assert all(trident.compare_encoder(inputs, one, trident.plain_encode(inputs))[0] for one in ours)


@pytest.mark.slow
def test_the_aggregation_holds_a_small_part_of_its_matrices() -> None:
    assert measure_peaks(["sam-aggregate"])[0] < 300  # one of the two takes 805 MB


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the kernel's accounts")
def test_a_picture_of_1024_pixels_stays_below_the_limit_above_the_weights() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    grid, grown = done.stdout.rsplit(maxsplit=1)
    assert grid == "(64, 64)"
    assert float(grown) < LIMIT_MB
