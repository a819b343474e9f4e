import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from densevl.core.errors import OutputError, UsageError
from densevl.core.stages import Writer
from densevl.visualize.palette import palette
from densevl.visualize.regions import region_features
from densevl.visualize.writers import WRITERS, save_segmentation
from tests.densevl.visualize.results import make_picture, make_result

LABELS = np.random.default_rng(0).choice([0, 1, 2, 255], (30, 40))
PICTURE = make_picture(30, 40)


def encoded(kind, result):
    return WRITERS[kind].encode("a/b", result, PICTURE)


def opened(kind, result):
    return Image.open(io.BytesIO(encoded(kind, result)))


def test_every_kind_has_a_writer_that_keeps_the_tree_of_the_names():
    assert {kind: writer.path("a/b.c") for kind, writer in WRITERS.items()} == {
        "labels": "labels/a/b.c.png",
        "overlay": "overlay/a/b.c.jpg",
        "scores": "scores/a/b.c.npz",
        "confidence": "confidence/a/b.c.png",
        "geojson": "geojson/a/b.c.geojson",
    }
    assert all(isinstance(writer, Writer) and writer.kind == kind for kind, writer in WRITERS.items())


@pytest.mark.parametrize("kind", WRITERS)
def test_the_same_result_gives_the_same_bytes_at_any_time(kind, monkeypatch):
    result = make_result(LABELS, windows=2)
    before = encoded(kind, result)
    for clock in ("time.time", "time.localtime", "time.gmtime"):
        monkeypatch.setattr(clock, lambda *_: (_ for _ in ()).throw(RuntimeError("no clock")))
    assert encoded(kind, result) == before


@pytest.mark.parametrize("num_classes", [1, 2, 3, 17, 255])
def test_up_to_255_classes_labels_are_8_bit_with_the_palette(num_classes):
    label_map = np.array([[0, num_classes - 1, 255]])
    data = encoded("labels", make_result(label_map, num_classes))
    assert data[24] == 8  # bits a sample in the header
    image = Image.open(io.BytesIO(data))
    assert image.mode == "P"
    assert np.array_equal(np.asarray(image), label_map)
    colours = np.asarray(image.convert("RGB"))
    assert np.array_equal(colours[0, 1], palette(num_classes)[-1])
    assert not colours[0, 2].any()


def test_above_255_classes_labels_are_16_bit_grey():
    label_map = np.array([[0, 255, 256, 299, 65535]])
    image = opened("labels", make_result(label_map, 300))
    assert image.mode.startswith("I")
    assert np.array_equal(np.asarray(image), label_map)


def test_the_overlay_is_a_jpeg_with_the_legend():
    image = opened("overlay", make_result(LABELS))
    assert image.format == "JPEG"
    assert image.width * image.height > 30 * 40


def test_confidence_is_round_255_p():
    result = make_result(LABELS)
    assert np.array_equal(np.asarray(opened("confidence", result)), np.rint(result.confidence * 255))


@pytest.mark.parametrize("windows", [0, 2])
def test_scores_hold_what_is_needed_to_make_the_labels_again(windows):
    result = make_result(LABELS, windows=windows)
    with np.load(io.BytesIO(encoded("scores", result))) as arrays:  # without pickle
        assert set(arrays) == {"scores", "class_index", "muted", "logits", "boxes", "canvas", "extent", "class_names"}
        assert arrays["class_index"].tolist() == list(range(len(result.class_names))) and not arrays["logits"]
        assert arrays["muted"].tolist() == [False] * len(result.class_names)
        assert arrays["scores"].dtype == np.float16
        assert np.array_equal(arrays["scores"], result.score_map.scores.half().numpy())
        assert arrays["boxes"].shape == (windows, 4)
        if windows:
            assert np.array_equal(arrays["boxes"], result.score_map.boxes.numpy())
        assert tuple(arrays["canvas"]) == result.score_map.canvas
        assert tuple(arrays["extent"]) == result.score_map.extent
        assert tuple(arrays["class_names"]) == result.class_names


def test_scores_of_queries_say_whose_they_are():
    result = make_result(LABELS, windows=0)
    rows = torch.rand(1, 5, 4, 5)
    score_map = replace(result.score_map, scores=rows, logits=True, class_index=torch.tensor([0, 0, 1, 2, 2]))
    with np.load(io.BytesIO(encoded("scores", replace(result, score_map=score_map)))) as arrays:
        assert arrays["class_index"].tolist() == [0, 0, 1, 2, 2] and arrays["class_index"].dtype == np.int64
        assert arrays["scores"].shape == (1, 5, 4, 5) and bool(arrays["logits"])


def test_scores_of_a_result_without_any_say_what_to_do():
    with pytest.raises(UsageError, match="a/b: the result holds no scores"):
        encoded("scores", make_result(LABELS))


def test_geojson_is_a_collection_of_the_regions():
    result = make_result(LABELS)
    collection = json.loads(encoded("geojson", result))
    assert collection["type"] == "FeatureCollection"
    assert collection["features"] == region_features(result)


def test_a_result_saves_its_labels_or_its_overlay(tmp_path):
    result = make_result(LABELS)
    labels = result.save(tmp_path / "new" / "x.PNG")
    overlay = result.save(str(tmp_path / "x.jpg"), PICTURE)
    assert labels.read_bytes() == encoded("labels", result)
    assert overlay.read_bytes() == encoded("overlay", result)
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["x.PNG", "x.jpg"]


def test_another_suffix_names_the_two_that_there_are(tmp_path):
    with pytest.raises(UsageError, match=r"\.png .* \.jpg"):
        save_segmentation(make_result(LABELS), tmp_path / "x.bmp")


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        save_segmentation(make_result(LABELS), tmp_path / "file" / "x.png")
