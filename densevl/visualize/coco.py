"""Label maps as one COCO document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def coco_document(items: Iterable[tuple[str, Path]], class_names: Sequence[str]) -> dict[str, Any]:
    """COCO's `images`, `annotations` and `categories`; only one label map is in memory at a time.

    An annotation is one class of one picture as compressed RLE; its `category_id` is the id in the label map. Ids of
    images and annotations count from 1 in the order of the items.

    Args:
        items: pairs of the picture's file name and the label PNG of a run.
        class_names: K names.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (file_name, label_path) in enumerate(items, start=1):
        with Image.open(label_path) as image:
            label_map = np.asfortranarray(image)
        height, width = label_map.shape
        images.append({"id": image_id, "file_name": file_name, "width": width, "height": height})
        for annotation in _annotations(label_map, len(class_names)):
            annotations.append({"id": len(annotations) + 1, "image_id": image_id, **annotation})
    categories = [{"id": k, "name": name, "supercategory": ""} for k, name in enumerate(class_names)]
    return {"images": images, "annotations": annotations, "categories": categories}


def _annotations(label_map: np.ndarray, num_classes: int) -> Iterator[dict[str, Any]]:
    from pycocotools import mask as coco_mask

    present = np.flatnonzero(np.bincount(label_map.ravel("K"), minlength=num_classes)[:num_classes])
    for class_id in present.tolist():
        rle = coco_mask.encode((label_map == class_id).view(np.uint8))
        yield {
            "category_id": class_id,
            "segmentation": {"size": list(rle["size"]), "counts": rle["counts"].decode("ascii")},
            "area": int(coco_mask.area(rle)),
            "bbox": coco_mask.toBbox(rle).tolist(),
            "iscrowd": 0,
        }
