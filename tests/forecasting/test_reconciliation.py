"""Forecasts that add up: against MinT as it is written in papers, and against a library."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features import PanelLags
from dmlkit.forecasting import Forecaster, add_sums, reconcile

pytestmark = pytest.mark.usefixtures("in_this_process")

LEVELS = [[], ["kind"], ["shop"], ["kind", "shop"]]
METHODS = ["bottom_up", "top_down", "ols", "wls_struct", "wls_var", "mint_shrink"]


@pytest.fixture
def shops(panel) -> pd.DataFrame:
    return panel.assign(shop=panel["unique_id"].map(lambda name: int(name[1]) // 3))


def some_forecasts(members: pd.DataFrame, steps: int = 3) -> pd.DataFrame:
    """Return forecasts of series and sums, each made up by itself, with bounds."""
    names = add_sums(members.assign(ds=0, y=1.0), LEVELS)["unique_id"]
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"unique_id": names}).merge(pd.DataFrame({"ds": range(steps)}), how="cross")
    yhat = rng.gamma(9, 5, len(rows))
    return rows.assign(step=rows["ds"] + 1, yhat=yhat, yhat_lo_80=yhat - 3, yhat_hi_80=yhat + 5)


def some_backtest(forecasts: pd.DataFrame, times: int = 40) -> pd.DataFrame:
    """Return errors of which those of sums go together with those of others."""
    rng = np.random.default_rng(1)
    names = forecasts["unique_id"].unique()
    common = rng.normal(size=times)
    errors = rng.normal(size=(len(names), times)) * rng.gamma(4, 1, (len(names), 1)) + common
    rows = pd.DataFrame(
        {"unique_id": np.repeat(names, times), "ds": np.tile(range(times), len(names))}
    )
    return rows.assign(window=1, y=errors.ravel(), yhat=0.0)


def wide(rows: pd.DataFrame, value: str = "yhat") -> pd.DataFrame:
    return rows.pivot_table(index="unique_id", columns="ds", values=value)


def summing_matrix(names: list[str], members: pd.DataFrame) -> np.ndarray:
    """Return which series each of the names adds up, by reading them."""
    matrix = np.zeros((len(names), len(members)))
    for place, (_, row) in enumerate(members.iterrows()):
        for number, name in enumerate(names):
            told = dict(part.split("=") for part in name.split(", ") if "=" in part)
            inside = name == "total" or (told and all(str(row[k]) == v for k, v in told.items()))
            matrix[number, place] = inside or name == row["unique_id"]
    return matrix


def shrunk_covariance(errors: np.ndarray) -> np.ndarray:
    """Return Schaefer and Strimmer's estimate, pair by pair (as R's package hts has it)."""
    n, count = errors.shape
    covariance = errors @ errors.T / count
    deviation = np.sqrt(np.diag(covariance))
    z = errors / deviation[:, None]
    above, below = 0.0, 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                products = z[i] * z[j]
                variance = (products**2).sum() - products.sum() ** 2 / count
                above += variance / (count * (count - 1))
                below += (products.sum() / count) ** 2
    intensity = min(max(above / below, 0.0), 1.0)
    return intensity * np.diag(np.diag(covariance)) + (1 - intensity) * covariance


@pytest.mark.parametrize("method", ["ols", "wls_struct", "wls_var", "mint_shrink"])
def test_forecasts_are_moved_as_the_formula_says(shops, method):
    members = shops.drop_duplicates("unique_id")
    forecasts = some_forecasts(members)
    backtest = some_backtest(forecasts)
    found = reconcile(forecasts, shops, LEVELS, method=method, backtest=backtest)
    names = found["unique_id"].drop_duplicates().tolist()
    S = summing_matrix(names, members.sort_values("unique_id"))
    f = wide(forecasts).loc[names].to_numpy()
    e = wide(backtest, "y").loc[names].to_numpy()
    W = {
        "ols": np.eye(len(names)),
        "wls_struct": np.diag(S.sum(axis=1)),
        "wls_var": np.diag((e**2).mean(axis=1)),
        "mint_shrink": shrunk_covariance(e),
    }[method]
    inverse = np.linalg.inv(W)
    expected = S @ np.linalg.inv(S.T @ inverse @ S) @ S.T @ inverse @ f
    np.testing.assert_allclose(found["yhat"], expected.ravel(), rtol=1e-9)


def test_forecasts_are_moved_as_by_the_library_hierarchicalforecast():
    """Its version 1.5.3, MinTrace, on these figures; errors rounded to a thousandth."""
    members = pd.DataFrame({"unique_id": ["s1", "s2", "s3", "s4"], "kind": list("aabb")})
    names = ["total", "kind=a", "kind=b", "s1", "s2", "s3", "s4"]
    table = [[100, 110], [45, 50], [60, 55], [20, 22], [22, 25], [31, 30], [33, 28]]
    forecasts = pd.DataFrame(
        {"unique_id": np.repeat(names, 2), "ds": [1, 2] * 7, "yhat": np.ravel(table)}
    )
    rng = np.random.default_rng(7)
    errors = rng.normal(size=(7, 24)) * np.array([5, 3, 3, 2, 2, 2, 1.0])[:, None]
    errors[0] += errors[3] + errors[4]
    errors[1] += errors[3]
    backtest = pd.DataFrame(
        {
            "unique_id": np.repeat(names, 24),
            "window": 1,
            "ds": np.tile(range(24), 7),
            "y": np.round(errors, 3).ravel(),
            "yhat": 0.0,
        }
    )
    expected = {
        "ols": [102.285714, 42.47619, 59.809524, 20.238095, 22.238095, 28.904762, 30.904762],
        "wls_struct": [
            103.666667,
            42.583333,
            61.083333,
            20.291667,
            22.291667,
            29.541667,
            31.541667,
        ],
        "wls_var": [104.869867, 42.889002, 61.980865, 20.298779, 22.590223, 29.327091, 32.653775],
    }
    for method, values in expected.items():
        found = reconcile(forecasts, members, [[], ["kind"]], method=method, backtest=backtest)
        np.testing.assert_allclose(found.loc[found["ds"] == 1, "yhat"], values, rtol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_what_comes_out_adds_up_and_its_bounds_move_along(shops, method):
    forecasts = some_forecasts(shops.drop_duplicates("unique_id"))
    options = {"method": method, "backtest": some_backtest(forecasts), "minimum": 0.0}
    found = reconcile(forecasts, shops, LEVELS, **options)
    assert found.columns.tolist() == forecasts.columns.tolist()
    table = wide(found)
    series = table.loc[[f"s{number}" for number in range(6)]]
    np.testing.assert_allclose(table.loc["total"], series.sum(), rtol=1e-12)
    np.testing.assert_allclose(table.loc["kind=1"], series.iloc[1::2].sum(), rtol=1e-12)
    np.testing.assert_allclose(table.loc["kind=0, shop=1"], series.loc["s4"], rtol=1e-12)
    assert (series >= 0).all(axis=None)
    np.testing.assert_allclose(found["yhat"] - found["yhat_lo_80"], 3)
    again = reconcile(found, shops, LEVELS, **options)
    np.testing.assert_allclose(again["yhat"], found["yhat"], rtol=1e-9)
    lazy = reconcile(
        dd.from_pandas(forecasts.sample(frac=1, random_state=0), npartitions=3), shops, LEVELS,
        **options,
    )  # fmt: skip
    pd.testing.assert_frame_equal(lazy.compute(), found, check_dtype=False, rtol=1e-12)


def test_from_the_bottom_up_sums_need_no_forecasts_and_from_the_top_down_shares_split(shops):
    forecasts = some_forecasts(shops.drop_duplicates("unique_id"))
    series = forecasts[
        forecasts["unique_id"].str.startswith("s") & ~forecasts["unique_id"].str.contains("=")
    ]
    upward = reconcile(series, shops, LEVELS, method="bottom_up")
    expected = reconcile(forecasts, shops, LEVELS, method="bottom_up")
    np.testing.assert_array_equal(upward["yhat"], expected["yhat"])
    shares = {f"s{number}": number for number in range(6)}
    found = reconcile(forecasts, shops, LEVELS, method="top_down", shares=shares)
    table = wide(found)
    np.testing.assert_allclose(table.loc["s3"], table.loc["total"] * 3 / 15)
    total = forecasts.loc[forecasts["unique_id"] == "total", "yhat"]
    np.testing.assert_allclose(table.loc["total"], total)


def test_sums_are_of_the_values_that_are_known_on_any_partitions(shops):
    holes = shops.assign(y=shops["y"].mask(shops.index % 13 == 0))
    found = add_sums(holes, LEVELS)
    order = ["level", "unique_id", "ds"]
    expected = holes.groupby(["kind", "ds"])["y"].sum(min_count=1)
    of_kind = found[found["level"] == "kind"].sort_values(order)
    np.testing.assert_allclose(of_kind["y"], expected, rtol=1e-12)
    assert set(found["level"]) == {"series", "total", "kind", "shop", "kind, shop"}
    lazy = add_sums(dd.from_pandas(holes.sample(frac=1, random_state=0), npartitions=4), LEVELS)
    pd.testing.assert_frame_equal(
        lazy.compute().sort_values(order, ignore_index=True),
        found.sort_values(order, ignore_index=True),
        check_exact=True,
        check_dtype=False,
    )


def test_a_panel_with_its_sums_is_forecast_and_made_to_add_up(shops):
    sums = add_sums(shops, LEVELS)
    made = Forecaster(LinearRegression(), "1D", [PanelLags([7, 14])], season=7, min_history=14)
    backtest = made.cross_validate(sums, 7, windows=2)
    forecasts = made.fit(sums).predict(7)
    found = reconcile(forecasts, shops, LEVELS, method="mint_shrink", backtest=backtest)
    assert len(found) == len(forecasts)
    table = wide(found)
    np.testing.assert_allclose(table.loc["total"], table.loc[[f"s{n}" for n in range(6)]].sum())
    judged = reconcile(backtest, shops, LEVELS)
    assert judged["window"].nunique() == 2


def test_what_can_not_be_reconciled_is_told(shops):
    forecasts = some_forecasts(shops.drop_duplicates("unique_id"))
    with pytest.raises(InputError, match="such as that of 'total' at 0"):
        reconcile(forecasts[forecasts["unique_id"] != "total"], shops, LEVELS)
    with pytest.raises(ConfigurationError, match="name the backtest"):
        reconcile(forecasts, shops, LEVELS, method="wls_var")
    with pytest.raises(ConfigurationError, match="Unknown method 'mint'"):
        reconcile(forecasts, shops, LEVELS, method="mint")
    with pytest.raises(ConfigurationError, match=r"add \[\] to levels"):
        reconcile(forecasts, shops, LEVELS[1:], method="top_down")
    with pytest.raises(ConfigurationError, match="levels is empty"):
        reconcile(forecasts, shops, [])
    with pytest.raises(InputError, match="a series stays in its sums"):
        reconcile(forecasts, shops.assign(kind=shops.index), LEVELS)
    with pytest.raises(InputError, match="'s5' has no share"):
        shares = {f"s{number}": 1 for number in range(5)}
        reconcile(forecasts, shops, LEVELS, method="top_down", shares=shares)
    errors = some_backtest(forecasts)
    with pytest.raises(InputError, match="no errors of 's2'"):
        backtest = errors[errors["unique_id"] != "s2"]
        reconcile(forecasts, shops, LEVELS, method="wls_var", backtest=backtest)
    with pytest.raises(InputError, match="has no 'kind'"):
        unknown = shops.assign(kind=shops["kind"].mask(shops["unique_id"] == "s1").astype("str"))
        reconcile(forecasts, unknown.assign(kind=unknown["kind"].replace("nan", None)), LEVELS)
