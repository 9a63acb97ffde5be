"""Panels that tests of forecasting share."""

import numpy as np
import pandas as pd
import pytest


def sales(series: int = 6, days: int = 70, seed: int = 0) -> pd.DataFrame:
    """Return daily series with a weekly season, of different lengths, with a price."""
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(series):
        first = 10 if number == 1 else 0
        day = np.arange(first, days)
        level = 20 * (number + 1)
        price = rng.choice([1.0, 0.8], len(day))
        y = level * (1 + 0.4 * np.sin(2 * np.pi * day / 7)) / price + rng.normal(0, 1, len(day))
        parts.append(
            pd.DataFrame(
                {
                    "unique_id": f"s{number}",
                    "ds": pd.Timestamp("2025-01-01") + pd.to_timedelta(day, "D"),
                    "y": y,
                    "price": price,
                    "kind": number % 2,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def panel() -> pd.DataFrame:
    return sales()
