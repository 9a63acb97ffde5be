"""Rows that are held out: exactly as many as asked for, and the same on any partitions."""

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.model_selection

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.model_selection import train_test_split
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(3)
    kind = random.choice(["a", "b", "c"], 997, p=[0.8, 0.17, 0.03])
    return pd.DataFrame({"x": np.arange(997.0), "kind": kind, "label": random.integers(0, 2, 997)})


@pytest.mark.parametrize("stratify", [None, "kind"])
def test_parts_do_not_depend_on_partitions(table, stratify) -> None:
    features = table[["x", "kind"]]
    expected = train_test_split(features, table["label"], stratify=stratify, random_state=5)
    for partitions in (1, 3, 16):
        frame = lazy(table, partitions)
        parts = train_test_split(
            frame[["x", "kind"]], frame["label"], stratify=stratify, random_state=5
        )
        assert all(isinstance(part, (dd.DataFrame, dd.Series)) for part in parts)
        for mine, theirs in zip(dask.compute(*parts), expected, strict=True):
            assert mine.index.equals(theirs.index)
            assert mine.shape == theirs.shape
    other = train_test_split(features, stratify=stratify)[1]
    assert not other.index.equals(expected[1].index)


@pytest.mark.parametrize(
    ("test_size", "train_size"),
    [(None, None), (0.3, None), (None, 0.33), (100, None), (0.2, 0.5), (None, 7), (31, 0.9)],
)
def test_parts_have_as_many_rows_as_scikit_learns(table, test_size, train_size) -> None:
    sizes = {"test_size": test_size, "train_size": train_size}
    for stratify in (None, table["kind"]):
        ours = train_test_split(table, **sizes, stratify=stratify)
        theirs = sklearn.model_selection.train_test_split(
            table, **sizes, stratify=stratify, random_state=0
        )
        assert not set(ours[0].index) & set(ours[1].index)
        for mine, other in zip(ours, theirs, strict=True):
            assert len(mine) == len(other)
            if stratify is not None:
                counts = [part["kind"].value_counts().to_dict() for part in (mine, other)]
                assert counts[0] == counts[1]


def test_tables_of_other_partitions_are_split_alike_where_no_class_is_kept(table) -> None:
    parts = train_test_split(lazy(table["x"], 3), lazy(table[["label"]], 16), test_size=0.5)
    found = dask.compute(*parts)
    assert found[0].index.equals(found[2].index)
    assert found[1].index.equals(found[3].index)


def test_known_divisions_stay(table) -> None:
    frame = dd.from_pandas(table, npartitions=4)
    assert train_test_split(frame)[0].divisions == frame.divisions


def test_a_table_that_is_no_longer_the_same_is_told(table) -> None:
    held = [table]
    frame = dd.from_map(lambda _: held[0], range(2), meta=table.iloc[:0])
    train, _ = train_test_split(frame)
    held[0] = table.iloc[2:]
    with pytest.raises(InputError, match=r"995 rows now, and had 997 .* Persist the table"):
        train.compute()


def test_mistakes_are_told(table) -> None:
    with pytest.raises(ConfigurationError, match="no table to split"):
        train_test_split()
    for wrong in (0, 1.0, 997, -0.1, "half", True):
        with pytest.raises(ConfigurationError, match=r"test_size is .* from 1 to 996"):
            train_test_split(table, test_size=wrong)
    with pytest.raises(InputError, match="Of 997 rows 598 would be trained on and 499 tested on"):
        train_test_split(table, test_size=0.5, train_size=0.6)
    with pytest.raises(InputError, match="997, 996 rows"):
        train_test_split(table, table["x"].iloc[1:])
    with pytest.raises(MissingColumnError, match="nearest: 'kind'"):
        train_test_split(table, stratify="kinds")
    with pytest.raises(InputError, match="'b' has a single row"):
        train_test_split(pd.Series(range(3)), stratify=pd.Series(["a", "a", "b"]))
    with pytest.raises(InputError, match="3 classes cannot all be in 2 rows"):
        train_test_split(table, test_size=2, stratify="kind")
    frame = lazy(table, 3)
    with pytest.raises(InputError, match="Labels have 17 partitions and rows 4"):
        train_test_split(frame, stratify=lazy(table["kind"], 16))


def test_draws_begin_as_scikit_learn_lets_them(table) -> None:
    drawn = [train_test_split(table, random_state=None)[1].index for _ in range(2)]
    assert not drawn[0].equals(drawn[1])
    drawn = [
        train_test_split(table, random_state=np.random.RandomState(5))[1].index for _ in range(2)
    ]
    assert drawn[0].equals(drawn[1])
    with pytest.raises(ConfigurationError, match="random_state is -1; it must be a number from 0"):
        train_test_split(table, random_state=-1)
