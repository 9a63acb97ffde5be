"""The panel of the benchmark `panel`: shaped like M5, the same in any environment."""

import numpy as np
import pandas as pd

__all__ = [
    "DAYS",
    "DEVIATIONS",
    "HORIZON",
    "LAGS",
    "ON_LAGS",
    "PARAMETERS",
    "make_panel",
    "sample_rows",
]

DAYS, HORIZON = 1_941, 28
LAGS = (7, 14, 28)
#: On each of two lags: windows of so many days; on the first one also all days and weekdays.
ON_LAGS = {7: (7, 28), 28: (7, 28)}
#: Where the rolling standard deviations stand among the features.
DEVIATIONS = (4, 6, 10, 12)
PARAMETERS = {"n_estimators": 50, "max_depth": 6, "learning_rate": 0.1, "tree_method": "hist"}


def make_panel(rows: int) -> pd.DataFrame:
    """Return about so many rows: series of 1,941 days with a weekly season, sorted."""
    series = max(1, rows // DAYS)
    random = np.random.default_rng(0)
    level = random.gamma(1.0, 3.0, (series, 1)).astype(np.float32)
    week = 1 + 0.3 * np.sin(np.arange(DAYS, dtype=np.float32) * (2 * np.pi / 7))
    y = random.poisson(level * week).astype(np.float32)
    days = pd.date_range("2011-01-29", periods=DAYS).to_numpy()
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(series), DAYS),
            "ds": np.tile(days, series),
            "y": y.ravel(),
        },
        copy=False,
    )


def sample_rows(rows: int) -> np.ndarray:
    """Return the rows whose features are compared: every so many, at no multiple of a week."""
    return np.arange(100, rows, max(1, rows // 20_011))
