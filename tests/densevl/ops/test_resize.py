from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from densevl.core.errors import ShapeError
from densevl.core.structures import ScoreMap
from densevl.ops import resize
from densevl.ops.resize import class_map, label_picture, log_total, window_class_map
from densevl.ops.windows import merge_windows, window_boxes

SIZES = [(1, 1), (1, 5000), (9, 1), (7, 9), (20, 30), (131, 203), (5, 4)]


@pytest.fixture(params=["numba", "torch"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to the class map: compiled, and plain torch as where numba is absent."""
    if request.param == "torch":
        monkeypatch.setitem(sys.modules, "numba", None)
    return request.param


def smooth_scores(classes: int, grid: tuple[int, int], seed: int = 0, windows: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(windows, classes, max(1, grid[0] // 2), max(1, grid[1] // 2), generator=generator)
    return F.interpolate(coarse, grid, mode="bicubic", align_corners=False)


def assert_plain(found: tuple[np.ndarray, np.ndarray], scores: Tensor) -> None:
    """Labels and confidence of scores [K, H, W] at full size, except where the two best are equal to rounding."""
    labels, confidence = found
    best = scores.topk(min(2, len(scores)), dim=0).values
    settled = (best[0] - best[-1] >= 1e-6).numpy() | (len(scores) == 1)
    assert settled.mean() > 0.99
    np.testing.assert_array_equal(labels[settled], scores.argmax(0).numpy()[settled])
    np.testing.assert_allclose(confidence, best[0].numpy(), atol=1e-5)


def plain_windows(score_map: ScoreMap, size: tuple[int, int]) -> Tensor:
    """Resize, crop, add, divide, resize: [K, H, W]."""
    extent = tuple(int(side) for side in score_map.extent)
    total, hits = torch.zeros(score_map.scores.shape[1], *score_map.canvas), torch.zeros(score_map.canvas)
    for window, (x0, y0, x1, y1) in zip(score_map.scores, score_map.boxes.tolist(), strict=True):
        up = F.interpolate(window[None], extent, mode="bilinear", align_corners=False)[0]
        total[:, y0:y1, x0:x1] += up[:, : y1 - y0, : x1 - x0]
        hits[y0:y1, x0:x1] += 1
    return F.interpolate((total / hits)[None], size, mode="bilinear", align_corners=False)[0]


def windowed_map(canvas: tuple[int, int], crop: int, stride: int, *, classes: int = 9, pad: int = 0) -> ScoreMap:
    boxes = window_boxes(*canvas, crop=crop, stride=stride)
    extent = (min(crop, canvas[0]) + pad, min(crop, canvas[1]) + pad)
    scores = smooth_scores(classes, (5, 6), windows=len(boxes))
    return ScoreMap(scores, canvas, extent, boxes)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", [1, 3, 40])
def test_labels_equal_interpolation_and_argmax(path: str, classes: int, size: tuple[int, int]) -> None:
    scores = smooth_scores(classes, (7, 9))
    plain = F.interpolate(scores, size, mode="bilinear", align_corners=False)[0]
    assert_plain(class_map(scores[0], size), plain)


@pytest.mark.parametrize("grid", [(1, 1), (1, 6), (2, 2)])
def test_tiny_grids_work(path: str, grid: tuple[int, int]) -> None:
    scores = torch.randn(1, 5, *grid, generator=torch.Generator().manual_seed(1))
    plain = F.interpolate(scores, (150, 170), mode="bilinear", align_corners=False)[0]
    assert_plain(class_map(scores[0], (150, 170)), plain)


def test_scores_without_any_smoothness_are_exact_too(path: str) -> None:
    scores = torch.randn(1, 30, 12, 17, generator=torch.Generator().manual_seed(2))
    plain = F.interpolate(scores, (90, 140), mode="bilinear", align_corners=False)[0]
    assert_plain(class_map(scores[0], (90, 140)), plain)


def test_a_padded_grid_is_interpolated_to_the_padded_picture_and_cropped(path: str) -> None:
    scores = smooth_scores(11, (7, 9))
    plain = F.interpolate(scores, (112, 144), mode="bilinear", align_corners=False)[0, :, :100, :131]
    assert_plain(class_map(scores[0], (100, 131), canvas=(100, 131), extent=(112, 144)), plain)
    twice = F.interpolate(scores, (224, 288), mode="bilinear", align_corners=False)[0, :, :200, :262]
    assert_plain(class_map(scores[0], (200, 262), canvas=(100, 131), extent=(112, 144)), twice)


@pytest.mark.parametrize("size", [*SIZES, (400, 390)])
@pytest.mark.parametrize(("canvas", "crop", "stride"), [((70, 100), 32, 16), ((33, 47), 32, 13), ((20, 64), 32, 32)])
def test_windows_equal_the_mean_on_the_canvas(
    path: str, size: tuple[int, int], canvas: tuple[int, int], crop: int, stride: int
) -> None:
    score_map = windowed_map(canvas, crop, stride)
    assert_plain(window_class_map(score_map, size), plain_windows(score_map, size))


def test_padded_windows_are_cropped_before_the_mean(path: str) -> None:
    score_map = windowed_map((50, 70), 30, 15, pad=6)
    assert_plain(window_class_map(score_map, (90, 111)), plain_windows(score_map, (90, 111)))


def test_the_order_of_the_boxes_does_not_matter(path: str) -> None:
    score_map = windowed_map((50, 70), 30, 15)
    order = torch.randperm(len(score_map.boxes), generator=torch.Generator().manual_seed(0))
    mixed = ScoreMap(score_map.scores[order], score_map.canvas, score_map.extent, score_map.boxes[order])
    for found, expected in zip(label_picture(mixed, (80, 90)), label_picture(score_map, (80, 90)), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_large_grid_is_laid_out_in_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    score_map = windowed_map((70, 100), 32, 16)
    whole = label_picture(score_map, (140, 150))
    monkeypatch.setattr(resize, "_BAND_FLOATS", 1)
    for found, expected in zip(label_picture(score_map, (140, 150)), whole, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_label_picture_takes_one_step_without_boxes_and_two_with_them(path: str) -> None:
    scores = smooth_scores(6, (7, 9))
    single = ScoreMap(scores, (100, 131), (112, 144))
    expected = class_map(scores[0], (60, 70), canvas=(100, 131), extent=(112, 144))
    np.testing.assert_array_equal(label_picture(single, (60, 70))[0], expected[0])
    windowed = windowed_map((50, 70), 30, 15)
    np.testing.assert_array_equal(label_picture(windowed, (60, 70))[0], window_class_map(windowed, (60, 70))[0])


@pytest.mark.parametrize("windows", [False, True])
def test_logits_become_probabilities_behind_the_interpolation(
    path: str, windows: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resize, "_BAND_FLOATS", 9 * 150 * 10)  # several bands
    if windows:
        score_map = windowed_map((100, 131), 64, 32)
        full = plain_windows(score_map, (99, 150))
    else:
        score_map = ScoreMap(smooth_scores(9, (7, 9)), (112, 144), (112, 144))
        full = F.interpolate(score_map.scores, (99, 150), mode="bilinear", align_corners=False)[0]
    labels, confidence = label_picture(replace(score_map, scores=3 * score_map.scores, logits=True), (99, 150))
    assert_plain((labels, confidence), (3 * full).softmax(dim=0))
    np.testing.assert_array_equal(labels, label_picture(score_map, (99, 150))[0])


def test_interpolated_scores_are_those_that_labels_are_made_of() -> None:
    whole = ScoreMap(smooth_scores(9, (7, 9)), (100, 131), (112, 144))
    up = F.interpolate(whole.scores, (112, 144), mode="bilinear", align_corners=False)[..., :100, :131]
    torch.testing.assert_close(resize.interpolate_scores(whole, (100, 131)), up[0], atol=1e-5, rtol=0)
    windowed = windowed_map((100, 131), 64, 32)
    expected = plain_windows(windowed, (99, 150))
    torch.testing.assert_close(resize.interpolate_scores(windowed, (99, 150)), expected, atol=1e-5, rtol=0)


def test_the_lowest_class_wins_a_tie(path: str) -> None:
    scores = smooth_scores(4, (6, 6))[0]
    doubled = torch.cat([scores, scores, scores - 1])
    labels, confidence = class_map(doubled, (75, 80))
    expected, expected_confidence = class_map(scores, (75, 80))
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(confidence, expected_confidence)
    assert not class_map(torch.zeros(5, 3, 3), (20, 20))[0].any()


@pytest.mark.parametrize(("classes", "kind"), [(255, np.uint8), (256, np.uint16), (1203, np.uint16)])
def test_labels_are_16_bit_above_255_classes(path: str, classes: int, kind: type) -> None:
    scores = torch.zeros(classes, 2, 3)
    scores[-1] = 1
    labels, confidence = class_map(scores, (40, 50))
    assert labels.dtype == kind
    assert confidence.dtype == np.float32
    assert (labels == classes - 1).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_score_types_give_the_labels_of_their_values(path: str, dtype: torch.dtype) -> None:
    scores = smooth_scores(8, (6, 7))[0].to(dtype)
    np.testing.assert_array_equal(class_map(scores, (50, 60))[0], class_map(scores.float(), (50, 60))[0])


def test_scores_are_left_as_they_were(path: str) -> None:
    scores = smooth_scores(8, (6, 7))[0].requires_grad_()
    before = scores.detach().clone()
    class_map(scores, (50, 60))
    assert torch.equal(scores, before)


def test_faulty_input_says_what_was_expected(path: str) -> None:
    scores = torch.zeros(3, 4, 5)
    with pytest.raises(ShapeError, match=r"\[K, h, w\]"):
        class_map(scores[None], (8, 8))
    with pytest.raises(ShapeError, match="at least 1 x 1"):
        class_map(scores, (0, 8))
    with pytest.raises(ShapeError, match="at least one class"):
        class_map(scores[:0], (8, 8))
    with pytest.raises(ShapeError, match="finite"):
        class_map(torch.full((3, 4, 5), torch.nan), (8, 8))
    with pytest.raises(ShapeError, match="extent"):
        class_map(scores, (8, 8), canvas=(64, 80), extent=(60, 80))
    with pytest.raises(ShapeError, match="extent"):
        class_map(scores, (8, 8), extent=(60, 80))


def test_faulty_windows_say_what_was_expected() -> None:
    whole = windowed_map((50, 70), 30, 15)
    with pytest.raises(ShapeError, match="window_boxes"):
        label_picture(ScoreMap(whole.scores[1:], whole.canvas, whole.extent, whole.boxes[1:]), (8, 8))
    with pytest.raises(ShapeError, match="lies in none"):
        label_picture(ScoreMap(whole.scores, (60, 70), whole.extent, whole.boxes), (8, 8))
    with pytest.raises(ShapeError, match="at least the window"):
        label_picture(ScoreMap(whole.scores, whole.canvas, (20, 20), whole.boxes), (8, 8))
    with pytest.raises(ShapeError, match="with boxes"):
        window_class_map(ScoreMap(whole.scores[:1], whole.canvas, whole.extent), (8, 8))


def test_twelve_megapixels_of_1203_classes_need_little_memory() -> None:
    """The full scores would be 58 GB; the labels and confidence are 72 MB of what is counted."""
    program = (
        "import torch; from densevl.ops import class_map; from densevl.bench.measure import _peak_mb;"
        "scores = torch.randn(1203, 7, 9).repeat_interleave(4, 1).repeat_interleave(4, 2); before = _peak_mb();"
        "class_map(scores, (3000, 4000)); print(_peak_mb() - before)"
    )
    grown = float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
    assert 72 < grown < 300


QUERIES = torch.tensor([2, 0, 1, 0, 2, 2, 0])


def query_map(windows: bool) -> ScoreMap:
    """Logits of seven queries of three classes."""
    score_map = windowed_map((60, 70), 40, 20, classes=7) if windows else None
    scores = score_map.scores if score_map else smooth_scores(7, (6, 7))
    boxes, extent = (score_map.boxes, score_map.extent) if score_map else (None, (60, 70))
    return ScoreMap(scores, (60, 70), extent, boxes, logits=True, class_index=QUERIES)


@pytest.mark.parametrize("windows", [False, True])
def test_of_queries_all_are_interpolated_then_a_softmax_goes_over_all_then_the_best_of_a_class(
    path: str, windows: bool
) -> None:
    score_map = query_map(windows)
    double = replace(score_map, scores=score_map.scores.double())
    plain = merge_windows(double) if windows else double.scores[0]
    plain = F.interpolate(plain[None], (99, 131), mode="bilinear", align_corners=False)[0]  # [Q, H, W]
    probabilities = plain.softmax(dim=0)
    expected = torch.stack([probabilities[k == QUERIES].amax(dim=0) for k in range(3)])
    labels, confidence = label_picture(score_map, (99, 131))
    np.testing.assert_array_equal(labels, expected.argmax(dim=0).numpy())
    np.testing.assert_allclose(confidence, expected.amax(dim=0).numpy(), atol=1e-6, rtol=0)
    assert score_map.num_classes == 3 and labels.dtype == np.uint8
    assert set(np.unique(labels)) == {0, 1, 2}
    total = log_total(score_map, (99, 131))
    torch.testing.assert_close(total.double(), plain.logsumexp(dim=0), atol=1e-5, rtol=0)


def test_more_queries_than_8_bits_hold_give_8_bit_labels_of_few_classes(path: str) -> None:
    scores = smooth_scores(300, (4, 5))
    class_index = torch.arange(300) % 7
    labels, _ = label_picture(ScoreMap(scores, (40, 50), (40, 50), class_index=class_index), (40, 50))
    rows, _ = label_picture(ScoreMap(scores, (40, 50), (40, 50)), (40, 50))
    assert (labels.dtype, rows.dtype) == (np.uint8, np.uint16)
    np.testing.assert_array_equal(labels, rows % 7)
