from __future__ import annotations

import threading

import numpy as np
import torch

from densevl.ops.kernels import fill_class_map
from densevl.ops.taps import bilinear_taps, cut_tiles


def inputs(classes: int, grid: tuple[int, int], size: tuple[int, int]) -> tuple[torch.Tensor, tuple]:
    values = torch.randn(*grid, classes, generator=torch.Generator().manual_seed(0))
    axes = [cut_tiles(bilinear_taps(n, m, m / n)) for n, m in zip(size, grid, strict=True)]
    labels, confidence = np.zeros(size, dtype=np.uint8), np.zeros(size, dtype=np.float32)
    rows, cols = ((tiles.starts, tiles.nodes, tiles.weights) for tiles in axes)
    return values, (values.numpy(), rows, cols, labels, confidence)


def test_at_the_nodes_the_class_map_is_the_argmax() -> None:
    values, arguments = inputs(9, (6, 7), (6, 7))
    fill_class_map(*arguments)
    np.testing.assert_array_equal(arguments[3], values.argmax(2).numpy())
    np.testing.assert_array_equal(arguments[4], values.amax(2).numpy())


def test_two_threads_fill_their_own_maps() -> None:
    jobs = [inputs(20, (9, 8), (200, 210))[1] for _ in range(2)]
    threads = [threading.Thread(target=fill_class_map, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(jobs[0][3], jobs[1][3])
    assert len(np.unique(jobs[0][3])) > 5
