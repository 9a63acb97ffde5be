"""Tables that count cycles instead of telling the time: as times, windows can look at them."""

from typing import Any

import pandas as pd

from dmlkit.features.lengths import length_of
from dmlkit.features.step import check_columns

__all__ = ["cycles_as_times"]

#: Where cycle 0 is put.
START = pd.Timestamp("2000-01-01")


def cycles_as_times(frame: Any, time: str, cycle: str) -> Any:
    """Return a frame whose column of cycle numbers is one of times, lazily where it is lazy.

    Parameters
    ----------
    frame : dask or pandas DataFrame
    time : str
        A column of cycle numbers; one of another type stays as it is.
    cycle : str
        How long a cycle lasts, such as ``"1h"``: windows of ``"30h"`` then see 30 cycles.

    Examples
    --------
    >>> flights = pd.DataFrame({"cycle": [1, 2]})
    >>> cycles_as_times(flights, "cycle", "1h")["cycle"].dt.hour.tolist()
    [1, 2]
    """
    check_columns(frame, [time])
    if not pd.api.types.is_any_real_numeric_dtype(frame[time].dtype):
        return frame
    if isinstance(frame, pd.DataFrame):
        times = START + pd.to_timedelta(frame[time] * length_of(cycle).total_seconds(), unit="s")
        return frame.assign(**{time: times.astype("datetime64[us]")})
    meta = cycles_as_times(frame._meta, time, cycle)
    return frame.map_partitions(cycles_as_times, time, cycle, meta=meta)
