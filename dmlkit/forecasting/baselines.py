"""Forecasts that a model must beat: the last season again, and M4's Naive2."""

import numpy as np

__all__ = ["naive2", "naive_scales", "seasonal_naive"]

#: Of a normal distribution: M4's test for seasonality is at 90%.
CRITICAL = 1.645


def seasonal_naive(values: np.ndarray, starts: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """Return what each series was one season before; a season back for each where it is missing.

    Parameters
    ----------
    values : (n,) float64 array
        Series after series.
    starts : (series + 1,) int64 array
    season, horizon : int
        In rows.

    Returns
    -------
    (series, horizon) float64 array
        Missing where the place in the season was never seen.

    Examples
    --------
    >>> import numpy as np
    >>> seasonal_naive(np.array([1.0, 2.0, 3.0]), np.array([0, 3]), 2, 3).tolist()
    [[2.0, 3.0, 2.0]]
    """
    stops = starts[1:]
    latest = np.full((len(stops), season), np.nan)
    for back in range(1, int(np.diff(starts).max(initial=0)) // season + 2):
        place = stops[:, None] - back * season + np.arange(season)
        wanted = np.isnan(latest) & (place >= starts[:-1, None])
        if not wanted.any():
            break
        latest[wanted] = values[place[wanted]]
    return latest[:, np.arange(horizon) % season]


def naive2(values: np.ndarray, starts: np.ndarray, season: int, horizon: int) -> np.ndarray:
    """Return the last value times the season's index: M4's Naive2.

    A series is seasonal where its autocorrelation at the season is significant at 90%; indices are
    those of the classical multiplicative decomposition. Missing values are taken for the one
    before.

    References
    ----------
    Makridakis, Spiliotis, Assimakopoulos: *The M4 Competition: 100,000 time series and 61
    forecasting methods*. International Journal of Forecasting 36, 2020.
    """
    forecasts = np.full((len(starts) - 1, horizon), np.nan)
    for series in range(len(starts) - 1):
        own = _known_before(values[starts[series] : starts[series + 1]])
        if len(own):
            index = _season_index(own, season) if _is_seasonal(own, season) else np.ones(season)
            last = own[-1] / index[(len(own) - 1) % season]
            forecasts[series] = last * index[(len(own) + np.arange(horizon)) % season]
    return forecasts


def naive_scales(
    values: np.ndarray, starts: np.ndarray, season: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return what errors are measured by: how wrong naive forecasts are in the history.

    Returns
    -------
    absolute : (series,) float64 array
        Mean absolute difference to a season before: of MASE.
    squared : (series,) float64 array
        Mean squared difference to the row before: of RMSSE. Missing where there is none.
    """
    place = np.arange(len(values)) - np.repeat(starts[:-1], np.diff(starts))
    scales = []
    for lag, power in ((season, 1), (1, 2)):
        apart = np.full(len(values), np.nan)
        apart[lag:] = np.abs(values[lag:] - values[:-lag]) ** power
        apart[place < lag] = np.nan
        known = np.isfinite(apart)
        count = _sums(known, starts)
        total = _sums(np.where(known, apart, 0.0), starts)
        scales.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    return scales[0], scales[1]


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    if len(starts) < 2:
        return np.zeros(0)
    return np.add.reduceat(values.astype(np.float64), starts[:-1])


def _known_before(values: np.ndarray) -> np.ndarray:
    """Return values with each missing one as the one before; those before the first are cut."""
    known = np.isfinite(values)
    if not known.any():
        return values[:0]
    newest = np.maximum.accumulate(np.where(known, np.arange(len(values)), -1))
    return np.asarray(values[newest[newest >= 0]])


def _is_seasonal(values: np.ndarray, season: int) -> bool:
    if season < 2 or len(values) < 3 * season:
        return False
    apart = values - values.mean()
    total = (apart**2).sum()
    if total <= 0:
        return False
    correlation = np.array([(apart[lag:] * apart[:-lag]).sum() for lag in range(1, season + 1)])
    correlation = correlation / total
    limit = CRITICAL * np.sqrt((1 + 2 * (correlation[:-1] ** 2).sum()) / len(values))
    return bool(abs(correlation[-1]) > limit)


def _season_index(values: np.ndarray, season: int) -> np.ndarray:
    """Return the index of each place in the season, 1 for all where the trend touches 0."""
    weights = np.ones(season) if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5]
    trend = np.convolve(values, weights / season, mode="valid")
    if (trend <= 0).any():
        return np.ones(season)
    ratio = np.full(len(values), np.nan)
    ratio[len(weights) // 2 : len(weights) // 2 + len(trend)] = (
        values[len(weights) // 2 : len(weights) // 2 + len(trend)] / trend
    )
    index = np.array([np.nanmean(ratio[phase::season]) for phase in range(season)])
    index = index / index.mean()
    return index if (index > 0).all() else np.ones(season)
