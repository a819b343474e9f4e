"""Which items are in which batch."""

from __future__ import annotations

from itertools import islice

import pytest

from densevl.core.errors import TrainingError
from densevl.data.loader import BatchOrder

Keys = list[list[tuple[int, int]]]


def take(order: BatchOrder, count: int) -> Keys:
    return [part.items for part in islice(iter(order), count)]


def test_an_epoch_sees_every_item_once_and_the_next_in_another_order() -> None:
    order = BatchOrder(7, 3)
    first, second = (take(BatchOrder(7, 3, start=start), 3) for start in (0, 3))
    for epoch, batches in enumerate((first, second)):
        keys = [key for batch in batches for key in batch]
        assert sorted(place for _, place in keys) == list(range(7)) and {number for number, _ in keys} == {epoch}
    assert [[place for _, place in batch] for batch in first] != [[place for _, place in batch] for batch in second]
    assert order.per_epoch == 3 and take(order, 6) == first + second


def test_processes_share_each_batch_of_one_process() -> None:
    whole = take(BatchOrder(11, 4), 5)
    parts = [take(BatchOrder(11, 4, rank=rank, ranks=3), 5) for rank in range(3)]
    for batch, shares in zip(whole, zip(*parts, strict=True), strict=True):
        assert sorted(key for share in shares for key in share) == sorted(batch) and all(shares)


def test_parts_are_the_batch_of_a_process_in_order_with_their_shares() -> None:
    for ranks in (1, 2):
        whole = take(BatchOrder(11, 5, rank=ranks - 1, ranks=ranks), 6)
        parts = iter(BatchOrder(11, 5, rank=ranks - 1, ranks=ranks, parts=2))
        for number, batch in enumerate(whole):
            found = [next(parts)]
            while not found[-1].last:
                found.append(next(parts))
            assert [key for part in found for key in part.items] == batch and len(found) <= 2
            rows = 1 if number % 3 == 2 and ranks == 1 else 5
            assert [part.share for part in found] == [len(part.items) / rows for part in found]


def test_a_rest_that_does_not_go_round_is_left_out() -> None:
    assert BatchOrder(9, 4).per_epoch == 3
    assert BatchOrder(9, 4, ranks=2).per_epoch == 2
    assert BatchOrder(10, 4, ranks=2).per_epoch == 3


@pytest.mark.parametrize("count, size, ranks", [(7, 8, 1), (7, 0, 1), (7, 2, 3)])
def test_a_batch_that_the_set_or_the_processes_do_not_fit_is_refused(count: int, size: int, ranks: int) -> None:
    with pytest.raises(TrainingError, match=f"a batch of {size} .* set data.batch_size"):
        BatchOrder(count, size, ranks=ranks)
