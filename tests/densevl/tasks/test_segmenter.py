"""Segmenter on a tiny CLIP of random weights: what is checked is the way, not the words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from densevl.core.errors import MemoryLimitError, ShapeError, UsageError
from densevl.core.structures import FeatureMap, ScoreMap, Segmentation, TextBank
from densevl.extractors import MaskCLIPExtractor
from densevl.heads import CosineHead
from densevl.ops import merge_windows
from densevl.tasks import Geometry, Segmenter
from tests.tiny import tiny_clip

CLASSES = ("cat", "sky", "road", "traffic light")


def make_segmenter(**geometry: int) -> Segmenter:
    clip_model = tiny_clip()
    return Segmenter(
        MaskCLIPExtractor(clip_model),
        clip_model,
        head=CosineHead(),
        geometry=Geometry(**{"short_side": 64, **geometry}),
    )


def random_picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return make_segmenter()


@pytest.fixture(scope="module")
def windowed() -> Segmenter:
    return make_segmenter(short_side=96, window=64, stride=32)


def test_labels_equal_plain_upsampling_and_argmax(segmenter: Segmenter) -> None:
    picture = random_picture(64, 96)
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    scores = segmenter(pixels, segmenter.encode(CLASSES))
    expected = F.interpolate(scores, (64, 96), mode="bilinear", align_corners=False)[0]
    result = segmenter.predict(picture, CLASSES)
    best = expected.topk(2, dim=0).values
    sure = (best[0] - best[1] > 1e-6).numpy()
    np.testing.assert_array_equal(result.labels[sure], expected.argmax(0).numpy()[sure])
    np.testing.assert_allclose(result.confidence, expected.amax(0).numpy(), atol=1e-5)


def test_of_logits_windows_are_averaged_before_the_softmax() -> None:
    segmenter = make_segmenter(short_side=96, window=64, stride=32)
    segmenter.head = CosineHead(logit_scale=40.0, softmax=False)
    picture, bank = random_picture(96, 130), segmenter.encode(CLASSES)
    score_map = segmenter.score([picture], bank)[0]
    probabilities = merge_windows(score_map).softmax(dim=0)
    result = segmenter.predict_batch([picture], bank)[0]
    np.testing.assert_allclose(result.confidence, probabilities.amax(0).numpy(), atol=1e-5)
    best = probabilities.topk(2, dim=0).values
    sure = (best[0] - best[1] > 1e-6).numpy()
    np.testing.assert_array_equal(result.labels[sure], probabilities.argmax(0).numpy()[sure])
    by_patch = replace(score_map, scores=score_map.scores.softmax(dim=1), logits=False)
    expected = 1 - (best := by_patch.scores.topk(2, dim=1).values)[:, :1] + best[:, 1:]
    expected = merge_windows(replace(by_patch, scores=expected))[0]
    np.testing.assert_allclose(result.doubt_map, expected.numpy(), atol=1e-5)


def test_of_queries_the_softmax_over_all_and_the_best_of_a_class_come_last() -> None:
    segmenter = make_segmenter(short_side=96, window=64, stride=32)
    classes = "sky, cloud, air; cat; road, street"
    picture, bank = random_picture(96, 130), segmenter.encode(classes)
    every = TextBank(bank.vectors, torch.arange(6), tuple("abcdef"))
    segmenter.head = CosineHead(logit_scale=40.0, softmax=False)
    probabilities = merge_windows(segmenter.score([picture], every)[0]).softmax(dim=0)  # [Q, H, W]
    segmenter.head = CosineHead(logit_scale=40.0, softmax=False, over_queries=True)
    (result,) = segmenter.predict_batch([picture], bank, keep_scores=True)
    expected = torch.stack([probabilities[bank.class_index == k].amax(dim=0) for k in range(3)])
    np.testing.assert_allclose(result.confidence, expected.amax(0).numpy(), atol=1e-5)
    best = expected.topk(2, dim=0).values
    sure = (best[0] - best[1] > 1e-6).numpy()
    np.testing.assert_array_equal(result.labels[sure], expected.argmax(0).numpy()[sure])
    assert result.score_map.scores.shape[1] == 6 and result.score_map.class_index.tolist() == [0, 0, 0, 1, 2, 2]
    labels = segmenter.predict(picture, classes).label_map
    segmenter.head = CosineHead(logit_scale=40.0, softmax=False)
    assert (segmenter.predict(picture, classes).label_map != labels).any()  # made of the best word at each patch


class Flip:
    """A refiner of pictures that gives the classes each other's scores, and remembers what it saw."""

    whole_picture = True

    def __init__(self) -> None:
        self.seen: list[tuple[ScoreMap, np.ndarray, TextBank]] = []

    def __call__(self, score_map: ScoreMap, *, picture: np.ndarray, bank: TextBank) -> ScoreMap:
        self.seen.append((score_map, picture, bank))
        return replace(score_map, scores=score_map.scores.flip(1))


def test_refiners_of_pictures_see_them_whole_and_follow_those_of_windows() -> None:
    flip, windows = Flip(), []

    def halve(scores: torch.Tensor, *, pixels: torch.Tensor, **_: object) -> torch.Tensor:
        windows.append(pixels.shape)
        return scores / 2

    plain = make_segmenter(short_side=96, window=64, stride=32)
    refined = Segmenter(
        plain.extractor,
        plain.text_encoder,
        head=plain.head,
        geometry=plain.geometry,
        score_refiners=[flip, halve, flip],
    )
    picture, bank = random_picture(96, 130), plain.encode(CLASSES)
    expected = plain.score([picture], bank)[0].scores / 2
    assert torch.equal(refined.score([picture], bank)[0].scores, expected)
    assert len(windows) == len(expected) > 1
    (first, seen, words), (second, _, _) = flip.seen
    assert seen is picture and words is bank
    assert torch.equal(first.scores, expected) and torch.equal(second.scores, expected.flip(1))


class Crown:
    """A refiner of labels that gives the whole picture to the last class."""

    def relabel(self, result: Segmentation, *, score_map: ScoreMap, picture: np.ndarray) -> Segmentation:
        assert score_map.scores.shape[1] == len(result.class_names) and picture.shape[:2] == result.label_map.shape
        self.seen = result.label_map
        return replace(result, label_map=np.full_like(result.label_map, len(result.class_names) - 1))


def test_refiners_of_labels_come_last_wherever_they_stand() -> None:
    flip, plain = Flip(), make_segmenter(short_side=96)
    refined = Segmenter(
        plain.extractor,
        plain.text_encoder,
        head=plain.head,
        geometry=plain.geometry,
        score_refiners=[Crown(), flip],
    )
    result = refined.predict(random_picture(40, 60), CLASSES)
    assert (result.label_map == len(CLASSES) - 1).all() and len(flip.seen) == 1


def test_a_threshold_acts_before_labels_are_refined_and_once() -> None:
    crown, plain = Crown(), make_segmenter(short_side=96)
    refined = Segmenter(
        plain.extractor, plain.text_encoder, head=plain.head, geometry=plain.geometry, score_refiners=[crown]
    )
    picture, bank = random_picture(40, 60), plain.encode(CLASSES)
    least = float(np.median(plain.predict(picture, CLASSES).confidence))
    expected = plain.predict_batch([picture], bank, threshold=least)[0]
    assert 0 < (expected.label_map == 255).mean() < 1
    (result,) = refined.predict_batch([picture], bank, threshold=least)
    np.testing.assert_array_equal(crown.seen, expected.label_map)
    assert (result.label_map == len(CLASSES) - 1).all()  # unsure pixels too keep what the refiner says


def test_windows_equal_the_plain_form_of_the_papers(windowed: Segmenter) -> None:
    picture = random_picture(96, 130)
    bank = windowed.encode(CLASSES)
    pixels = torch.from_numpy(picture).permute(2, 0, 1)[None] / 255
    summed, hits = torch.zeros(len(CLASSES), 96, 130), torch.zeros(96, 130)
    boxes = windowed.geometry.boxes((96, 130))
    assert boxes is not None
    for x0, y0, x1, y1 in boxes.tolist():
        scores = windowed(pixels[:, :, y0:y1, x0:x1], bank)
        summed[:, y0:y1, x0:x1] += F.interpolate(scores, (y1 - y0, x1 - x0), mode="bilinear", align_corners=False)[0]
        hits[y0:y1, x0:x1] += 1
    expected = summed / hits
    result = windowed.predict_batch([picture], bank)[0]
    np.testing.assert_allclose(result.confidence, expected.amax(0).numpy(), atol=1e-5)
    best = expected.topk(2, dim=0).values
    sure = (best[0] - best[1] > 1e-6).numpy()
    np.testing.assert_array_equal(result.labels[sure], expected.argmax(0).numpy()[sure])


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_a_batch_of_pictures_equals_each_alone(windowed: Segmenter, batch: int) -> None:
    pictures = [random_picture(90, 130, seed=1), random_picture(64, 64, seed=2), random_picture(200, 50, seed=3)]
    bank = windowed.encode(CLASSES)
    windowed.window_batch = 1
    singles = [windowed.predict_batch([picture], bank)[0] for picture in pictures]
    windowed.window_batch = batch
    for together, alone in zip(windowed.predict_batch(pictures, bank), singles, strict=True):
        np.testing.assert_allclose(together.confidence, alone.confidence, atol=1e-5)
        assert (together.label_map == alone.label_map).mean() > 0.999


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (7, 300), (333, 17)])
def test_any_size_keeps_its_size(segmenter: Segmenter, windowed: Segmenter, size: tuple[int, int]) -> None:
    for model in (segmenter, windowed):
        result = model.predict(random_picture(*size), CLASSES)
        assert result.label_map.shape == result.confidence.shape == result.doubt.shape == size


def test_doubt_is_high_where_classes_tie_and_low_where_one_wins(segmenter: Segmenter) -> None:
    result = segmenter.predict(random_picture(64, 64), CLASSES)
    scores = segmenter.score([random_picture(64, 64)], segmenter.encode(CLASSES))[0].scores[0]
    first, second = scores.topk(2, dim=0).values
    assert result.mean_doubt == pytest.approx(float((1 - (first - second)).mean()), abs=0.05)
    assert 0 <= result.doubt.min() <= result.doubt.max() <= 1


def test_a_path_and_its_array_give_the_same(segmenter: Segmenter, tmp_path: Path) -> None:
    picture = random_picture(40, 50)
    Image.fromarray(picture).save(tmp_path / "a.png")
    from_path = segmenter.predict(tmp_path / "a.png", CLASSES)
    np.testing.assert_array_equal(from_path.labels, segmenter.predict(picture, CLASSES).labels)
    assert from_path.source == tmp_path / "a.png"


def test_predict_folder_is_lazy_and_in_order(segmenter: Segmenter, tmp_path: Path) -> None:
    for name in ("b.png", "a.png"):
        Image.fromarray(random_picture(30, 40)).save(tmp_path / name)
    (tmp_path / "c.png").write_bytes(b"")
    results = segmenter.predict_folder(tmp_path, "cat; sky")
    assert [next(results).source, next(results).source] == [tmp_path / "a.png", tmp_path / "b.png"]


@pytest.mark.parametrize(
    "picture",
    [np.zeros((5, 5), np.uint8), np.zeros((5, 5, 4), np.uint8), np.zeros((5, 5, 3)), np.zeros((0, 5, 3), np.uint8)],
)
def test_arrays_that_are_no_picture_are_refused(segmenter: Segmenter, picture: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="uint8 RGB"):
        segmenter.predict(picture, CLASSES)


def test_a_bare_background_class_gets_rivals_unless_the_model_says_no(segmenter: Segmenter) -> None:
    assert len(segmenter.encode("cat; background").vectors) > 2
    segmenter.rivals = False
    assert len(segmenter.encode("cat; background").vectors) == 2
    segmenter.rivals = True


@pytest.mark.parametrize("threshold", [1.5, -0.1, {"cow": 0.5}, {"cat": 2.0}])
def test_thresholds_that_make_no_sense_are_refused(segmenter: Segmenter, threshold: object) -> None:
    with pytest.raises(UsageError, match="threshold"):
        segmenter.predict(random_picture(30, 40), CLASSES, threshold=threshold)  # type: ignore[arg-type]


class Greedy(nn.Module):
    """An extractor of a machine with little memory: it runs out above `most` pixels a pass."""

    def __init__(self, inner: MaskCLIPExtractor, most: int) -> None:
        super().__init__()
        self.inner, self.most, self.stride = inner, most, inner.stride

    def forward(self, pixels: torch.Tensor) -> FeatureMap:
        if pixels[:, 0].numel() > self.most:
            raise torch.OutOfMemoryError("out of memory")
        return self.inner(pixels)


def test_out_of_memory_first_halves_the_batch_and_changes_nothing(windowed: Segmenter) -> None:
    picture = random_picture(96, 300)
    bank = windowed.encode(CLASSES)
    expected = windowed.predict_batch([picture], bank)[0]
    small = make_segmenter(short_side=96, window=64, stride=32)
    small.extractor = Greedy(MaskCLIPExtractor(tiny_clip()), most=3 * 64 * 64)
    small.window_batch = 8
    result = small.predict_batch([picture], bank)[0]
    assert small.window_batch == 2
    np.testing.assert_allclose(result.confidence, expected.confidence, atol=1e-5)


def test_out_of_memory_then_goes_on_in_tiles_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    model = make_segmenter(short_side=300)
    model.extractor = Greedy(MaskCLIPExtractor(tiny_clip()), most=160 * 160)
    result = model.predict(random_picture(300, 400), CLASSES)
    assert result.label_map.shape == (300, 400)
    assert "tiles" in caplog.text


def test_out_of_memory_in_the_smallest_tile_says_what_to_do() -> None:
    model = make_segmenter(short_side=300)
    model.extractor = Greedy(MaskCLIPExtractor(tiny_clip()), most=10)
    with pytest.raises(MemoryLimitError, match="--short-side"):
        model.predict(random_picture(300, 400), CLASSES)


def test_other_runtime_errors_are_not_taken_for_memory() -> None:
    model = make_segmenter()

    class Broken(Greedy):
        def forward(self, pixels: torch.Tensor) -> FeatureMap:
            raise RuntimeError("shapes do not match")

    model.extractor = Broken(MaskCLIPExtractor(tiny_clip()), most=0)
    with pytest.raises(RuntimeError, match="shapes"):
        model.predict(random_picture(30, 40), CLASSES)


def test_a_model_moves_as_a_whole_and_runs_on_meta() -> None:
    model = make_segmenter().to("meta")
    assert model.device.type == "meta"
    bank = make_segmenter().encode(CLASSES).to("meta")
    assert tuple(model(torch.zeros(2, 3, 70, 90, device="meta"), bank).shape) == (2, len(CLASSES), 5, 6)


@pytest.mark.cuda
def test_the_gpu_gives_the_labels_of_the_cpu(segmenter: Segmenter) -> None:
    picture = random_picture(120, 160)
    expected = segmenter.predict(picture, CLASSES)
    on_gpu = make_segmenter().to("cuda").predict(picture, CLASSES)
    assert (on_gpu.labels == expected.labels).mean() > 0.99


class Watching(nn.Module):
    """An extractor that sees originals: one feature a picture, and what it was handed."""

    stride, sees_originals = None, True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[tuple[int, ...]] | None] = []

    def forward(self, pixels: torch.Tensor, originals: list[np.ndarray] | None = None) -> FeatureMap:
        self.seen.append(None if originals is None else [original.shape[:2] for original in originals])
        features = F.adaptive_avg_pool2d(pixels.mean(dim=1, keepdim=True), (3, 5))
        return FeatureMap(features.expand(-1, 32, -1, -1) - 0.5)


def test_an_extractor_that_sees_originals_gets_them_in_order_and_its_grid_spans_the_picture() -> None:
    model = make_segmenter()
    model.extractor, model.window_batch = Watching(), 4
    pictures = [random_picture(100, 150), random_picture(200, 300, 1), random_picture(100, 150, 2)]
    results = model.predict_batch(pictures, model.encode(CLASSES), keep_scores=True)
    assert model.extractor.seen == [[(100, 150), (100, 150)], [(200, 300)]]
    assert [result.label_map.shape for result in results] == [(100, 150), (200, 300), (100, 150)]
    assert results[0].score_map is not None and results[0].score_map.extent == (64, 96) == results[0].score_map.canvas
    alone = model.predict_batch(pictures[2:], model.encode(CLASSES))[0]
    np.testing.assert_allclose(results[2].confidence, alone.confidence, atol=1e-6)


def test_such_pictures_are_refined_one_by_one_in_order() -> None:
    plain, seen = make_segmenter(), []

    class Record(Crown):
        def relabel(self, result: Segmentation, *, score_map: ScoreMap, picture: np.ndarray) -> Segmentation:
            seen.append((len(model.extractor.seen), picture.shape[:2]))
            return result

    extractor = Watching()
    model = Segmenter(
        extractor, plain.text_encoder, head=plain.head, geometry=plain.geometry, score_refiners=[Record()]
    )
    model.window_batch = 4
    sizes = [(100, 150), (200, 300), (100, 150)]
    pictures = [random_picture(*size, index) for index, size in enumerate(sizes)]
    model.predict_batch(pictures, model.encode(CLASSES))
    assert seen == [(1, (100, 150)), (2, (200, 300)), (3, (100, 150))]
    assert model.predict_batch([], model.encode(CLASSES)) == []


def test_in_tiles_such_an_extractor_sees_the_pixels_alone() -> None:
    model = make_segmenter(short_side=96, window=64, stride=32)
    model.extractor = Watching()
    result = model.predict_batch([random_picture(96, 128)], model.encode(CLASSES), keep_scores=True)[0]
    assert set(map(type, model.extractor.seen)) == {type(None)}
    assert result.score_map is not None and result.score_map.extent == (64, 64)
