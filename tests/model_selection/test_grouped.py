"""Splits by group: nobody is on both sides, and the sides are the same on any machine."""

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.model_selection import GroupKFold, GroupSplit, count_parts


@pytest.fixture(scope="module")
def stays() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {"patient": random.integers(0, 3_000, 10_000), "label": random.integers(0, 2, 10_000)}
    )


def test_nobody_is_in_two_parts_and_shares_are_kept(stays) -> None:
    parts = GroupSplit(test_share=0.2, validation_share=0.1).split(stays, "patient")
    patients = [set(part["patient"]) for part in parts]
    assert sum(map(len, patients)) == stays["patient"].nunique()
    assert sum(map(len, parts)) == len(stays)
    shares = [len(each) / stays["patient"].nunique() for each in patients]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.03)


@pytest.mark.parametrize("partitions", [1, 3, 16])
def test_parts_do_not_depend_on_partitions_or_types(stays, partitions) -> None:
    lazy = dd.from_pandas(stays.astype({"patient": "float64"}), npartitions=partitions)
    test = GroupSplit().split(lazy, "patient").test
    with dask.config.set(scheduler="synchronous"):
        expected = GroupSplit().split(stays, "patient").test.index
        assert list(test.compute().index) == list(expected)


def test_another_seed_tests_others(stays) -> None:
    first, second = (
        set(GroupSplit(seed=seed).split(stays, "patient").test["patient"]) for seed in (0, 1)
    )
    both = len(first & second) / len(first)
    assert both == pytest.approx(0.2, abs=0.06)


def test_each_fold_is_tested_on_once(stays) -> None:
    tested = []
    for train, test in GroupKFold(4).split(stays, "patient"):
        assert not set(train["patient"]) & set(test["patient"])
        assert len(train) + len(test) == len(stays)
        tested += list(test.index)
    assert sorted(tested) == list(stays.index)


def test_parts_are_counted_in_one_pass(stays) -> None:
    parts = GroupSplit().split(stays, "patient")
    counts = count_parts(parts, "label")
    assert counts["test"] == {"rows": len(parts.test), "positives": parts.test["label"].sum()}
    with pytest.raises(InputError, match="The train part has"):
        count_parts(parts._replace(train=stays.iloc[:0]), "label")


def test_mistakes_are_told() -> None:
    with pytest.raises(ConfigurationError, match="left to train on"):
        GroupSplit(test_share=0.7, validation_share=0.3)
    with pytest.raises(ConfigurationError, match="n_splits is 1"):
        GroupKFold(1)
    with pytest.raises(MissingColumnError, match="nearest: 'patient'"):
        GroupSplit().split(pd.DataFrame({"patient": [1]}), "patients")
    with pytest.raises(InputError, match="1 of 2 rows"):
        GroupSplit().split(pd.DataFrame({"patient": [1, None]}), "patient")
