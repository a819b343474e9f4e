from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from densevl.core.errors import ClipError, ShapeError
from densevl.data.frame_reader import FrameReader
from densevl.data.packet_scan import PacketScan


class CountingFrames(FrameReader):
    """Ten frames of 2x3 that are all their own number; notes what was decoded."""

    def __init__(self) -> None:
        scan = PacketScan(
            container="mov",
            coded_size=(2, 3),
            rotation=0,
            fps=10.0,
            seconds=np.arange(10) / 10,
            header_count=10,
            lost=0,
            open_gop=False,
            damage="",
        )
        super().__init__("ten.mp4", scan)
        self.decoded: list[int] = []
        self.closed = False
        self.damaged_from = 10

    def close(self) -> None:
        self.closed = True

    def decode(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        for index in indices:
            if index >= self.damaged_from:
                raise ClipError("damaged")
            self.decoded.append(index)
            yield np.full((2, 3, 3), index, dtype=np.uint8)


def test_frames_come_in_the_order_asked_and_each_is_decoded_once() -> None:
    reader = CountingFrames()
    frames = reader.read([7, 2, 7, 0])
    assert frames.shape == (4, 2, 3, 3) and frames.dtype == np.uint8
    assert frames[:, 0, 0, 0].tolist() == [7, 2, 7, 0]
    assert reader.decoded == [0, 2, 7]


def test_nothing_asked_is_an_empty_array() -> None:
    assert CountingFrames().read([]).shape == (0, 2, 3, 3)


def test_numpy_numbers_are_numbers() -> None:
    assert CountingFrames().read(np.array([3, 1]))[:, 0, 0, 0].tolist() == [3, 1]


@pytest.mark.parametrize("index", [-1, 10])
def test_a_frame_that_is_not_there_is_refused_before_decoding(index: int) -> None:
    reader = CountingFrames()
    with pytest.raises(ShapeError, match=rf"frame {index} of ten\.mp4: expected a number from 0 to 9"):
        reader.read([0, index])
    assert reader.decoded == []


def test_every_third_frame_with_its_number() -> None:
    assert [(index, int(frame[0, 0, 0])) for index, frame in CountingFrames().every(3)] == [
        (0, 0),
        (3, 3),
        (6, 6),
        (9, 9),
    ]


def test_frames_are_whole_up_to_damage() -> None:
    assert CountingFrames().count_whole() == 10
    reader = CountingFrames()
    reader.damaged_from = 4
    assert reader.count_whole() == 4


def test_it_is_closed_after_a_with_block() -> None:
    with CountingFrames() as reader:
        assert (len(reader), reader.fps, reader.size, reader.seconds(9)) == (10, 10.0, (2, 3), 0.9)
        assert not reader.closed
    assert reader.closed
