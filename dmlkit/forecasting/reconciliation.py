"""`reconcile`: forecasts of series and of their sums that add up."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.features.step import check_columns
from dmlkit.forecasting.adjustment import adjusted, error_variances, shrunk
from dmlkit.forecasting.hierarchy import TOTAL, members_of, membership_matrix
from dmlkit.forecasting.intervals import FORECAST
from dmlkit.forecasting.panel import SERIES, TIME, VALUE
from dmlkit.graph import for_all

__all__ = ["Reconciliation", "reconcile"]

#: How forecasts are made to add up, see `reconcile`.
Reconciliation = Literal["bottom_up", "top_down", "ols", "wls_struct", "wls_var", "mint_shrink"]

#: Those that weigh by the errors of a backtest.
BY_ERRORS = ("wls_var", "mint_shrink")


def reconcile(
    forecasts: Any,
    panel: Any,
    levels: Sequence[Sequence[str]],
    *,
    method: Reconciliation = "wls_struct",
    backtest: Any = None,
    shares: Mapping[Any, float] | None = None,
    minimum: float | None = None,
) -> Any:
    """Make forecasts of series and of their sums add up.

    Parameters
    ----------
    forecasts : dask or pandas DataFrame
        Of what `add_sums` returned: ``unique_id``, ``ds``, ``yhat``. For ``bottom_up``, those of
        the sums may be left out.
    panel : dask or pandas DataFrame
        ``unique_id`` and the columns of the levels: the panel that `add_sums` was given, or a row
        of it for each series.
    levels : sequence of sequences of str
        As for `add_sums`.
    method : str
        ``bottom_up``: sums of the series' forecasts. ``top_down``: the forecast of all series
        (level ``[]``), split by `shares`. Otherwise all forecasts are taken into account, each the
        less the more uncertain it is: ``ols`` all alike, ``wls_struct`` by the number of series in
        a sum, ``wls_var`` by the errors of the backtest, ``mint_shrink`` also by how these go
        together.
    backtest : dask or pandas DataFrame, optional
        From `Forecaster.cross_validate` on what `add_sums` returned.
    shares : mapping of series to float, optional
        For ``top_down``: what a series has of the total, such as its mean in the history. Without
        it, what its own forecast has of theirs at each step.
    minimum : float, optional
        Of the series' forecasts, before they are added up.

    Returns
    -------
    DataFrame like `forecasts`
        Sums first, then series, each level and series by name. Quantiles and bounds of intervals
        are moved as the forecast is. Of a Dask frame: lazily, in one partition; only forecasts
        and the errors of the backtest are brought together.

    Raises
    ------
    InputError
        A sum of forecast series, or a step of one, has no forecast.

    References
    ----------
    Wickramasuriya, Athanasopoulos, Hyndman: *Optimal Forecast Reconciliation for Hierarchical and
    Grouped Time Series Through Trace Minimization*. JASA 114, 2019.

    Examples
    --------
    >>> import pandas as pd
    >>> series = pd.DataFrame({"unique_id": ["a", "b"]})
    >>> forecasts = pd.DataFrame({"unique_id": ["a", "b", "total"], "ds": 1, "yhat": [2., 3., 8.]})
    >>> reconcile(forecasts, series, [[]], method="ols")
      unique_id  ds  yhat
    0     total   1   7.0
    1         a   1   3.0
    2         b   1   4.0
    """
    if method not in get_args(Reconciliation):
        raise ConfigurationError(
            f"Unknown method {method!r}. Known: {', '.join(get_args(Reconciliation))}."
        )
    if method in BY_ERRORS and backtest is None:
        raise ConfigurationError(
            f"{method} weighs forecasts by their errors: name the backtest, or use wls_struct."
        )
    if method == "top_down" and [] not in [list(level) for level in levels]:
        raise ConfigurationError("top_down splits the forecast of all series: add [] to levels.")
    check_columns(forecasts, [SERIES, TIME, FORECAST])
    members = members_of(panel, levels)
    errors = None if backtest is None else _errors(backtest)
    options = (members, levels, method, errors, shares, minimum)
    if isinstance(forecasts, pd.DataFrame):
        return _reconciled([forecasts], *options)
    meta = forecasts._meta.astype({SERIES: "str"})
    whole = for_all(_reconciled, forecasts.to_delayed(), *options)
    return dd.from_delayed([whole], meta=meta, verify_meta=False, prefix="reconciled")


def _reconciled(
    parts: Sequence[pd.DataFrame],
    members: pd.DataFrame,
    levels: Sequence[Sequence[str]],
    method: Reconciliation,
    errors: pd.DataFrame | None,
    shares: Mapping[Any, float] | None,
    minimum: float | None,
) -> pd.DataFrame:
    forecasts = pd.concat(parts, ignore_index=True)
    forecasts[SERIES] = forecasts[SERIES].astype("str")
    there = members[members[SERIES].isin(forecasts[SERIES])].reset_index(drop=True)
    names, sums = membership_matrix(there, levels)
    rows = _laid_out(forecasts, [*names, *there[SERIES]], len(names), method)
    table = rows[FORECAST].to_numpy().reshape(len(names) + len(there), -1)
    below = table[len(names) :]
    if method == "top_down":
        below = _split(table[names.index(TOTAL)], below, there[SERIES], shares)
    elif method != "bottom_up":
        below = adjusted(table, sums, *_covariance(method, sums, errors, [*names, *there[SERIES]]))
    if minimum is not None:
        below = np.maximum(below, minimum)
    moved = np.concatenate([sums @ below, below]).ravel()
    others = [name for name in rows if str(name).startswith(f"{FORECAST}_")]
    shift = moved - rows[FORECAST].to_numpy()
    changed: dict[Any, Any] = {name: rows[name] + shift for name in others}
    return rows.assign(**{FORECAST: moved}, **changed)


def _laid_out(
    forecasts: pd.DataFrame, names: Sequence[str], sums: int, method: str
) -> pd.DataFrame:
    """Return the forecasts of these series, each with all steps.

    Raises
    ------
    InputError
        One is missing; for ``bottom_up``, only those of series must be there.
    """
    steps = [name for name in ("window", "cutoff", TIME, "step") if name in forecasts]
    distinct = forecasts[steps].drop_duplicates().sort_values(steps)
    wanted = pd.DataFrame({SERIES: names}).merge(distinct, how="cross")
    rows = wanted.merge(forecasts, on=[SERIES, *steps], how="left", validate="one_to_one")
    rows = rows[list(forecasts.columns)]
    needed = rows if method != "bottom_up" else rows.iloc[sums * len(distinct) :]
    lacking = needed[needed[FORECAST].isna()]
    if len(lacking):
        row = lacking.iloc[0]
        raise InputError(
            f"{len(lacking):,} forecasts are missing, such as that of {row[SERIES]!r} at "
            f"{row[TIME]}. Forecast what add_sums returns, all series over the same steps."
        )
    return rows


def _split(
    total: np.ndarray, below: np.ndarray, series: pd.Series, shares: Mapping[Any, float] | None
) -> np.ndarray:
    """Return the forecast of all series, split among them."""
    if shares is None:
        parts = below
    else:
        given = {str(name): share for name, share in shares.items()}
        parts = series.map(given).to_numpy(dtype=np.float64)[:, None]
        if np.isnan(parts).any():
            lost = series[np.isnan(parts[:, 0])].iloc[0]
            raise InputError(f"Series {lost!r} has no share of the total. Give it one in `shares`.")
    whole = parts.sum(axis=0)
    # Where all are 0, nobody knows better than to split evenly.
    split = np.where(whole != 0, parts / np.where(whole != 0, whole, 1.0), 1 / len(series))
    return np.asarray(total * split)


def _covariance(
    method: str, sums: Any, errors: pd.DataFrame | None, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the variances of errors, and for ``mint_shrink`` how they go together."""
    count = sums.shape[1]
    if method == "ols":
        return np.ones(len(names)), None
    if method == "wls_struct" or errors is None:
        return np.r_[np.asarray(sums.sum(axis=1)).ravel(), np.ones(count)], None
    lost = sorted(set(names) - set(errors.index))
    if lost:
        raise InputError(
            f"The backtest has no errors of {lost[0]!r}. Make it of what add_sums returns."
        )
    table = errors.loc[list(names)].to_numpy()
    return shrunk(table) if method == "mint_shrink" else (error_variances(table), None)


def _errors(backtest: Any) -> pd.DataFrame:
    """Return the errors of each series, a column for each time that was forecast."""
    names = [SERIES, "window", TIME, VALUE, FORECAST]
    check_columns(backtest, names)
    rows = backtest[names]
    rows = rows if isinstance(rows, pd.DataFrame) else rows.compute()
    rows = rows.assign(error=rows[VALUE] - rows[FORECAST])
    rows[SERIES] = rows[SERIES].astype("str")
    # Not pivot_table: that leaves out a series without a known error.
    return rows.pivot(index=SERIES, columns=["window", TIME], values="error")  # noqa: PD010
