from __future__ import annotations

import numpy as np

from densevl.bench.decoding import compare_frames, decode_all, decode_wanted, make_clip, wanted


def test_both_forms_give_the_same_eight_frames_and_a_frame_beside_shows() -> None:
    clip = make_clip()
    ours, reference = decode_wanted(clip), decode_all(clip)
    assert ours.shape == (8, 256, 340, 3)
    assert compare_frames(clip, ours, reference)[0]
    assert not compare_frames(clip, np.roll(ours, 1, axis=0), reference)[0]
    assert len({frame.tobytes() for frame in ours}) == 8


def test_the_wanted_frames_are_the_middles_of_equal_parts() -> None:
    assert wanted() == [18, 56, 93, 131, 168, 206, 243, 281]
