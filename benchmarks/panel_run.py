"""One run of one system of the benchmark `panel`, in a process of its own.

``python -m benchmarks.panel_run SYSTEM TASK ROWS THREADS FILE`` writes the seconds, the memory and
a sample of the results into FILE (NumPy). It imports what the system needs and nothing else, so
that each can have an environment of its own.
"""

import resource
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.panel_data import HORIZON, LAGS, ON_LAGS, PARAMETERS, make_panel, sample_rows


def dmlkit_steps() -> list[Any]:
    """Return the features as this package declares them."""
    from dmlkit.features import Calendar, PanelLags

    on_lags: dict[int, list[str]] = {
        lag: [f"rolling_{what}:{window}" for window in windows for what in ("mean", "std")]
        for lag, windows in ON_LAGS.items()
    }
    on_lags[7] += ["expanding_mean", "seasonal_rolling_mean:7:4"]
    return [PanelLags(LAGS, on_lags), Calendar("ds", ["weekday", "day_of_month", "month"])]


def dmlkit_features(panel: pd.DataFrame, threads: int) -> np.ndarray:
    """Take the features with this package."""
    lags, calendar = dmlkit_steps()
    found = calendar.apply(lags.transform(panel, threads=threads), {})
    return found[[name for name in found if name not in panel]].iloc[sample_rows(len(panel))]


def dmlkit_forecast(panel: pd.DataFrame, threads: int) -> Any:
    """Train, and forecast 28 days, with this package."""
    import dask
    import xgboost

    from dmlkit.forecasting import Forecaster

    model = xgboost.XGBRegressor(n_jobs=threads, **PARAMETERS)
    # 35 rows: mlforecast leaves out those with a missing feature, of which the last lies there.
    made = Forecaster(model, "1D", dmlkit_steps(), min_history=55)
    with dask.config.set(scheduler="threads", num_workers=threads):
        return made.fit(panel).predict(HORIZON).sort_values(["unique_id", "ds"])["yhat"]


def _mlforecast(threads: int, models: list[Any]) -> Any:
    from mlforecast import MLForecast
    from mlforecast.lag_transforms import (
        ExpandingMean,
        RollingMean,
        RollingStd,
        SeasonalRollingMean,
    )

    on_lags: dict[int, list[Any]] = {
        lag: [kind(window) for window in windows for kind in (RollingMean, RollingStd)]
        for lag, windows in ON_LAGS.items()
    }
    on_lags[7] += [ExpandingMean(), SeasonalRollingMean(season_length=7, window_size=4)]
    return MLForecast(
        models=models,
        freq="D",
        lags=list(LAGS),
        lag_transforms=on_lags,
        date_features=["dayofweek", "day", "month"],
        num_threads=threads,
    )


def mlforecast_features(panel: pd.DataFrame, threads: int) -> Any:
    """Take the features with mlforecast."""
    found = _mlforecast(threads, []).preprocess(panel, static_features=[], dropna=False)
    return found[[name for name in found if name not in panel]].iloc[sample_rows(len(panel))]


def mlforecast_forecast(panel: pd.DataFrame, threads: int) -> Any:
    """Train, and forecast 28 days, with mlforecast."""
    import xgboost

    made = _mlforecast(threads, [xgboost.XGBRegressor(n_jobs=threads, **PARAMETERS)])
    return made.fit(panel, static_features=[]).predict(HORIZON)["XGBRegressor"]


JOBS = {
    ("dmlkit", "features"): dmlkit_features,
    ("dmlkit", "forecast"): dmlkit_forecast,
    ("mlforecast", "features"): mlforecast_features,
    ("mlforecast", "forecast"): mlforecast_forecast,
}


def main(arguments: list[str]) -> None:
    """Warm up on a few series, then measure."""
    system, task, rows, threads, file = arguments
    job = JOBS[system, task]
    job(make_panel(20_000), int(threads))
    panel = make_panel(int(rows))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, cpu = time.perf_counter(), time.process_time()
    found = job(panel, int(threads))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    np.savez(
        file,
        seconds=seconds,
        cpu_seconds=cpu,
        input_bytes=before * 1024,
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        found=np.asarray(found, dtype=np.float64),
        versions=[f"{name} {version(name)}" for name in (system, "pandas", "numpy", "xgboost")],
    )


if __name__ == "__main__":
    main(sys.argv[1:])
