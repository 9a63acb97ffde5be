"""An isolation forest has scikit-learn's trees and scores, and is the same on any partitions."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.ensemble
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from dmlkit.ensemble import IsolationForest
from dmlkit.ensemble.isolation_trees import Trees, average_path_length, path_lengths, together
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, NotFittedError
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

FEATURES = [f"x{number}" for number in range(5)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Two heaps of rows; the last fifty are scattered."""
    random = np.random.default_rng(9)
    middles = random.normal(size=(2, 5))[random.integers(0, 2, 2_000)] * 3
    values = middles + random.normal(size=(2_000, 5))
    values[-50:] = random.uniform(-10, 10, size=(50, 5))
    return pd.DataFrame(values, columns=FEATURES)


def test_rows_in_scikit_learns_trees_have_its_scores(table) -> None:
    theirs = sklearn.ensemble.IsolationForest(n_estimators=20, random_state=0).fit(table)
    trees = [
        Trees(
            tree.feature.astype(np.int32),
            tree.threshold,
            tree.children_left.astype(np.int32),
            tree.children_right.astype(np.int32),
            tree.compute_node_depths() - 1 + average_path_length(tree.n_node_samples),
            np.zeros(1, np.int64),
        )
        for tree in (each.tree_ for each in theirs.estimators_)
    ]
    lengths = path_lengths(table.to_numpy(dtype=np.float32), together(trees)) / 20
    expected = -(2 ** -(lengths / average_path_length(np.array([256]))[0]))
    np.testing.assert_allclose(expected, theirs.score_samples(table), rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_samples": 50, "contamination": 0.05, "random_state": 3},
        {"max_samples": 0.1, "max_features": 0.5, "bootstrap": True},
    ],
    ids=str,
)
def test_the_forest_is_the_same_on_any_partitions(table, options) -> None:
    here = IsolationForest(n_estimators=30, **options).fit(table)
    expected = here.decision_function(table)
    for partitions in (1, 3, 16):
        frame = lazy(table, partitions)
        there = clone(here).fit(frame)
        np.testing.assert_array_equal(there.decision_function(frame).compute(), expected)
        np.testing.assert_array_equal(there.predict(frame).compute(), here.predict(table))
    if "contamination" in options:
        assert (here.predict(table) == -1).mean() == pytest.approx(0.05, abs=0.001)


def test_it_tells_odd_rows_as_well_as_scikit_learn(table) -> None:
    odd = np.arange(2_000) >= 1_950
    theirs = sklearn.ensemble.IsolationForest(random_state=0).fit(table)
    scores = IsolationForest().fit(table).score_samples(table)
    best = roc_auc_score(odd, -theirs.score_samples(table))
    assert roc_auc_score(odd, -scores) > best - 0.01
    # The mean score of all rows hardly depends on which were drawn.
    assert scores.mean() == pytest.approx(theirs.score_samples(table).mean(), abs=0.01)


def test_a_sample_of_all_rows_has_each_of_them_once(table) -> None:
    few = table.iloc[:100]
    model = IsolationForest(n_estimators=3, max_samples=1.0).fit(few)
    assert model.max_samples_ == 100
    assert model.score_samples(few).between(-1, 0).all()


def test_results_are_lazy_and_columns_known_by_name(table) -> None:
    model = IsolationForest(n_estimators=5).fit(lazy(table, 3))
    turned = lazy(table[FEATURES[::-1]].assign(other="text"), 3)
    scores = model.score_samples(turned)
    assert isinstance(scores, dd.Series)
    pd.testing.assert_series_equal(scores.compute(), model.score_samples(table))
    with pytest.raises(MissingColumnError, match="x0"):
        model.predict(table.drop(columns="x0"))


def test_mistakes_are_told(table) -> None:
    with pytest.raises(InputError, match="Column 'x1' is str"):
        IsolationForest().fit(table.assign(x1="a"))
    with pytest.raises(InputError, match="Column 'x2' has 2 rows of a partition that are missing"):
        IsolationForest().fit(lazy(table.assign(x2=table["x2"].where(table.index > 1)), 2))
    with pytest.raises(InputError, match="There is no row"):
        IsolationForest().fit(lazy(table.iloc[:0], 1))
    with pytest.raises(ConfigurationError, match="n_estimators is 0"):
        IsolationForest(n_estimators=0).fit(table)
    with pytest.raises(ConfigurationError, match=r"contamination is 0\.7"):
        IsolationForest(contamination=0.7).fit(table)
    with pytest.raises(ConfigurationError, match=r"max_samples is 1\.5"):
        IsolationForest(max_samples=1.5).fit(table)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        IsolationForest().predict(table)
