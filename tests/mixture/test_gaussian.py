"""A Gaussian mixture takes scikit-learn's steps, and starts in the same place on any partitions."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.mixture
from sklearn.base import clone

from dmlkit.errors import (
    ConfigurationError,
    InputError,
    MissingColumnError,
    NotFittedError,
    TrainingError,
)
from dmlkit.mixture import GaussianMixture
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

FEATURES = [f"x{number}" for number in range(4)]
KINDS = ["full", "tied", "diag", "spherical"]
LEARNT = ["weights_", "means_", "covariances_", "precisions_", "lower_bound_"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Three heaps that touch, far from 0, one of them long."""
    random = np.random.default_rng(4)
    middles = np.array([[0, 0, 0, 0], [4, 0, 3, 0], [0, 5, -3, 1]])[random.integers(0, 3, 1_500)]
    values = middles + random.normal(size=(1_500, 4)) * np.where(middles[:, :1] > 3, 0.5, 1)
    values[:, 3] += values[:, 2]
    return pd.DataFrame(values + np.array([0, 1_000, 0, -50]), columns=FEATURES)


def start(kind: str) -> dict:
    precisions = {
        "full": np.tile(np.eye(4), (3, 1, 1)),
        "tied": np.eye(4),
        "diag": np.ones((3, 4)),
        "spherical": np.ones(3),
    }
    means = np.array([[-1, 1_000, 0, -50], [3, 1_000, 2, -49], [0, 1_003, 0, -50]])
    return {
        "weights_init": [0.2, 0.3, 0.5],
        "means_init": means,
        "precisions_init": precisions[kind],
    }


@pytest.mark.parametrize("kind", KINDS)
def test_from_the_same_start_it_ends_where_scikit_learn_does(table, kind) -> None:
    options = {"n_components": 3, "covariance_type": kind, "tol": 1e-5, **start(kind)}
    theirs = sklearn.mixture.GaussianMixture(**options, max_iter=500).fit(table)
    ours = clone(GaussianMixture(**options, max_iter=500))
    for partitions in (1, 3, 16):
        frame = lazy(table, partitions)
        ours.fit(frame)
        for name in LEARNT:
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-6)
        assert (ours.n_iter_, ours.converged_) == (theirs.n_iter_, True)
    expected = theirs.predict_proba(table)
    np.testing.assert_allclose(ours.predict_proba(frame).compute(), expected, atol=1e-6)
    np.testing.assert_array_equal(ours.predict(frame).compute(), theirs.predict(table))
    expected = theirs.score_samples(table)
    np.testing.assert_allclose(ours.score_samples(frame).compute(), expected, atol=1e-6)
    for name in ("score", "bic", "aic"):
        assert getattr(ours, name)(frame) == pytest.approx(getattr(theirs, name)(table), rel=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_from_k_means_it_is_the_same_on_any_partitions_and_no_worse(table, kind) -> None:
    here = GaussianMixture(3, kind, tol=1e-4).fit(table)
    theirs = sklearn.mixture.GaussianMixture(3, covariance_type=kind, tol=1e-4, n_init=3).fit(table)
    assert here.lower_bound_ > theirs.lower_bound_ - 1e-2
    for partitions in (3, 16):
        there = GaussianMixture(3, kind, tol=1e-4).fit(lazy(table, partitions))
        np.testing.assert_allclose(there.means_, here.means_, atol=1e-8)
        assert there.n_iter_ == here.n_iter_


def test_of_several_starts_the_best_is_kept(table) -> None:
    bounds = [GaussianMixture(6, random_state=seed).fit(table).lower_bound_ for seed in range(4)]
    assert GaussianMixture(6, n_init=4).fit(table).lower_bound_ == max(bounds)


def test_results_are_lazy_and_columns_known_by_name(table) -> None:
    model = GaussianMixture(2, means_init=table.iloc[:2].to_numpy()).fit(lazy(table, 3))
    turned = lazy(table[FEATURES[::-1]].assign(other="text"), 3)
    shares = model.predict_proba(turned)
    assert isinstance(shares, dd.DataFrame)
    assert list(shares.columns) == [0, 1]
    pd.testing.assert_frame_equal(shares.compute(), model.predict_proba(table))
    with pytest.raises(MissingColumnError, match="x0"):
        model.score_samples(table.drop(columns="x0"))


def test_mistakes_are_told(table) -> None:
    with pytest.raises(InputError, match="Column 'x2' has 3 rows of a partition that are missing"):
        GaussianMixture().fit(lazy(table.assign(x2=table["x2"].where(table.index > 2)), 2))
    with pytest.raises(InputError, match="2 rows for 3 components"):
        GaussianMixture(3).fit(table.iloc[:2])
    with pytest.raises(ConfigurationError, match="covariance_type is 'round'"):
        GaussianMixture(covariance_type="round").fit(table)
    with pytest.raises(ConfigurationError, match="n_components is 0"):
        GaussianMixture(0).fit(table)
    with pytest.raises(ConfigurationError, match=r"means_init has the shape \(2, 2\)"):
        GaussianMixture(2, means_init=[[1, 2], [3, 4]]).fit(table)
    with pytest.raises(ConfigurationError, match="weights_init must be above 0"):
        GaussianMixture(2, weights_init=[0.5, 0.6]).fit(table)
    with pytest.raises(TrainingError, match="fewer dimensions than there are columns"):
        GaussianMixture(2, reg_covar=0).fit(table.assign(x1=1.0))
    with pytest.raises(NotFittedError, match="not fitted yet"):
        GaussianMixture().predict(table)
