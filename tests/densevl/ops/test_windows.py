from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from densevl.core.errors import ShapeError, UsageError
from densevl.core.structures import ScoreMap
from densevl.ops.windows import merge_windows, window_boxes


def test_windows_walk_row_by_row_and_the_last_moves_back() -> None:
    boxes = window_boxes(50, 40, crop=32, stride=16)
    assert boxes.dtype == torch.long
    assert boxes.tolist() == [[x, y, x + 32, y + 32] for y in (0, 16, 18) for x in (0, 8)]


@pytest.mark.parametrize(
    ("height", "width", "crop", "stride"),
    [(32, 32, 32, 16), (20, 24, 32, 16), (1, 5000, 448, 224), (448, 673, 448, 224)],
)
def test_windows_cover_the_picture_and_stay_inside(height: int, width: int, crop: int, stride: int) -> None:
    hits = torch.zeros(height, width)
    for x0, y0, x1, y1 in window_boxes(height, width, crop=crop, stride=stride).tolist():
        assert (y1 - y0, x1 - x0) == (min(crop, height), min(crop, width))
        assert min(x0, y0) >= 0
        assert x1 <= width and y1 <= height
        hits[y0:y1, x0:x1] += 1
    assert hits.min() >= 1


def test_a_picture_as_large_as_the_window_has_one() -> None:
    assert window_boxes(32, 32, crop=32, stride=16).tolist() == [[0, 0, 32, 32]]


def test_windows_with_gaps_or_no_picture_are_errors() -> None:
    for crop, stride in ((32, 33), (32, 0), (0, 0)):
        with pytest.raises(UsageError, match="stride"):
            window_boxes(64, 64, crop=crop, stride=stride)
    with pytest.raises(ShapeError, match="0 x 5"):
        window_boxes(0, 5, crop=32, stride=16)


def test_equal_pieces_of_one_map_merge_to_that_map() -> None:
    whole = torch.randn(3, 50, 40, generator=torch.Generator().manual_seed(0))
    boxes = window_boxes(50, 40, crop=32, stride=16)
    pieces = torch.stack([whole[:, y0:y1, x0:x1] for x0, y0, x1, y1 in boxes.tolist()])
    merged = merge_windows(ScoreMap(pieces, (50, 40), (32, 32), boxes))
    torch.testing.assert_close(merged, whole)


def test_windows_are_resized_cropped_and_averaged() -> None:
    scores = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[0, 0, 16, 14], [8, 0, 24, 14]])
    up = F.interpolate(scores, (16, 20), mode="bilinear", align_corners=False)[:, :, :14, :16]
    merged = merge_windows(ScoreMap(scores, (14, 24), (16, 20), boxes))
    torch.testing.assert_close(merged[:, :, :8], up[0, :, :, :8])
    torch.testing.assert_close(merged[:, :, 8:16], (up[0, :, :, 8:] + up[1, :, :, :8]) / 2)
    torch.testing.assert_close(merged[:, :, 16:], up[1, :, :, 8:])


def test_without_boxes_the_map_spans_the_canvas() -> None:
    scores = torch.randn(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(scores, (16, 20), mode="bilinear", align_corners=False)[0, :, :15, :18]
    torch.testing.assert_close(merge_windows(ScoreMap(scores, (15, 18), (16, 20))), expected)


def test_a_pixel_in_no_window_is_an_error() -> None:
    score_map = ScoreMap(torch.zeros(1, 2, 4, 4), (5, 4), (4, 4), torch.tensor([[0, 0, 4, 4]]))
    with pytest.raises(ShapeError, match="4 pixels lie in none"):
        merge_windows(score_map)
