"""Principal components and singular vectors are scikit-learn's, on any partitions."""

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.decomposition

from dmlkit.decomposition import PCA, TruncatedSVD
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.preprocessing import Pipeline, StandardScaler


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    values = random.normal(size=(1_500, 3)) @ random.normal(size=(3, 8)) * 5
    values += random.normal(size=(1_500, 8)) + 1e3
    return pd.DataFrame(values, columns=list("abcdefgh"))


@pytest.mark.parametrize("partitions", [1, 3, 16])
@pytest.mark.parametrize("whiten", [False, True])
def test_components_are_those_of_scikit_learn(table, partitions, whiten) -> None:
    theirs = sklearn.decomposition.PCA(n_components=4, whiten=whiten, svd_solver="full")
    expected = theirs.fit_transform(table)
    empty = dd.from_pandas(table.iloc[:0], npartitions=1)
    lazy = dd.concat([empty, dd.from_pandas(table, npartitions=partitions, sort=False)])
    ours = PCA(n_components=4, whiten=whiten)
    with dask.config.set(scheduler="synchronous"):
        found = ours.fit(lazy).transform(lazy).compute()
    signs = np.sign((np.asarray(ours.components_) * theirs.components_).sum(axis=1))
    np.testing.assert_allclose(found * signs, expected, atol=1e-8)
    np.testing.assert_allclose(ours.explained_variance_, theirs.explained_variance_)
    np.testing.assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_)
    np.testing.assert_allclose(ours.singular_values_, theirs.singular_values_)
    assert list(ours.get_feature_names_out()) == ["pca0", "pca1", "pca2", "pca3"]
    assert len(ours.passes_) == 1


@pytest.mark.parametrize("partitions", [1, 3, 16])
def test_singular_vectors_are_those_of_scikit_learn(table, partitions) -> None:
    table = table - 995  # not about 0, which makes a difference
    theirs = sklearn.decomposition.TruncatedSVD(4, algorithm="arpack", random_state=0)
    expected = theirs.fit_transform(table)
    empty = dd.from_pandas(table.iloc[:0], npartitions=1)
    lazy = dd.concat([empty, dd.from_pandas(table, npartitions=partitions, sort=False)])
    ours = TruncatedSVD(4)
    with dask.config.set(scheduler="synchronous"):
        found = ours.fit(lazy).transform(lazy).compute()
    signs = np.sign((np.asarray(ours.components_) * theirs.components_).sum(axis=1))
    np.testing.assert_allclose(found * signs, expected, atol=1e-8 * np.abs(expected).max())
    for name in ("explained_variance_", "explained_variance_ratio_", "singular_values_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-8)
    assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())
    again = TruncatedSVD.from_dict(ours.to_dict())
    pd.testing.assert_frame_equal(again.transform(table), ours.transform(table))


def test_it_is_a_step_like_others_and_kept_as_json(table) -> None:
    steps = Pipeline([("scale", StandardScaler()), ("reduce", PCA(n_components=2))]).fit(table)
    again = Pipeline.from_dict(steps.to_dict())
    pd.testing.assert_frame_equal(again.transform(table), steps.transform(table))


def test_mistakes_are_told(table) -> None:
    with pytest.raises(ConfigurationError, match="from 1 to 8"):
        PCA(n_components=9).fit(table)
    with pytest.raises(ConfigurationError, match="from 1 to 8"):
        TruncatedSVD(9).fit(table)
    with pytest.raises(InputError, match="1 rows of a partition have a missing"):
        PCA().fit(table.assign(a=table["a"].where(table.index > 0)))


@pytest.mark.parametrize(("large", "what"), [(1e308, r"1e\+308"), (-3e200, r"3e\+200")])
def test_sums_that_overflow_are_told_as_such(large, what) -> None:
    """Each value is finite: no row is to be filled in."""
    table = pd.DataFrame({"small": [1.0, 2.0, 4.0, 5.0], "large": [large, 0.0, large, large]})
    with pytest.raises(InputError, match=f"'large' has values up to {what} in a partition of 4"):
        PCA(1).fit(table)
    with pytest.raises(InputError, match="1 rows of a partition have a missing"):
        PCA(1).fit(table.assign(large=[1.0, None, 2.0, 3.0]))
