from __future__ import annotations

import numpy as np
from PIL import Image

from densevl.bench.masks import compare_folders, draw_blobs, score_folders, score_plainly, write_masks
from densevl.data.label_maps import read_label_map


def test_both_forms_agree_and_a_changed_pixel_shows() -> None:
    masks = write_masks()
    ours, plain = score_folders(masks), score_plainly(masks)
    assert compare_folders(masks, ours, plain) == (True, 0.0)
    assert 0 < ours[0].sum() < ours[1].sum() < np.prod(read_label_map(masks.predictions / "picture.png").shape)
    changed = read_label_map(masks.predictions / "picture.png").copy()
    changed[100, 100] = (changed[100, 100] + 1) % 150
    Image.fromarray(changed).save(masks.predictions / "picture.png")
    assert compare_folders(masks, score_folders(masks), plain) == (False, 1.0)


def test_blobs_are_few_and_smooth() -> None:
    label = draw_blobs((300, 400))
    assert label.dtype == np.uint8 and 5 < len(np.unique(label)) <= 20
    assert (label[:, 1:] != label[:, :-1]).mean() < 0.1
    np.testing.assert_array_equal(label, draw_blobs((300, 400)))
