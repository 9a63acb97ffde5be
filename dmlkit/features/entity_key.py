"""`EntityKey`: which columns tell the entity and the time of a row, and both as numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.errors import InputError
from dmlkit.features.hashing import hash_integers, hash_values
from dmlkit.features.rows import Rows

__all__ = ["NO_TIME", "EntityKey", "combined_hashes", "times_of", "unit_of"]

#: What a missing time is as a number: before all others.
NO_TIME = np.iinfo(np.int64).min


@dataclass(frozen=True)
class EntityKey:
    """The columns by which rows are brought together.

    Attributes
    ----------
    by : tuple of str
        The entity: one column or several.
    time : str
        Empty where rows have no order: no entity is cut in time then.
    unit : str
        In which times are counted: ``"us"``, or ``"ns"`` where a column has that resolution.
    """

    by: tuple[str, ...]
    time: str
    unit: str = "us"

    def of(self, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Return a hash and the time of each row.

        The hash is the entity's, or that of the time where the entity is missing: such rows, which
        need not be together, do not all end in one place.

        Returns
        -------
        hashes : (n,) uint64 array
        times : (n,) int64 array
        """
        columns = [rows[name] for name in self.by]
        times = self.times(rows)
        hashes = combined_hashes([hash_values(column) for column in columns])
        missing = np.logical_or.reduce([column.isna().to_numpy() for column in columns])
        if missing.any():
            hashes[missing] = hash_integers(times[missing])
        return hashes, times

    def times(self, rows: Rows) -> np.ndarray:
        """Return the time of each row, 0 for all where rows have none."""
        if not self.time:
            return np.zeros(len(rows), np.int64)
        return times_of(rows[self.time], self.unit)


def combined_hashes(hashes: Sequence[np.ndarray]) -> np.ndarray:
    """Return one hash for several, in which their order matters; a single one as it is."""
    combined = hashes[0]
    for more in hashes[1:]:
        combined = hash_integers(combined * np.uint64(3) + more)
    return combined


def unit_of(*dtypes: Any) -> str:
    """Return in which unit times of these types can be counted without cutting any off."""
    return "ns" if any("[ns" in str(dtype) for dtype in dtypes) else "us"


def times_of(time: pd.Series, unit: str) -> np.ndarray:
    """Return times as whole numbers since 1970 in UTC: an (n,) int64 array."""
    if not pd.api.types.is_datetime64_any_dtype(time.dtype):
        example = time.iloc[0] if len(time) else None
        raise InputError(
            f"Column {time.name!r} is {time.dtype} (such as {example!r}), but a datetime is "
            "needed. Declare it as 'datetime' in the schema, or convert it with to_datetime."
        )
    if getattr(time.dtype, "tz", None) is not None:
        time = time.dt.tz_convert("UTC").dt.tz_localize(None)
    return time.to_numpy(dtype=f"datetime64[{unit}]").view(np.int64)
