from __future__ import annotations

import numpy as np

from densevl.bench.metric import compare_areas, count_areas, label_maps, plain_areas


def test_both_forms_agree_and_a_lost_pixel_shows() -> None:
    maps = label_maps()
    ours, plain = count_areas(maps), plain_areas(maps)
    assert compare_areas(maps, ours, plain) == (True, 0.0)
    assert 0 < ours[0].sum() < ours[1].sum() < maps[0].size  # some wrong, some ignored
    wrong = (ours[0] + np.eye(1, len(ours[0]), dtype=np.int64)[0], *ours[1:])
    assert compare_areas(maps, wrong, plain) == (False, 1.0)
