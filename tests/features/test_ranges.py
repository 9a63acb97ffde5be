"""Ranges of rows: of about equal size, entities whole where they can be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmlkit.features.ranges import EARLIEST, Ranges, ranges_of, sample_of

keys = st.lists(
    st.tuples(st.integers(0, 5).map(lambda n: n * 2**61 + 7), st.integers(-9, 9)), max_size=60
)


def ranges(rows: list[tuple[int, int]], count: int, parts: int = 3) -> Ranges:
    hashes = np.array([row[0] for row in rows], np.uint64)
    times = np.array([row[1] for row in rows], np.int64)
    pieces = np.array_split(np.arange(len(rows)), parts)
    return ranges_of([sample_of(times[piece], hashes[piece].take, 1000) for piece in pieces], count)


def sizes(found: Ranges, hashes: np.ndarray, times: np.ndarray) -> list[int]:
    return np.bincount(found.numbers(hashes, times), minlength=len(found)).tolist()


@given(keys, st.integers(1, 12))
def test_a_row_is_in_the_last_range_that_begins_before_it(rows, count):
    found = ranges(rows, count)
    begins = list(zip(found.hashes.tolist(), found.times.tolist(), strict=True))
    assert begins == sorted(begins)
    hashes = np.array([row[0] for row in rows], np.uint64)
    times = np.array([row[1] for row in rows], np.int64)
    expected = [max(n for n, begin in enumerate(begins) if begin <= row or n == 0) for row in rows]
    assert found.numbers(hashes, times).tolist() == expected


@given(keys, st.integers(2, 12), st.integers(1, 8))
def test_the_context_of_a_range_are_rows_of_its_first_entity_shortly_before_it(rows, count, reach):
    found = ranges(rows, count)
    hashes = np.array([row[0] for row in rows], np.uint64)
    times = np.array([row[1] for row in rows], np.int64)
    for number, (begin_hash, begin) in enumerate(zip(found.hashes, found.times, strict=True)):
        expected = [
            row
            for row, (value, time) in enumerate(rows)
            if begin != EARLIEST and value == begin_hash and begin - reach < time < begin
        ]
        assert found.context(number, hashes, times, reach).tolist() == expected


def test_many_entities_give_ranges_of_about_equal_size_and_none_is_cut():
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**63, 50_000).astype(np.uint64).repeat(10)
    times = random.integers(0, 1000, len(hashes))
    parts = np.array_split(random.permutation(len(hashes)), 20)
    found = ranges_of([sample_of(times[part], hashes[part].take, 2048) for part in parts], 40)
    assert not found.cuts_entities
    rows = sizes(found, hashes, times)
    assert min(rows) > 10_000
    assert max(rows) < 15_000


@pytest.mark.parametrize("share", [0.3, 0.95])
def test_an_entity_with_many_rows_is_cut_in_time(share):
    random = np.random.default_rng(0)
    hashes = random.integers(0, 2**63, 100_000).astype(np.uint64)
    hashes[random.random(len(hashes)) < share] = 2**62
    times = random.integers(0, 1_000_000, len(hashes))
    parts = np.array_split(np.arange(len(hashes)), 7)
    found = ranges_of([sample_of(times[part], hashes[part].take, 2048) for part in parts], 20)
    assert found.cuts_entities
    assert max(sizes(found, hashes, times)) < 7_000


def test_rows_at_one_instant_stay_together():
    rows = [(7, 5)] * 100
    found = ranges(rows, 4)
    hashes, times = np.full(100, 7, np.uint64), np.full(100, 5)
    assert sorted(sizes(found, hashes, times)) == [0, 0, 0, 100]


def test_no_rows_have_ranges_too():
    assert len(ranges([], 3)) == 3
