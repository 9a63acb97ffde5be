"""`Frequency`: how far apart the rows of a series are; times as steps, and steps as times."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from dmlkit.errors import ConfigurationError
from dmlkit.features.panel_series import time_numbers

__all__ = ["Frequency"]

#: Offsets that are so many months, anchored at the first or the last day of one.
MONTHS = {"MS": 1, "ME": 1, "QS": 3, "QE": 3, "YS": 12, "YE": 12}


@dataclass(frozen=True)
class Frequency:
    """The distance between two rows of a series.

    Parameters
    ----------
    text : str or int
        A length of time (``"1D"``, ``"1h"``, ``"15min"``), weeks (``"W-SUN"``), or the first or
        last day of months (``"MS"``, ``"ME"``), quarters and years. A whole number where the times
        of the panel are whole numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> Frequency("MS").ahead(pd.Series(pd.to_datetime(["2025-01-01"])), 2).tolist()
    [Timestamp('2025-03-01 00:00:00')]
    """

    text: str | int

    def __post_init__(self) -> None:
        if isinstance(self.text, int) and not isinstance(self.text, bool):
            if self.text < 1:
                raise ConfigurationError(f"The frequency {self.text} is no step from 1.")
            return
        try:
            offset = to_offset(str(self.text))
        except (ValueError, TypeError):
            offset = None
        if offset is None or (self._months() is None and self._fixed() is None):
            raise ConfigurationError(
                f"The frequency {self.text!r} is not known. Write '1D', '1h', '15min', 'W-SUN', "
                "'MS', or a whole number where times are whole numbers."
            )

    def steps(self, time: pd.Series) -> np.ndarray:
        """Return times as numbers of steps: an (n,) float64 array, whole where the time fits."""
        numbers = time_numbers(time)
        if isinstance(self.text, int):
            return numbers / self.text
        months = self._months()
        if months is not None:
            clock = time.dt
            return np.asarray((clock.year * 12 + clock.month - 1) / months, dtype=np.float64)
        unit = np.timedelta64(1, _unit_of(time)) / np.timedelta64(1, "ns")
        return numbers / (self._fixed().value / unit)  # type: ignore[union-attr]

    def whole_steps(self, time: pd.Series) -> np.ndarray:
        """Return times as whole numbers of steps: what lies between two is of the earlier one."""
        return np.floor(self.steps(time) + 1e-6).astype(np.int64)

    def ahead(self, time: pd.Series, steps: Any) -> pd.Series:
        """Return the times so many steps later (a number, or one for each time)."""
        counts = np.broadcast_to(np.asarray(steps), len(time))
        if isinstance(self.text, int):
            return time + pd.Series(counts * self.text, index=time.index).astype(time.dtype)
        months = self._months()
        if months is None:
            later = time + pd.to_timedelta(counts * self._fixed().value, unit="ns")  # type: ignore[union-attr]
        else:
            later = pd.concat(
                [time[counts == n] + int(n) * to_offset(self.text) for n in np.unique(counts)]
                or [time]
            ).reindex(time.index)
        return later.astype(time.dtype)

    def _months(self) -> int | None:
        offset: Any = None if isinstance(self.text, int) else to_offset(self.text)
        name = "" if offset is None else offset.rule_code.split("-")[0]
        return MONTHS[name] * offset.n if name in MONTHS else None

    def _fixed(self) -> pd.Timedelta | None:
        offset: Any = to_offset(str(self.text))
        if offset.rule_code.startswith("W"):
            return pd.Timedelta(days=7 * offset.n)
        try:
            return pd.Timedelta(offset)
        except ValueError:
            return None


def _unit_of(time: pd.Series) -> Any:
    """Return in which unit `time_numbers` counts a column of datetimes."""
    dtype: Any = time.dtype
    return np.datetime_data(dtype)[0] if isinstance(dtype, np.dtype) else "us"
