"""Regions of a label map as polygons with holes, on the edges of the pixels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from densevl.core.structures import Segmentation

SMALLEST_SHARE = 1e-4  # of the picture; smaller regions are dropped

Ring = list[list[int]]


def region_features(result: Segmentation) -> list[dict[str, Any]]:
    """GeoJSON features, one a region: 4-connected pixels of one class, at least 1/10,000 of the picture large.

    Coordinates are pixel edges, x to the right and y down: the whole picture is (0, 0) to (W, H). Rings are closed, the
    outer one first, as RFC 7946 wants it. Properties: class_id, class_name, area (pixels), doubt (mean over the area).

    Returns:
        Features by class, and within a class from top to bottom.
    """
    doubt = result.doubt
    least = SMALLEST_SHARE * result.label_map.size
    features = []
    for class_id in np.flatnonzero(result.pixel_counts[:-1]).tolist():
        mask = (result.label_map == class_id).view(np.uint8)
        _, regions, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        for i in np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= least) + 1:
            x, y, width, height, area = stats[i].tolist()
            window = slice(y, y + height), slice(x, x + width)
            region = regions[window] == i
            properties = {
                "class_id": class_id,
                "class_name": result.class_names[class_id],
                "area": area,
                "doubt": round(float(doubt[window][region].mean(dtype=np.float64)), 4),
            }
            rings = [[[px + x, py + y] for px, py in ring] for ring in outline(region)]
            geometry = {"type": "Polygon", "coordinates": rings}
            features.append({"type": "Feature", "geometry": geometry, "properties": properties})
    return features


def outline(mask: np.ndarray) -> list[Ring]:
    """Rings of a 4-connected region, the outer one first, then its holes.

    Every pixel is traced as 2x2 pixels; a traced coordinate c lies on the left or right half of a pixel, so that
    (c + 1) // 2 is the edge it stands at.

    Args:
        mask: [H, W] bool.

    Returns:
        Closed rings of [x, y] pixel edges; only corners are kept.
    """
    doubled = np.repeat(np.repeat(mask.astype(np.uint8), 2, axis=0), 2, axis=1)
    contours, tree = cv2.findContours(doubled, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    inner_last = np.argsort(tree[0, :, 3] >= 0, kind="stable")  # column 3: the parent, -1 for the outer ring
    return [_ring(contours[i]) for i in inner_last]


def _ring(contour: np.ndarray) -> Ring:
    corners = (contour[::-1, 0].astype(np.int64) + 1) // 2  # [N, 2]; reversed: the outer ring has a positive area
    corners = corners[(corners != np.roll(corners, 1, axis=0)).any(axis=1)]  # no point twice in a row
    before, after = corners - np.roll(corners, 1, axis=0), np.roll(corners, -1, axis=0) - corners
    corners = corners[before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]]  # no point on a straight line
    ring: Ring = corners.tolist()
    return [*ring, ring[0]]
