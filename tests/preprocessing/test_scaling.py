"""Scalers and imputers do what scikit-learn's do, on any partitions."""

import numpy as np
import pandas as pd
import pytest
import sklearn.impute
import sklearn.preprocessing
from sklearn.base import clone

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, NotFittedError
from dmlkit.preprocessing import (
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SimpleImputer,
    StandardScaler,
)

NUMBERS = ["amount", "year", "visits", "same"]


@pytest.mark.parametrize(
    ("ours", "theirs", "tolerance"),
    [
        (StandardScaler(), sklearn.preprocessing.StandardScaler(), 1e-9),
        (
            StandardScaler(with_mean=False),
            sklearn.preprocessing.StandardScaler(with_mean=False),
            1e-9,
        ),
        (MinMaxScaler((-1, 2)), sklearn.preprocessing.MinMaxScaler((-1, 2)), 0),
        (RobustScaler(), sklearn.preprocessing.RobustScaler(), 0),
        (
            RobustScaler((5.0, 90.0)),
            sklearn.preprocessing.RobustScaler(quantile_range=(5.0, 90.0)),
            0,
        ),
        (
            QuantileTransformer(n_quantiles=50),
            sklearn.preprocessing.QuantileTransformer(n_quantiles=50, subsample=None),
            1e-9,
        ),
        (
            QuantileTransformer(n_quantiles=100, output_distribution="normal"),
            sklearn.preprocessing.QuantileTransformer(
                n_quantiles=100, subsample=None, output_distribution="normal"
            ),
            1e-6,
        ),
        (SimpleImputer(), sklearn.impute.SimpleImputer(), 0),
        (SimpleImputer(strategy="median"), sklearn.impute.SimpleImputer(strategy="median"), 0),
        (
            SimpleImputer(strategy="most_frequent"),
            sklearn.impute.SimpleImputer(strategy="most_frequent"),
            0,
        ),
        (
            SimpleImputer(strategy="constant", fill_value=-1.0),
            sklearn.impute.SimpleImputer(strategy="constant", fill_value=-1.0),
            0,
        ),
    ],
    ids=lambda each: str(each)[:40],
)
def test_results_are_those_of_scikit_learn(
    ours, theirs, tolerance, table, lay_out, same_when_kept
) -> None:
    expected = theirs.fit_transform(table[NUMBERS])
    fitted = clone(ours).fit(lay_out(table)[NUMBERS])
    found = fitted.transform(lay_out(table)[NUMBERS]).compute()
    np.testing.assert_allclose(found, expected, rtol=max(tolerance, 1e-12), atol=1e-9)
    assert list(found.columns) == list(fitted.get_feature_names_out())
    assert found.index.equals(table.index)
    same_when_kept(fitted, NUMBERS)


def test_a_table_is_read_once_and_twice_where_quantiles_are_to_be_exact(table) -> None:
    assert len(StandardScaler().fit(table[NUMBERS]).passes_) == 1
    assert len(RobustScaler().fit(table[NUMBERS]).passes_) == 2
    assert len(SimpleImputer(strategy="median").fit(table[NUMBERS]).passes_) == 2


def test_an_exact_quantile_takes_few_rows_in_its_second_pass() -> None:
    from dmlkit.preprocessing.order import BlocksOf, WithinOf

    random = np.random.default_rng(0)
    parts = [pd.DataFrame({"x": random.lognormal(0, 3, 20_000)}) for _ in range(8)]
    summary = BlocksOf("x").add([BlocksOf("x").of(part) for part in parts])
    above, upto = summary.interval(80_000)
    rows = sum(WithinOf("x", above, upto).of(part).rows.sum() for part in parts)
    assert 0 < rows < 160_000 / 50


def test_where_values_were_missing_is_told_apart(table) -> None:
    filled = SimpleImputer(add_indicator=True).fit_transform(table[["amount", "visits"]])
    assert list(filled.columns) == ["amount", "visits", "visits_missing"]
    assert filled["visits_missing"].eq(table["visits"].isna()).all()


def test_text_is_no_number(table) -> None:
    with pytest.raises(InputError, match=r"Column 'code' is str \(such as 'c\d+'\)"):
        StandardScaler().fit(table[["amount", "code"]])


def test_what_is_not_fitted_says_so(table) -> None:
    with pytest.raises(NotFittedError, match="StandardScaler is not fitted"):
        StandardScaler().transform(table[NUMBERS])


def test_a_missing_column_is_named(table) -> None:
    scaler = StandardScaler().fit(table[NUMBERS])
    with pytest.raises(MissingColumnError, match="'visits'"):
        scaler.transform(table[["amount", "year", "same"]])


def test_a_misspelled_parameter_is_named() -> None:
    with pytest.raises(ConfigurationError, match="nearest: 'with_mean'"):
        StandardScaler().set_params(with_means=True)


def test_columns_are_known_by_name_and_not_by_place(table) -> None:
    scaler = StandardScaler().fit(table[NUMBERS])
    turned = scaler.transform(table[NUMBERS[::-1]])
    pd.testing.assert_frame_equal(turned, scaler.transform(table[NUMBERS]))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (StandardScaler(), sklearn.preprocessing.StandardScaler()),
        (MinMaxScaler(clip=True), sklearn.preprocessing.MinMaxScaler(clip=True)),
        (RobustScaler(), sklearn.preprocessing.RobustScaler()),
        (PowerTransformer(), sklearn.preprocessing.PowerTransformer()),
        (QuantileTransformer(50), sklearn.preprocessing.QuantileTransformer(n_quantiles=50)),
        (SimpleImputer(), sklearn.impute.SimpleImputer()),
    ],
    ids=str,
)
def test_what_is_float32_stays_so_and_the_table_as_it_was(ours, theirs) -> None:
    random = np.random.default_rng(4)
    table = pd.DataFrame(random.normal(size=(200, 3)), columns=["a", "b", "c"], dtype="float32")
    table.iloc[::9, 1] = np.nan
    before = table.copy()
    found = clone(ours).fit(table).transform(table)
    assert (found.dtypes == np.float32).all()
    expected = theirs.set_output(transform="pandas").fit_transform(table)
    assert (expected.dtypes == np.float32).all()
    np.testing.assert_allclose(found, expected, atol=2e-4 if "Power" in str(ours) else 2e-6)
    mixed = table.astype({"a": "float64"})
    assert (clone(ours).fit(mixed).transform(mixed).dtypes == np.float64).all()
    pd.testing.assert_frame_equal(table, before)
