"""Panels made fit: gaps, irregular times, and whole series."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.forecasting import Frequency, gather_series, regular_panel
from dmlkit.forecasting.panel import summarise


def test_gaps_are_filled_as_asked(panel):
    holes = panel.drop(index=[3, 4, 20, 100])
    with pytest.raises(InputError, match=r"4 rows are missing.*between 2025-01-03.*'s0'"):
        regular_panel(holes, "1D")
    missing = regular_panel(holes, "1D", gaps="missing")
    assert len(missing) == len(panel)
    assert missing.loc[3:4, "y"].isna().all()
    assert (missing["ds"] == panel["ds"]).all()
    assert missing.loc[3, "price"] == panel.loc[2, "price"]
    assert regular_panel(holes, "1D", gaps="zero").loc[[3, 4, 20], "y"].tolist() == [0, 0, 0]


def test_times_between_steps_and_two_in_one_step_are_told(panel):
    off = panel.assign(ds=panel["ds"].where(panel.index != 5, panel["ds"] + pd.Timedelta("5h")))
    with pytest.raises(InputError, match=r"1 rows do not fit.*2025-01-06 05:00"):
        regular_panel(off, "1D")
    days = pd.to_datetime(["2025-01-01", "2025-01-15", "2025-02-01"])
    monthly = pd.DataFrame({"unique_id": 1, "ds": days, "y": 1.0})
    with pytest.raises(InputError, match="two rows in the step of 2025-01-15"):
        regular_panel(monthly, "MS")


@pytest.mark.parametrize("frequency", ["soon", "3B", 0])
def test_an_unknown_frequency_is_told(frequency):
    with pytest.raises(ConfigurationError, match="frequency"):
        Frequency(frequency)


def test_gathered_series_are_whole_and_in_the_same_order_whatever_the_partitions(panel):
    parts = dd.from_pandas(panel.sample(frac=1, random_state=0), npartitions=6, sort=False)
    assert not summarise(parts).whole
    orders = []
    for partitions in (1, 2, 5):
        gathered = gather_series(parts, partitions)
        found = summarise(gathered)
        assert (found.whole, found.series, found.rows) == (True, 6, len(panel))
        orders.append(gathered.compute(scheduler="sync").reset_index(drop=True))
    for other in orders[1:]:
        pd.testing.assert_frame_equal(orders[0], other)


def test_the_last_time_is_that_of_the_last_value(panel):
    blank = panel.assign(y=panel["y"].where(panel["ds"] < "2025-03-01", np.nan))
    assert summarise(dd.from_pandas(blank, npartitions=2)).last == pd.Timestamp("2025-02-28")
