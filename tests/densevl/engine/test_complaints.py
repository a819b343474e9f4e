"""Warnings that stay few."""

from __future__ import annotations

import pytest

from densevl.engine.complaints import Complaints


def test_the_first_odd_items_are_named_once_and_the_rest_is_pointed_at(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints("more: see there")
    for index in [0, 0, *range(20)]:
        complaints.add(index, f"item {index} is odd")
    assert [record.getMessage() for record in caplog.records] == [
        *(f"item {index} is odd" for index in range(5)),
        "more: see there",
    ]
