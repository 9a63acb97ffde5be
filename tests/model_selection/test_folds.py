"""Folds of rows: as large as scikit-learn's, and the same on any partitions."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.fixture(scope="module")
def stays() -> pd.DataFrame:
    random = np.random.default_rng(0)
    patient = random.integers(0, 150, 1_003)
    died = random.random(1_003) < np.where(patient % 7 == 0, 0.4, 0.02)
    kind = random.choice(["home", "ward", "other"], 1_003, p=[0.7, 0.25, 0.05])
    return pd.DataFrame({"patient": patient, "died": died.astype(int), "kind": kind})


def folds_of(stays: Any, split: Any, *columns: str) -> list[list[int]]:
    """Return the rows of each test, having looked that others are trained on."""
    found = []
    for train, test in split.split(stays, *columns):
        parts = [part.compute() if hasattr(part, "compute") else part for part in (train, test)]
        rows = [part.index.tolist() for part in parts]
        assert sorted(rows[0] + rows[1]) == list(range(1_003))
        assert parts[1].columns.tolist() == ["patient", "died", "kind"]
        found.append(rows[1])
    assert sorted(row for fold in found for row in fold) == list(range(1_003))
    return found


@pytest.mark.parametrize(
    ("split", "columns"),
    [
        (KFold(4, seed=1), ()),
        (StratifiedKFold(4, seed=1), ("kind",)),
        (StratifiedGroupKFold(4, seed=1), ("died", "patient")),
    ],
    ids=["rows", "classes", "groups"],
)
def test_folds_are_lazy_and_the_same_on_any_partitions(stays, split, columns) -> None:
    expected = folds_of(stays, split, *columns)
    for partitions in (1, 3, 16):
        frame = lazy(stays, partitions)
        assert folds_of(frame, split, *columns) == expected
    frame = lazy(stays.astype({"kind": "category", "patient": "float64"}), 3)
    assert folds_of(frame, split, *columns) == expected
    assert split.get_n_splits() == 4
    again = type(split)(4, seed=2)
    assert folds_of(stays, again, *columns) != expected


def test_folds_have_as_many_rows_as_scikit_learns(stays) -> None:
    theirs = sklearn.model_selection.KFold(4, shuffle=True).split(stays)
    assert [len(fold) for fold in folds_of(stays, KFold(4))] == [len(test) for _, test in theirs]
    # There classes come as they occur, here sorted.
    kinds = stays["kind"].sort_values()
    theirs = sklearn.model_selection.StratifiedKFold(4).split(kinds, kinds)
    ours = folds_of(stays, StratifiedKFold(4), "kind")
    for mine, (_, test) in zip(ours, theirs, strict=True):
        found, expected = stays["kind"].iloc[mine], kinds.iloc[test]
        assert found.value_counts().to_dict() == expected.value_counts().to_dict()


def test_rows_of_a_fold_are_no_neighbours(stays) -> None:
    first = np.isin(range(1_003), folds_of(stays, KFold(4))[0])
    assert (first[1:] & first[:-1]).mean() == pytest.approx(1 / 16, abs=0.03)


def test_groups_are_whole_and_classes_as_alike_as_with_scikit_learn(stays) -> None:
    ours = folds_of(stays, StratifiedGroupKFold(5), "died", "patient")
    patients = [set(stays["patient"].iloc[rows]) for rows in ours]
    assert sum(map(len, patients)) == stays["patient"].nunique()
    split = sklearn.model_selection.StratifiedGroupKFold(5)
    theirs = [test for _, test in split.split(stays, stays["died"], stays["patient"])]
    for count in (len, lambda rows: stays["died"].iloc[rows].sum()):
        spread = [np.ptp(list(map(count, each))) for each in (ours, theirs)]
        assert spread[0] <= spread[1] + 2


def test_a_series_is_split_too(stays) -> None:
    (train, test), _ = KFold(2).split(lazy(stays["died"], 3))
    assert (len(train), len(test)) == (501, 502)


def test_mistakes_are_told(stays) -> None:
    for kind in (KFold, StratifiedKFold, StratifiedGroupKFold):
        with pytest.raises(ConfigurationError, match="n_splits is 1"):
            kind(1)
    with pytest.raises(MissingColumnError, match="nearest: 'died'"):
        next(StratifiedKFold().split(stays, "dead"))
    with pytest.raises(MissingColumnError, match="nearest: 'patient'"):
        next(StratifiedGroupKFold().split(stays, "died", "patients"))
    with pytest.raises(InputError, match="3 rows for 5 folds"):
        next(KFold().split(stays.iloc[:3]))
    with pytest.raises(InputError, match="No value of 'kind' has as many rows"):
        next(StratifiedKFold(50).split(stays.iloc[:20], "kind"))
    with pytest.raises(InputError, match="1 of 3 rows of a partition have no 'kind'"):
        next(StratifiedKFold(2).split(pd.DataFrame({"kind": ["a", None, "b"]}), "kind"))
    with pytest.raises(InputError, match="3 groups for 5 folds"):
        groups = pd.DataFrame({"group": [1, 2, 3], "died": [0, 1, 0]})
        next(StratifiedGroupKFold().split(groups, "died", "group"))
    with pytest.raises(InputError, match=r"There are 1,500 classes .* bin it first"):
        next(StratifiedKFold().split(pd.DataFrame({"amount": range(1_500)}), "amount"))
    with pytest.raises(InputError, match="DataFrame or Series is needed, but this is ndarray"):
        next(KFold().split(np.arange(10)))
    with pytest.warns(UserWarning, match="1 rows have 'b' in 'kind': some of 2 folds"):
        next(StratifiedKFold(2).split(pd.DataFrame({"kind": ["a", "a", "b"]}), "kind"))


@pytest.mark.parametrize("split", [StratifiedKFold(3), GroupKFold(3)])
def test_a_column_given_in_the_place_of_its_name_is_told(stays: pd.DataFrame, split: Any) -> None:
    with pytest.raises(InputError, match=r"not split\(frame, Series\)"):
        list(split.split(stays, stays["died"]))
