"""Scores of predicted numbers are scikit-learn's, on any partitions."""

import math
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from dmlkit import metrics
from dmlkit.errors import InputError
from dmlkit.metrics import mean_squared_error, r2_score
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

NAMES = (
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "r2_score",
    "root_mean_squared_error",
)


def rows(kind: str = "float64", offset: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(2)
    true = np.round(random.lognormal(3, 1, 400)) + offset
    found = np.round(true * random.uniform(0.7, 1.3, 400))
    return (
        pd.DataFrame({"true": true, "found": found}).astype(kind).assign(weight=random.random(400))
    )


@pytest.mark.parametrize("kind", ["float64", "float32", "int64", "Int64"])
@pytest.mark.parametrize("partitions", [0, 1, 3, 16])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_scikit_learn(name, kind, partitions, weighted) -> None:
    table = rows(kind)
    frame: Any = lazy(table, partitions) if partitions else table
    ours = {"sample_weight": frame["weight"]} if weighted else {}
    theirs = {"sample_weight": table["weight"]} if weighted else {}
    plain = table[["true", "found"]].astype("float64")
    expected = getattr(sklearn.metrics, name)(plain["true"], plain["found"], **theirs)
    found = getattr(metrics, name)(frame["true"], frame["found"], **ours)
    assert found == pytest.approx(expected, rel=1e-12)


def test_nothing_is_lost_where_numbers_are_large_and_alike() -> None:
    table = rows(offset=1e9)
    table["found"] = table["true"] + np.resize([1.0, -2.0], 400)
    expected = sklearn.metrics.r2_score(table["true"] - 1e9, table["found"] - 1e9)
    frame = lazy(table, 16)
    assert r2_score(frame["true"], frame["found"]) == pytest.approx(expected, rel=1e-9)


def test_of_a_truth_that_does_not_vary_there_is_all_or_nothing_to_explain() -> None:
    same = pd.Series([2.0, 2.0])
    assert r2_score(same, same) == 1.0
    assert r2_score(same, pd.Series([2.0, 3.0])) == 0.0
    assert math.isnan(r2_score(same[:1], same[:1]))


def test_mistakes_are_told() -> None:
    values = pd.Series([1.0, 2.0, None])
    with pytest.raises(InputError, match="1 rows of a partition have no label"):
        mean_squared_error(values, pd.Series([1.0, 2.0, 3.0]))
    with pytest.raises(InputError, match="no prediction, or an infinite one"):
        mean_squared_error(pd.Series([1.0]), pd.Series([np.inf]))
    with pytest.raises(InputError, match="a weight of -1"):
        mean_squared_error(values[:2], values[:2], sample_weight=pd.Series([1, -1]))
    with pytest.raises(InputError, match="All weights are 0"):
        mean_squared_error(values[:2], values[:2], sample_weight=pd.Series([0, 0]))
    with pytest.raises(InputError, match="no row to judge"):
        r2_score(values[:0], values[:0])
    with pytest.raises(InputError, match=r"have \[2, 3\] partitions"):
        r2_score(*(dd.from_pandas(pd.Series(range(6)), npartitions=count) for count in (2, 3)))
