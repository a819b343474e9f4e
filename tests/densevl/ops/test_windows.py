from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from densevl.core.errors import ShapeError, UsageError
from densevl.core.structures import ScoreMap
from densevl.ops.windows import merge_windows, splice_size, splice_windows, window_boxes


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


@pytest.mark.parametrize("shape", [(150, 200), (336, 336), (1, 2001), (17, 16), (1080, 607)])
@pytest.mark.parametrize("multiple", [14, 16])
def test_a_picture_is_stretched_to_whole_patches_and_to_the_least_side(shape: tuple[int, int], multiple: int) -> None:
    least = multiple * 6
    size = splice_size(*shape, multiple=multiple, least=least)
    free = splice_size(*shape, multiple=multiple)
    assert all(side % multiple == 0 for side in (*size, *free))
    if any(side % multiple for side in shape):
        assert size == tuple(max(side, least) for side in free)
        assert max(free) == -(-max(shape) // multiple) * multiple
        assert abs(min(free) - min(shape) * max(free) / max(shape)) <= multiple
    else:
        assert size == free == shape


def test_a_picture_of_whole_patches_stays_small() -> None:
    assert splice_size(32, 64, multiple=16, least=336) == (32, 64)


def test_windows_of_the_canvas_grid_are_spliced_as_they_are() -> None:
    canvas = torch.randn(3, 6, 9)
    boxes = window_boxes(6, 9, crop=4, stride=3)
    maps = torch.stack([canvas[:, y0:y1, x0:x1] for x0, y0, x1, y1 in boxes.tolist()])
    assert_close(splice_windows(maps, boxes), canvas, atol=1e-6, rtol=0)
    assert_close(splice_windows(maps.double(), boxes), canvas.double(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("grid, finer", [((8, 8), 2), ((3, 3), 1), ((5, 5), 1), ((7, 7), 2), ((1, 1), 1)])
def test_other_grids_are_resized_to_the_nearest_multiple_of_patches(grid: tuple[int, int], finer: int) -> None:
    boxes = window_boxes(6, 9, crop=4, stride=3)
    maps = torch.randn(len(boxes), 3, *grid)
    found = splice_windows(maps, boxes)
    assert found.shape == (3, 6 * finer, 9 * finer)
    resized = F.interpolate(maps, size=(4 * finer, 4 * finer), mode="bilinear", align_corners=False)
    assert_close(found[:, :finer, :finer], resized[0, :, :finer, :finer], atol=1e-5, rtol=0)  # one window only
    total, hits = torch.zeros_like(found), torch.zeros(found.shape[1:])
    for window, (x0, y0, x1, y1) in zip(resized, (boxes * finer).tolist(), strict=True):
        total[:, y0:y1, x0:x1] += window
        hits[y0:y1, x0:x1] += 1
    assert_close(found, total / hits, atol=1e-5, rtol=0)
