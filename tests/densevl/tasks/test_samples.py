"""Pictures with their annotations, and what is seen of a data set before a model is loaded."""

from __future__ import annotations

import numpy as np
import pytest

from densevl.core.errors import DataError, PictureError
from densevl.tasks.samples import SampleSource, check_samples
from tests.densevl.tasks.labelled import MemorySet


def test_a_sample_is_a_picture_with_its_annotation_under_one_hash() -> None:
    source = SampleSource(MemorySet())
    sample, sha256 = source.read(2)
    np.testing.assert_array_equal(sample.picture, MemorySet().read(2)[0])
    np.testing.assert_array_equal(sample.label, MemorySet().read_labels(2)[0])
    assert sha256 == source.digest(2) != source.digest(3)
    assert SampleSource(MemorySet(version=1)).digest(2) != sha256


def test_the_hash_of_a_sample_is_had_without_decoding_it() -> None:
    data = MemorySet()
    assert SampleSource(data).digest(2) == SampleSource(MemorySet()).read(2)[1] and data.reads == []


def test_a_limit_takes_the_first() -> None:
    assert list(SampleSource(MemorySet(), 2).names()) == list(MemorySet().names())[:2]
    assert (len(SampleSource(MemorySet(), 2)), len(SampleSource(MemorySet(), 90)), len(SampleSource(MemorySet()))) == (
        2,
        7,
        7,
    )


def test_an_annotation_of_another_size_names_the_picture_and_both_sizes() -> None:
    with pytest.raises(DataError, match=r"001\.png is 72x48 but its annotation 72x47"):
        SampleSource(MemorySet(crooked=frozenset({1}))).read(1)


def test_some_faulty_samples_are_no_reason_to_stop_and_three_that_are_all_faulty_are() -> None:
    check_samples(SampleSource(MemorySet(broken=frozenset({0, 3}))))
    with pytest.raises(PictureError, match=r"000\.png is cut off"):
        check_samples(SampleSource(MemorySet(broken=frozenset({0, 3, 6}))))
    check_samples(SampleSource(MemorySet(broken=frozenset({3, 6})), 2))
