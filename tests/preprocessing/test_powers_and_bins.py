"""Powers and bins are scikit-learn's, on any partitions."""

import numpy as np
import pandas as pd
import pytest
import sklearn.preprocessing
from sklearn.base import clone

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.preprocessing import KBinsDiscretizer, PowerTransformer

NUMBERS = ["amount", "year", "visits", "same"]


@pytest.fixture(scope="module")
def skewed(table) -> pd.DataFrame:
    """Columns of all kinds of skewness; the last is negative."""
    random = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "amount": table["amount"],
            "visits": table["visits"],
            "balance": random.normal(size=len(table)) ** 3 * 100,
            "late": 10 - random.exponential(size=len(table)),
            "large": random.lognormal(20, 0.1, len(table)),
            "same": table["same"],
            "below": -random.gamma(2, 3, len(table)) - 1e-3,
        }
    )


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("method", ["yeo-johnson", "box-cox"])
def test_powers_are_those_of_scikit_learn(skewed, method, standardize, lay_out) -> None:
    table = skewed if method == "yeo-johnson" else skewed[["amount", "large"]]
    theirs = sklearn.preprocessing.PowerTransformer(method=method, standardize=standardize)
    expected = theirs.fit_transform(table)
    ours = clone(PowerTransformer(method=method, standardize=standardize))
    found = ours.fit(lay_out(table)).transform(lay_out(table)).compute()
    np.testing.assert_allclose(ours.lambdas_, theirs.lambdas_, atol=1e-5)
    if standardize:
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert list(found.columns) == list(table.columns)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("encode", ["ordinal", "onehot-dense"])
def test_bins_are_those_of_scikit_learn(table, strategy, encode, lay_out) -> None:
    for method in ["averaged_inverted_cdf", "linear"]:
        options = {"strategy": strategy, "encode": encode, "quantile_method": method}
        filled = table[NUMBERS].fillna(1.0)
        theirs = sklearn.preprocessing.KBinsDiscretizer(7, subsample=None, **options)
        with pytest.warns(UserWarning):
            expected = theirs.fit_transform(filled)
        ours = clone(KBinsDiscretizer(7, **options)).fit(lay_out(filled))
        found = ours.transform(lay_out(filled)).compute()
        np.testing.assert_array_equal(found, expected)
        assert list(found.columns) == list(theirs.get_feature_names_out(NUMBERS))
        for mine, other in zip(ours.bin_edges_[:3], theirs.bin_edges_[:3], strict=True):
            assert mine == other.tolist()


def test_many_bins_are_those_of_scikit_learn_too(table, lay_out) -> None:
    filled = table[NUMBERS].fillna(1.0)
    theirs = sklearn.preprocessing.KBinsDiscretizer(50, subsample=None, encode="ordinal")
    with pytest.warns(UserWarning):
        expected = theirs.set_params(quantile_method="averaged_inverted_cdf").fit_transform(filled)
    ours = KBinsDiscretizer(50, encode="ordinal").fit(lay_out(filled))
    np.testing.assert_array_equal(ours.transform(lay_out(filled)).compute(), expected)


def test_a_transformer_that_was_kept_does_the_same(skewed, same_when_kept) -> None:
    columns = ["amount", "visits", "same"]
    for transformer in (PowerTransformer(), KBinsDiscretizer(), KBinsDiscretizer(encode="ordinal")):
        same_when_kept(transformer.fit(skewed[columns]), columns)


def test_powers_of_all_columns_take_few_passes_together(skewed, table) -> None:
    assert len(PowerTransformer().fit(skewed).passes_) <= 8
    assert len(KBinsDiscretizer().fit(table[NUMBERS]).passes_) == 2
    assert len(KBinsDiscretizer(strategy="uniform").fit(table[NUMBERS]).passes_) == 1


def test_what_is_missing_stays_so(skewed) -> None:
    gaps = skewed[["visits"]].assign(never=np.nan)
    for transformer in (PowerTransformer(), KBinsDiscretizer(encode="ordinal")):
        found = transformer.fit_transform(gaps)
        pd.testing.assert_frame_equal(found.isna(), gaps.isna())
    bins = KBinsDiscretizer().fit_transform(gaps)
    assert bins.sum(axis=1).eq(gaps["visits"].notna()).all()


def test_a_power_is_found_where_hardly_any_is_better_than_others() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "far": 1e6 + random.exponential(size=500),
            "two": random.choice([0.0, 1.0], 500),
            "huge": random.lognormal(300, 1, 500),
        }
    )
    found = PowerTransformer().fit_transform(table)
    np.testing.assert_allclose(found.mean(), 0, atol=1e-6)
    np.testing.assert_allclose(found.std(ddof=0), 1, atol=1e-4)


def test_mistakes_are_told(table) -> None:
    with pytest.raises(InputError, match="Column 'x' has values that are 0 or below, such as -2"):
        PowerTransformer(method="box-cox").fit(pd.DataFrame({"x": [1.0, -2.0, 5.0]}))
    fitted = PowerTransformer(method="box-cox").fit(table[["amount"]])
    with pytest.raises(InputError, match="Column 'amount' has values that are 0 or below"):
        fitted.transform(table[["amount"]] * 0)
    with pytest.raises(InputError, match="Column 'x' has infinite values"):
        PowerTransformer().fit(pd.DataFrame({"x": [1.0, np.inf, 5.0]}))
    with pytest.raises(InputError, match="Column 'code' is str"):
        KBinsDiscretizer().fit(table[["code"]])
    with pytest.raises(ConfigurationError, match="method is 'log'"):
        PowerTransformer(method="log").fit(table[["amount"]])
    with pytest.raises(ConfigurationError, match="n_bins is 1"):
        KBinsDiscretizer(1).fit(table[["amount"]])
    with pytest.raises(ConfigurationError, match="strategy is 'kmeans'"):
        KBinsDiscretizer(strategy="kmeans").fit(table[["amount"]])
