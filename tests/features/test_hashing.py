"""Hashes are those of the values, whatever stands beside them in a partition."""

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dmlkit.features.hashing import hash_values

MIXED: list[Any] = ["a", 7, 7.5, True, None, Decimal("1.1"), datetime.date(2025, 1, 1), 2**70, b"x"]


@pytest.mark.parametrize("value", [each for each in MIXED if each is not None])
def test_a_value_has_one_hash_alone_and_among_others(value: Any) -> None:
    (alone,) = hash_values(pd.Series([value], dtype=object))
    among = hash_values(pd.Series(MIXED, dtype=object))
    assert among[MIXED.index(value)] == alone


def test_values_of_a_mixed_column_are_those_of_columns_of_one_kind() -> None:
    text, whole, number = hash_values(pd.Series(["a", 7, 7.5], dtype=object))
    assert text == hash_values(pd.Series(["a"]))[0]
    assert whole == hash_values(pd.Series([7]))[0]
    assert number == hash_values(pd.Series([7.5]))[0]
    assert len({*hash_values(pd.Series(MIXED, dtype=object)).tolist()}) == len(MIXED)


def test_times_have_the_same_hash_in_any_resolution() -> None:
    times = pd.Series([pd.Timestamp("2025-01-01"), pd.NaT, pd.Timestamp("2025-01-02 12:00:00.5")])
    np.testing.assert_array_equal(
        hash_values(times.astype("datetime64[ms]")), hash_values(times.astype("datetime64[ns]"))
    )
