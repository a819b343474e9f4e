"""Our models in mmsegmentation: its Runner finds our figures, its IoUMetric our counts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from densevl.cli.app import main
from densevl.core.config import config_folder
from densevl.core.errors import ConfigError, DensevlError, UsageError
from densevl.data import read_picture
from densevl.interop import MMSegSet
from densevl.interop.mmseg import DensevlSegmentor
from densevl.metrics import MeanIoU
from tests.densevl.interop.ade_layout import PREFIX, REAL_ADE, draw, real_ade, write_ade

from mmseg.apis import inference_model, init_model  # isort: skip  # mmseg stands behind the stand-in
from mmseg.evaluation import IoUMetric  # isort: skip
from mmseg.structures import SegDataSample  # isort: skip

CONFIG = config_folder() / "mmseg/ade20k_lite.py"
SMALL = {"model.geometry.short_side": 64}
PART = ("bed ", "sky", "wall", "tree", "road")
WORDS = "cat; sky; road; grass"


@pytest.fixture(scope="module")
def ade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ade(tmp_path_factory.mktemp("ade"), ids=12)


@pytest.fixture(scope="module")
def segmentor() -> DensevlSegmentor:
    return DensevlSegmentor("lite", WORDS, overrides=SMALL)


def to_inputs(picture: np.ndarray) -> torch.Tensor:
    """What PackSegInputs makes of a file: BGR [3, H, W] uint8."""
    return torch.from_numpy(np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)))


def run_config(root: Path, work_dir: Path, **changes: Any) -> Runner:
    config = Config.fromfile(CONFIG)
    changes = {
        "log_level": "WARNING",
        "work_dir": str(work_dir),
        "test_dataloader.dataset.data_root": str(root),
        **changes,
    }
    config.merge_from_dict(changes)
    return Runner.from_cfg(config)


def assert_same(theirs: dict[str, float], ours: dict[str, Any]) -> None:
    """IoUMetric rounds to two decimals, of float32."""
    for name in ("mIoU", "mAcc", "aAcc"):
        assert theirs[name] == pytest.approx(ours[name], abs=0.005 + 1e-4)
    assert ours["aAcc"] > 0


def test_a_runner_finds_the_figures_of_our_metric(ade: Path, tmp_path: Path) -> None:
    changes = {"test_dataloader.dataset.metainfo": {"classes": PART}, "test_dataloader.num_workers": 1}
    model = {"classes": "; ".join(PART), "threshold": 0.3, "overrides": SMALL}
    runner = run_config(ade, tmp_path, model=model, **changes)
    theirs, ours = runner.test(), MeanIoU(len(PART))
    dataset = MMSegSet("ADE20KDataset", root=ade, data_prefix=PREFIX, metainfo={"classes": PART})
    for index in range(len(dataset)):
        result = runner.model.segmenter.predict(dataset.read(index)[0], "; ".join(PART), threshold=0.3)
        ours.update(result.label_map, dataset.read_labels(index)[0])
    assert_same(theirs, ours.compute())


@pytest.mark.slow
@real_ade
def test_a_runner_finds_the_figures_of_eval_on_real_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = run_config(REAL_ADE, tmp_path / "runner").test()
    asked = ["eval", "maskclip-lite-ade20k", "--data", str(REAL_ADE), "--out", str(tmp_path / "out")]
    capsys.readouterr()
    assert main([*asked, "--device", "cpu", "--json"]) == 0
    assert_same(theirs, json.loads(capsys.readouterr().out))


SCRIPT = """
import sys
from pathlib import Path
import densevl.interop.mmseg
import torch.distributed
from mmengine.config import Config
from mmengine.runner import Runner

if __name__ == "__main__":
    config = Config.fromfile(sys.argv[1])
    config.merge_from_dict({"test_dataloader.dataset.data_root": sys.argv[2], "work_dir": sys.argv[3]})
    config.merge_from_dict({"model": {"overrides": {"model.geometry.short_side": 64}}})
    if sys.argv[4] == "two":
        torch.distributed.init_process_group("gloo")  # mmengine's launcher asks for a GPU
        config.launcher = "pytorch"
    else:
        config.env_cfg = dict(mp_cfg=dict(mp_start_method=sys.argv[4]))
    figures = Runner.from_cfg(config).test()
    rank = torch.distributed.get_rank() if sys.argv[4] == "two" else 0
    text = " ".join(f"{name} {value:.2f}" for name, value in figures.items())
    (Path(sys.argv[3]) / f"{sys.argv[4]}_{rank}.txt").write_text(text)
"""


def run_script(ade: Path, folder: Path, way: str, launcher: tuple[str, ...] = ()) -> list[str]:
    """Run the script in a fresh process; the figures that each process of it found."""
    script = folder / "script.py"
    script.write_text(SCRIPT)
    argv = [sys.executable, *launcher, str(script), str(CONFIG), str(ade), str(folder), way]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # as torchrun has it: sums in one order
    done = subprocess.run(argv, capture_output=True, text=True, env=one_thread)
    assert done.returncode == 0, done.stderr
    return [path.read_text() for path in sorted(folder.glob(f"{way}_*.txt"))]


@pytest.mark.slow
def test_workers_of_any_kind_and_two_processes_find_the_same_figures(ade: Path, tmp_path: Path) -> None:
    [figures] = run_script(ade, tmp_path, "fork")
    assert "aAcc" in figures
    for method in ("spawn", "forkserver"):
        assert run_script(ade, tmp_path, method) == [figures]
    two = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert run_script(ade, tmp_path, "two", two) == [figures, figures]


@pytest.mark.parametrize("threshold", [0.0, 0.9, {"sky": 1.0}])
def test_labels_are_those_of_the_model_at_the_size_of_the_picture(
    segmentor: DensevlSegmentor, monkeypatch: pytest.MonkeyPatch, threshold: Any
) -> None:
    monkeypatch.setattr(segmentor, "threshold", threshold)
    picture = draw(1, 256)
    [sample] = segmentor.test_step({"inputs": [to_inputs(picture)], "data_samples": [SegDataSample()]})
    expected = segmentor.segmenter.predict(picture, WORDS, threshold=threshold)
    assert np.array_equal(sample.pred_sem_seg.data.numpy()[0], expected.labels)
    assert (255 in expected.labels) == (threshold != 0.0)


def test_a_batch_is_its_pictures_one_by_one(segmentor: DensevlSegmentor) -> None:
    inputs = torch.stack([to_inputs(draw(seed, 256)) for seed in (0, 2)])
    together = segmentor(inputs, mode="predict")
    for sample, one in zip(together, inputs, strict=True):
        [alone] = segmentor(one[None], mode="predict")
        assert torch.equal(sample.pred_sem_seg.data, alone.pred_sem_seg.data)
        assert sample.pred_sem_seg.data.dtype == torch.int64 and sample.pred_sem_seg.shape == (64, 80)


@pytest.mark.parametrize(
    ("meta", "change", "message"),
    [
        ({"ori_shape": (32, 40)}, lambda x: x, "the file, 40x32 pixels, got 80x64 pixels: leave Resize"),
        ({"ori_shape": (64, 80), "flip": True}, lambda x: x, "got a flipped one"),
        ({}, lambda x: (x.float() - 100) / 50, "take mean and std out"),
        ({}, lambda x: x.float() / 255, "whole numbers 0..255"),
        ({}, lambda x: x.float() * 2, "whole numbers 0..255"),
    ],
)
def test_a_picture_that_a_pipeline_has_changed_is_refused(
    segmentor: DensevlSegmentor, meta: dict[str, Any], change: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        segmentor(change(to_inputs(draw(0, 256)))[None], [SegDataSample(metainfo=meta)], mode="predict")


def test_scores_and_features_are_at_feature_resolution(segmentor: DensevlSegmentor) -> None:
    inputs = torch.stack([to_inputs(draw(0, 256))] * 2).float()
    first, second = segmentor(inputs, mode="tensor")
    assert first.shape[1] == 4 and torch.equal(first, second)
    features = segmentor.extract_feat(inputs)
    assert features.shape[0] == 2 and features.shape[2:] == first.shape[2:]


@pytest.mark.parametrize("method", ["loss", "encode_decode"])
def test_what_it_has_not_is_said(segmentor: DensevlSegmentor, method: str) -> None:
    with pytest.raises(UsageError, match="DensevlSegmentor"):
        getattr(segmentor, method)(torch.zeros(1, 3, 8, 8), [])


@pytest.mark.parametrize(
    "arguments",
    [
        {"model": "lyte"},
        {"classes": "no-list.txt"},
        {"threshold": 2.0},
        {"threshold": {"dog": 0.1}},
        {"overrides": {"x": 1}},
    ],
)
def test_a_faulty_config_fails_before_the_first_picture(arguments: dict[str, Any]) -> None:
    with pytest.raises(DensevlError):
        DensevlSegmentor(**{"model": "lite", "classes": WORDS, **arguments})


def test_the_functions_of_mmseg_take_config_and_file(ade: Path) -> None:
    config = Config.fromfile(CONFIG)
    config.merge_from_dict({"model": {"classes": WORDS, "overrides": SMALL}})
    model = init_model(config, device="cpu")
    path = ade / "images/validation/ADE_val_00000001.jpg"
    expected = model.segmenter.predict(path, WORDS).labels
    for picture in (str(path), np.ascontiguousarray(read_picture(path)[..., ::-1])):
        result = inference_model(model, picture)
        assert np.array_equal(result.pred_sem_seg.data.numpy()[0], expected)
    assert model.dataset_meta["classes"] == ("cat", "sky", "road", "grass") and len(model.dataset_meta["palette"]) == 4


def real_labels() -> list[np.ndarray]:
    from densevl.data.label_maps import read_label_map
    from densevl.metrics.segmentation import reduce_zero_label

    return [reduce_zero_label(read_label_map(path)) for path in sorted(REAL_ADE.glob("annotations/*/*.png"))]


def random_labels(classes: int, ignored: int, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    maps = [generator.integers(0, classes + 1, size) for size in ((33, 47), (20, 91), (1, 5))]
    return [np.where(ids == classes, ignored, ids) for ids in maps]


def spoil(label: np.ndarray, classes: int, ignored: int, seed: int) -> np.ndarray:
    """A prediction: half of the pixels right, others of any class, some without a label."""
    generator = np.random.default_rng(seed)
    guess = generator.integers(0, classes + 1, label.shape)
    guess[guess == classes] = ignored
    return np.where(generator.random(label.shape) < 0.5, label, guess)


def assert_equal_counts(labels: list[np.ndarray], classes: int, ignored: int) -> None:
    """Of every picture, and of all: intersection, union, prediction and label area of every class."""
    metric, ours = IoUMetric(ignore_index=ignored), MeanIoU(classes, ignore_index=ignored)
    metric.dataset_meta = {"classes": [str(k) for k in range(classes)]}
    for seed, label in enumerate(labels):
        pred = spoil(label, classes, ignored, seed)
        ours.update(pred, label)
        as_tensors = {"pred_sem_seg": {"data": torch.from_numpy(pred)}, "gt_sem_seg": {"data": torch.from_numpy(label)}}
        metric.process({}, [as_tensors])
    theirs = [sum(torch.round(area).long() for area in areas).numpy() for areas in zip(*metric.results, strict=True)]
    hits, predicted = ours.confusion.diagonal(), ours.confusion.sum(axis=0)
    labelled = np.bincount(np.concatenate([label.ravel() for label in labels]), minlength=ignored + 1)[:classes]
    for mine, other in zip((hits, predicted + labelled - hits, predicted, labelled), theirs, strict=True):
        assert np.array_equal(mine, other) and other.any()
    figures = metric.compute_metrics(metric.results)
    for name, value in figures.items():
        assert value == pytest.approx(ours.compute()[name], abs=0.005 + 1e-4)


@pytest.mark.parametrize(("classes", "ignored"), [(4, 255), (150, 255), (255, 255), (300, 65535)])
def test_counts_of_random_maps_with_no_label_are_equal(classes: int, ignored: int) -> None:
    assert_equal_counts(random_labels(classes, ignored, seed=classes), classes, ignored)


@real_ade
def test_counts_of_real_maps_with_no_label_are_equal() -> None:
    assert_equal_counts(real_labels(), 150, 255)
