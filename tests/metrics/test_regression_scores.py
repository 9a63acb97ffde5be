"""Scores of predicted numbers are scikit-learn's, on any partitions."""

import math
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from dmlkit import metrics
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics import mean_squared_error, r2_score
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

NAMES = (
    "d2_absolute_error_score",
    "d2_pinball_score",
    "d2_tweedie_score",
    "explained_variance_score",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_gamma_deviance",
    "mean_pinball_loss",
    "mean_poisson_deviance",
    "mean_squared_error",
    "mean_squared_log_error",
    "mean_tweedie_deviance",
    "median_absolute_error",
    "r2_score",
    "root_mean_squared_error",
    "root_mean_squared_log_error",
)


def rows(kind: str = "float64", offset: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(2)
    true = np.round(random.lognormal(3, 1, 400)) + 1 + offset
    found = np.round(true * random.uniform(0.7, 1.3, 400))
    return (
        pd.DataFrame({"true": true, "found": found}).astype(kind).assign(weight=random.random(400))
    )


@pytest.mark.parametrize(
    ("kind", "partitions"),
    [("float64", 0), ("float64", 1), ("float32", 3), ("int64", 3), ("Int64", 0), ("float64", 16)],
)
@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_scikit_learn(name, kind, partitions) -> None:
    table = rows(kind)
    frame: Any = lazy(table, partitions) if partitions else table
    plain = table[["true", "found"]].astype("float64")
    for weighted in (False, True):
        ours, theirs = (
            {"sample_weight": each["weight"]} if weighted else {} for each in (frame, table)
        )
        expected = getattr(sklearn.metrics, name)(plain["true"], plain["found"], **theirs)
        found = getattr(metrics, name)(frame["true"], frame["found"], **ours)
        assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        *[("d2_tweedie_score", {"power": power}) for power in (-1, 1, 1.5, 2, 3)],
        *[("mean_tweedie_deviance", {"power": power}) for power in (-1, 1.5, 3)],
        *[("d2_pinball_score", {"alpha": alpha}) for alpha in (0.0, 0.1, 0.9, 1.0)],
        ("mean_pinball_loss", {"alpha": 0.9}),
    ],
)
def test_settings_are_those_of_scikit_learn(name, settings, weighted) -> None:
    table = rows()
    frame = lazy(table, 3)
    ours, theirs = (
        {"sample_weight": each["weight"]} if weighted else {} for each in (frame, table)
    )
    expected = getattr(sklearn.metrics, name)(table["true"], table["found"], **settings, **theirs)
    found = getattr(metrics, name)(frame["true"], frame["found"], **settings, **ours)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("partitions", [1, 3])
def test_medians_of_few_numbers_are_exact_too(partitions) -> None:
    for count in range(1, 12):
        table = pd.DataFrame({"true": np.zeros(count), "found": np.arange(count) ** 2.0})
        frame = lazy(table, min(partitions, count))
        found = metrics.median_absolute_error(frame["true"], frame["found"])
        assert found == np.median(table["found"])
        weight = table["found"] % 3  # 0 for some
        if weight.any():
            expected = sklearn.metrics.median_absolute_error(
                table["true"], table["found"], sample_weight=weight
            )
            ours = metrics.median_absolute_error(
                frame["true"], frame["found"], sample_weight=frame["found"] % 3
            )
            assert ours == expected


def test_the_largest_error_is_that_of_any_partition() -> None:
    table = rows()
    expected = sklearn.metrics.max_error(table["true"], table["found"])
    for partitions in (1, 3, 16):
        frame = lazy(table, partitions)
        assert metrics.max_error(frame["true"], frame["found"]) == expected


def test_what_a_deviance_is_not_defined_of_is_told() -> None:
    values = pd.Series([1.0, 0.0, -1.0])
    with pytest.raises(InputError, match="2 rows of a partition have a label of 0 or less"):
        metrics.mean_gamma_deviance(values, values + 2)
    with pytest.raises(InputError, match="1 rows of a partition have a label below 0"):
        metrics.mean_poisson_deviance(values, values + 2)
    with pytest.raises(InputError, match="2 rows of a partition have a prediction of 0 or less"):
        metrics.mean_poisson_deviance(values + 2, values)
    with pytest.raises(InputError, match="2 rows of a partition have a prediction of 0 or less"):
        metrics.mean_tweedie_deviance(values, values, power=-1)
    with pytest.raises(ConfigurationError, match=r"power is 0.5"):
        metrics.mean_tweedie_deviance(values, values, power=0.5)
    with pytest.raises(InputError, match="1 rows of a partition have -1, and logarithms"):
        metrics.mean_squared_log_error(values, values)
    with pytest.raises(ConfigurationError, match=r"alpha is 1.5"):
        metrics.mean_pinball_loss(values, values, alpha=1.5)
    for name in ("median_absolute_error", "mean_poisson_deviance", "max_error"):
        with pytest.raises(InputError, match="no row to judge"):
            getattr(metrics, name)(values[:0], values[:0])
    for name in ("d2_absolute_error_score", "d2_tweedie_score"):
        assert math.isnan(getattr(metrics, name)(values[:1], values[:1]))


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
