"""Mini-batches give nearly the centres of all rows, and the same ones on any partitions."""

import numpy as np
import pandas as pd
import pytest
import sklearn.cluster
from sklearn.base import clone

from dmlkit.clustering import KMeans, MiniBatchKMeans
from dmlkit.clustering.mini_batch import _moved
from dmlkit.errors import ConfigurationError, InputError, NotFittedError
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

FEATURES = [f"x{number}" for number in range(5)]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(3)
    middles = random.normal(size=(6, 5)) * 4
    values = middles[random.integers(0, 6, 5_000)] + random.normal(size=(5_000, 5))
    return pd.DataFrame(values + np.array([0, 1_000, 0, 0, -50]), columns=FEATURES)


@pytest.mark.parametrize("init", ["k-means++", "given"])
def test_centres_are_the_same_on_any_partitions_and_near_those_of_all_rows(table, init) -> None:
    start = table.iloc[:6].to_numpy() if init == "given" else init
    model = MiniBatchKMeans(6, init=start, batch_size=200, n_batches=60)
    here = clone(model).fit(table)
    best = KMeans(6, init=here.cluster_centers_).fit(table)
    assert -here.score(table) < best.inertia_ * 1.02
    for partitions in (1, 3, 16):
        frame = lazy(table, partitions)
        there = clone(model).fit(frame)
        np.testing.assert_array_equal(there.cluster_centers_, here.cluster_centers_)
        labels = there.predict(frame)
        assert labels.npartitions == frame.npartitions
        np.testing.assert_array_equal(labels.compute(), here.predict(table))
    names = [f"kmeans{number}" for number in range(6)]
    assert list(there.transform(frame).columns) == list(there.get_feature_names_out()) == names


def test_steps_are_those_of_scikit_learn(table) -> None:
    batches, start = table.to_numpy().reshape(20, 250, 5)[:10], table.iloc[:6].to_numpy()
    theirs = sklearn.cluster.MiniBatchKMeans(6, init=start, n_init=1, reassignment_ratio=0)
    for batch in batches:
        theirs.partial_fit(batch)
    origin = batches.mean(axis=(0, 1))
    found = _moved(batches, start - origin, origin) + origin
    np.testing.assert_allclose(found, theirs.cluster_centers_, atol=1e-9)


def test_a_seed_draws_other_batches(table) -> None:
    one, other = (MiniBatchKMeans(3, random_state=seed).fit(table) for seed in (0, 1))
    assert (one.cluster_centers_ != other.cluster_centers_).all()


def test_mistakes_are_told(table) -> None:
    with pytest.raises(InputError, match="Column 'x2' has 2 rows of a partition that are missing"):
        MiniBatchKMeans().fit(lazy(table.assign(x2=table["x2"].where(table.index > 1)), 2))
    with pytest.raises(InputError, match="5 rows for 8 clusters"):
        MiniBatchKMeans().fit(table.iloc[:5])
    with pytest.raises(ConfigurationError, match="batch_size is 4"):
        MiniBatchKMeans(batch_size=4).fit(table)
    with pytest.raises(ConfigurationError, match="n_batches is 0"):
        MiniBatchKMeans(n_batches=0).fit(table)
    with pytest.raises(ConfigurationError, match="init is 'random'"):
        MiniBatchKMeans(init="random").fit(table)
    with pytest.raises(NotFittedError, match="MiniBatchKMeans is not fitted"):
        MiniBatchKMeans().predict(table)
