"""Days and entities of rows as plain numbers, the same whatever the column's type."""

import numpy as np
import pandas as pd

from dmlkit.errors import InputError

__all__ = ["all_there", "day_numbers", "entity_hashes"]


def day_numbers(time: pd.Series) -> np.ndarray:
    """Return the UTC day of each row as days since 1970.

    Raises
    ------
    InputError
        The column holds no times, or some are missing.

    Examples
    --------
    >>> day_numbers(pd.Series(pd.to_datetime(["1970-01-01 23:59", "1970-01-03 00:00"]))).tolist()
    [0, 2]
    """
    if not pd.api.types.is_datetime64_any_dtype(time.dtype):
        raise InputError(
            f"Column {time.name!r} is {time.dtype}, but a datetime is needed to tell days. "
            "Declare it as 'datetime' in the schema, or convert it with to_datetime."
        )
    all_there(time)
    if getattr(time.dt, "tz", None) is not None:
        time = time.dt.tz_convert("UTC").dt.tz_localize(None)
    return time.to_numpy(dtype="datetime64[us]").astype("datetime64[D]").view(np.int64)


def entity_hashes(entity: pd.Series) -> np.ndarray:
    """Return a 64-bit hash of each row's entity: of its value, not of how it is held.

    Raises
    ------
    InputError
        Some entities are missing.
    """
    all_there(entity)
    if isinstance(entity.dtype, pd.CategoricalDtype):
        entity = entity.astype(entity.cat.categories.dtype)
    if pd.api.types.is_integer_dtype(entity.dtype):
        return pd.util.hash_array(entity.to_numpy(dtype=np.int64))
    if pd.api.types.is_float_dtype(entity.dtype):
        return pd.util.hash_array(entity.to_numpy(dtype=np.float64))
    return pd.util.hash_array(entity.to_numpy(dtype=object), categorize=True)


def all_there(column: pd.Series) -> None:
    """Raise an InputError that counts missing values, if there are any."""
    missing = int(column.isna().sum())
    if missing:
        raise InputError(
            f"{missing:,} of {len(column):,} rows of a partition have no {column.name!r}. "
            "Drop them, or fill them in."
        )
