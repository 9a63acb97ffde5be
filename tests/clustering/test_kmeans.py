"""K-means moves centres as scikit-learn does, and draws the same ones on any partitions."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.cluster
from sklearn.base import clone

from dmlkit.clustering import KMeans
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, NotFittedError
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

FEATURES = [f"x{number}" for number in range(5)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(3)
    middles = random.normal(size=(6, 5)) * 4
    values = middles[random.integers(0, 6, 3_000)] + random.normal(size=(3_000, 5))
    return pd.DataFrame(values + np.array([0, 1_000, 0, 0, -50]), columns=FEATURES)


@pytest.mark.parametrize("partitions", [1, 3, 16])
@pytest.mark.parametrize("tol", [0.0, 1e-3])
def test_from_the_same_centres_it_ends_where_scikit_learn_does(table, partitions, tol) -> None:
    start = table.iloc[:6].to_numpy()
    theirs = sklearn.cluster.KMeans(6, init=start, n_init=1, tol=tol).fit(table)
    frame = lazy(table, partitions)
    ours = clone(KMeans(6, init=start, tol=tol)).fit(frame)
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, atol=1e-9)
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-9)
    assert ours.n_iter_ == theirs.n_iter_
    np.testing.assert_array_equal(ours.predict(frame).compute(), theirs.predict(table))
    np.testing.assert_allclose(ours.transform(frame).compute(), theirs.transform(table), atol=1e-9)
    assert ours.score(frame) == pytest.approx(theirs.score(table), rel=1e-9)


def test_a_centre_without_rows_goes_where_scikit_learn_sends_it(table) -> None:
    start = np.vstack([table.iloc[:4], np.full((1, 5), 1e5), table.iloc[4:5]])
    theirs = sklearn.cluster.KMeans(6, init=start, n_init=1, tol=0).fit(table)
    for partitions in (1, 4):
        ours = KMeans(6, init=start, tol=0).fit(lazy(table, partitions))
        np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, atol=1e-9)


@pytest.mark.parametrize("partitions", [1, 3, 16])
def test_rows_count_for_their_weight_as_in_scikit_learn(table, partitions) -> None:
    weight = pd.Series(np.random.default_rng(1).integers(0, 4, len(table)).astype(float))
    start = np.vstack([table.iloc[:4], np.full((1, 5), 1e5), table.iloc[4:5]])
    theirs = sklearn.cluster.KMeans(6, init=start, n_init=1, tol=0)
    theirs.fit(table, sample_weight=weight)
    frame = lazy(table.assign(weight=weight), partitions)
    ours = KMeans(6, init=start, tol=0).fit(frame[FEATURES], sample_weight=frame["weight"])
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, atol=1e-9)
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-9)
    score = ours.score(frame[FEATURES], sample_weight=frame["weight"])
    assert score == pytest.approx(theirs.score(table, sample_weight=weight), rel=1e-9)


def test_a_row_with_a_weight_is_as_so_many_rows(table) -> None:
    many = pd.concat([table, table.iloc[:500], table.iloc[:500]])
    weight = pd.Series(1.0, table.index).where(table.index >= 500, 3.0)
    for partitions in (1, 4):
        frame = lazy(table.assign(weight=weight), partitions)
        model = KMeans(6).fit(frame[FEATURES], sample_weight=frame["weight"])
        assert model.inertia_ == pytest.approx(KMeans(6).fit(many).inertia_, rel=1e-6)


def test_the_centres_drawn_are_the_same_on_any_partitions_and_near_the_best(table) -> None:
    here = KMeans(6).fit(table)
    best = sklearn.cluster.KMeans(6, n_init=5, random_state=0).fit(table)
    assert here.inertia_ <= best.inertia_ * 1.001
    for partitions in (1, 3, 16):
        there = KMeans(6).fit(lazy(table, partitions))
        np.testing.assert_allclose(there.cluster_centers_, here.cluster_centers_, atol=1e-9)
        assert there.n_iter_ == here.n_iter_
    assert KMeans(30, random_state=1).fit(table).inertia_ != KMeans(30).fit(table).inertia_


def test_float32_is_taken_as_it_is_and_sums_are_float64() -> None:
    table = pd.DataFrame({"x": np.repeat(np.float32([16_777_217.0, 3e7]), 5_000)})
    centres = KMeans(2).fit(table).cluster_centers_
    assert sorted(centres[:, 0]) == sorted(table["x"].astype(float).unique())


def test_columns_are_known_by_name_and_results_are_lazy(table) -> None:
    frame = lazy(table, 3)
    model = KMeans(3).fit(frame)
    turned = frame[FEATURES[::-1]].assign(other="text")
    labels = model.predict(turned)
    assert isinstance(labels, dd.Series)
    assert list(model.transform(turned).columns) == ["kmeans0", "kmeans1", "kmeans2"]
    pd.testing.assert_series_equal(labels.compute(), model.predict(table))
    with pytest.raises(MissingColumnError, match="x4"):
        model.predict(frame.drop(columns="x4"))


def test_mistakes_are_told(table) -> None:
    with pytest.raises(InputError, match="Column 'x1' is str"):
        KMeans().fit(table.assign(x1="a"))
    with pytest.raises(InputError, match="Column 'x2' has 1 rows of a partition that are missing"):
        KMeans().fit(lazy(table.assign(x2=table["x2"].where(table.index > 0)), 2))
    with pytest.raises(InputError, match="5 rows for 8 clusters"):
        KMeans().fit(table.iloc[:5])
    with pytest.raises(InputError, match="only 2 different rows for 3 clusters"):
        KMeans(3).fit(pd.DataFrame({"x": [1.0, 2.0] * 50}))
    with pytest.raises(InputError, match="weights of a partition are below 0, such as -1"):
        KMeans().fit(table, sample_weight=table["x0"] * 0 - 1)
    with pytest.raises(InputError, match="There is no row"):
        KMeans().fit(lazy(table.iloc[:0], 1))
    with pytest.raises(ConfigurationError, match="n_clusters is 0"):
        KMeans(0).fit(table)
    with pytest.raises(ConfigurationError, match=r"shape \(2, 2\)"):
        KMeans(2, init=[[1, 2], [3, 4]]).fit(table)
    with pytest.raises(ConfigurationError, match=r"'k-means\+\+'"):
        KMeans(init="k-means++").fit(table)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        KMeans().predict(table)
