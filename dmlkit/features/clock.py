"""What steps that look at the calendar share: local times and days."""

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
import pandas as pd
import pyarrow as pa

from dmlkit.errors import ConfigurationError, nearest

__all__ = ["check_timezone", "local_days", "local_time"]


def check_timezone(name: str | None) -> None:
    """Raise a ConfigurationError when there is no such time zone."""
    try:
        ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        guess = nearest(str(name), available_timezones())
        hint = f" (nearest: {guess!r})" if guess else ""
        raise ConfigurationError(
            f"Unknown time zone {name!r}{hint}. Write it as 'Europe/Brussels'."
        ) from None


def local_time(time: Any, timezone: str | None) -> Any:
    """Return a datetime Series as a clock in a time zone shows it; without a zone, as it is.

    A time that has no zone is UTC to a clock that has one; a day is the same day on all clocks.
    """
    if isinstance(time.dtype, pd.ArrowDtype) and pa.types.is_date(time.dtype.pyarrow_dtype):
        return time.astype("datetime64[s]")
    if timezone is None:
        return time
    zoned = time if time.dt.tz is not None else time.dt.tz_localize("UTC")
    return zoned.dt.tz_convert(timezone)


def local_days(time: Any, timezone: str | None) -> np.ndarray:
    """Return the local days of a datetime Series as ``datetime64[D]``.

    Examples
    --------
    >>> import pandas as pd
    >>> local_days(pd.Series(pd.to_datetime(["2025-07-01 23:30"])), "Europe/Brussels")
    array(['2025-07-02'], dtype='datetime64[D]')
    """
    local = local_time(time, timezone)
    if getattr(local.dt, "tz", None) is not None:
        local = local.dt.tz_localize(None)
    seconds = local.to_numpy(dtype="datetime64[s]", na_value=np.datetime64("NaT"))
    return seconds.astype("datetime64[D]")
