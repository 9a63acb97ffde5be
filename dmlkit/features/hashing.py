"""Hashes of values: the same for equal values on any machine, whatever their column's dtype."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api.types import is_bool_dtype, is_float_dtype, is_integer_dtype

from dmlkit.features.sort_kernels import hash_texts, mixed_bits

__all__ = ["hash_integers", "hash_values"]


def hash_values(values: Any) -> np.ndarray:
    """Hash a column: 7 is the same in any type of number or category; what is missing has any hash.

    Parameters
    ----------
    values : pd.Series or pd.Index

    Returns
    -------
    (n,) uint64 array

    Examples
    --------
    >>> import pandas as pd
    >>> numbers = pd.Series([7, 8, 7])
    >>> (hash_values(numbers) == hash_values(numbers.astype("category"))).all()
    np.True_
    """
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        hashes = np.r_[hash_values(dtype.categories), np.uint64(0)]  # the last is for missing ones
        return hashes[pd.Categorical(values).codes]
    if is_integer_dtype(dtype) or is_bool_dtype(dtype):
        whole = np.uint64 if getattr(dtype, "kind", "i") == "u" else np.int64
        return hash_integers(values.to_numpy(dtype=whole, na_value=0))
    if is_float_dtype(dtype):
        return _hash_floats(values.to_numpy(dtype=np.float64, na_value=np.nan))
    return _hash_texts(values)


def hash_integers(values: np.ndarray) -> np.ndarray:
    """Mix the bits of 8-byte values, one to one."""
    mixed: np.ndarray = mixed_bits(values.view(np.uint64))
    return mixed


def _hash_floats(values: np.ndarray) -> np.ndarray:
    """Hash doubles: a whole one like the whole number, as ids with missing ones are doubles."""
    whole = (np.abs(values) < 2.0**63) & (values == np.floor(values))
    numbers = np.where(whole, values, 0.0).astype(np.int64)
    return hash_integers(np.where(whole, numbers, values.view(np.int64)))


def _hash_texts(values: Any) -> np.ndarray:
    try:
        texts = pa.array(values, type=pa.large_string(), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return _hash_objects(values)
    chunks = texts.chunks if isinstance(texts, pa.ChunkedArray) else [texts]
    return np.concatenate([np.empty(0, np.uint64), *map(_hash_chunk, chunks)])


def _hash_objects(values: Any) -> np.ndarray:
    """Hash values of which some are no text, each as it is hashed in a column of its own kind.

    Else a text had another hash where a number stands in its partition, and its group were torn
    apart.
    """
    codes, distinct = pd.factorize(values)
    objects = np.empty(len(distinct) + 1, dtype=object)  # the last is for missing ones
    objects[:-1] = list(distinct)
    hashes = np.zeros(len(objects), np.uint64)
    floats = np.array([isinstance(each, (float, np.floating)) for each in objects])
    whole = np.array([_is_whole(each) for each in objects])
    others = ~(floats | whole)
    others[-1] = False
    hashes[floats] = _hash_floats(objects[floats].astype(np.float64))
    hashes[whole] = hash_integers(objects[whole].astype(np.int64))
    if others.any():
        hashes[others] = _hash_texts(pd.Series([_text(each) for each in objects[others]]))
    return hashes[codes]


def _text(value: Any) -> str:
    # As Arrow takes a column of nothing but bytes.
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer, np.bool_)) and -(2**63) <= int(value) < 2**63


def _hash_chunk(texts: pa.Array) -> np.ndarray:
    _, ends, data = texts.buffers()
    if not len(texts) or ends is None:
        return np.zeros(len(texts), np.uint64)
    offsets = np.frombuffer(ends, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    return hash_integers(hash_texts(offsets, letters))
