"""Counts and figures of the segmentation metric."""

from __future__ import annotations

import numpy as np

from densevl.metrics import MeanIoU, reduce_zero_label
from tests.golden_checks import checks
from tests.golden_reader import GoldenFile

PER_CENT = "_percent"


def numbered_cases(file: GoldenFile) -> list[str]:
    return sorted({key.split("/")[0] for key in file.keys("") if key.split("/")[0].isdigit()}, key=int)


def check_counts(file: GoldenFile, case: str, metric: MeanIoU) -> None:
    intersect = metric.confusion.diagonal()
    pred_area = metric.confusion.sum(axis=0)
    for key in file.keys(f"{case}/"):
        name = key.split("/")[1]
        if name in ("pred", "gt"):
            continue
        found = {
            "intersect": intersect,
            "pred_area": pred_area,
            "label_area": np.bincount(valid_labels(file, case, metric), minlength=metric.num_classes),
        }
        found["union"] = found["pred_area"] + found["label_area"] - found["intersect"]
        np.testing.assert_array_equal(found[name], file[key], err_msg=key)


def valid_labels(file: GoldenFile, case: str, metric: MeanIoU) -> np.ndarray:
    label = file[f"{case}/gt"]
    return label[label != metric.ignore_index]


def check_figures(file: GoldenFile, metric: MeanIoU) -> None:
    figures = metric.compute()
    for key in file.keys("total/"):
        name = key.split("/")[1]
        if name.endswith(PER_CENT):
            assert round(figures[name.removesuffix(PER_CENT)], 2) == round(float(file[key]), 2), key
        elif name == "aAcc":
            assert np.float32(figures[name] / 100) == file[key], key
        else:
            np.testing.assert_array_equal(figures[name].astype(np.float32), file[key], err_msg=key)


@checks("segmentation/miou_metric")
def check_miou_metric(file: GoldenFile) -> None:
    total = MeanIoU(**file.config)
    for case in numbered_cases(file):
        metric = MeanIoU(**file.config)
        metric.update(file[f"{case}/pred"], file[f"{case}/gt"])
        check_counts(file, case, metric)
        total.merge(metric)
    check_figures(file, total)
    untouched, reduced = (file[f"reduce_zero_label/{flag}"] for flag in ("False", "True"))
    np.testing.assert_array_equal(file["reduce_zero_label/input"], untouched)
    np.testing.assert_array_equal(reduce_zero_label(untouched), reduced)
