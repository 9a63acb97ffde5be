"""Metrics of numbers that are predicted: errors over a cluster, with intervals by entity."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import InputError, MissingColumnError
from dmlkit.graph import add_up, for_each
from dmlkit.metrics.keys import entity_hashes
from dmlkit.metrics.rows import numbers

__all__ = ["evaluate_regression"]

#: Entities are put into so many groups at most, each of which the bootstrap draws as a whole.
MOST_BLOCKS = 200

METRICS = ("rmse", "mae", "bias")


def evaluate_regression(
    frame: Any,
    *,
    label: str,
    prediction: str,
    entity: str | None = None,
    replicates: int = 200,
    seed: int = 0,
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Judge predictions of a number, in one pass.

    Parameters
    ----------
    frame : dask or pandas DataFrame
    label, prediction : str
    entity : str, optional
        What the bootstrap draws as a whole; each row for itself without.
    replicates, seed : int
        Of the bootstrap; 0 replicates for no intervals.

    Returns
    -------
    (dict of str to float, dict of str to (float, float))
        ``rmse``, ``mae`` and ``bias`` (mean of prediction less label), and their 95% intervals.

    Raises
    ------
    MissingColumnError, InputError
        A column or a value is missing, or there is no row.

    Examples
    --------
    >>> frame = pd.DataFrame({"left": [10.0, 20.0], "predicted": [13.0, 16.0]})
    >>> metrics, _ = evaluate_regression(frame, label="left", prediction="predicted")
    >>> {name: round(value, 3) for name, value in metrics.items()}
    {'rmse': 3.536, 'mae': 3.5, 'bias': -0.5}
    """
    names = [label, prediction, *([entity] if entity else [])]
    for name in names:
        if name not in frame.columns:
            raise MissingColumnError.of("frame", name, frame.columns)
    sums_of = partial(_sums, entity=entity)
    if isinstance(frame, pd.DataFrame):
        sums = sums_of(frame[names])
    else:
        sums = add_up(for_each(sums_of, frame[names].to_delayed()), _add).compute()
    if not sums[:, 0].sum():
        raise InputError("There is no row to judge. Look at the filters before it.")
    metrics = {name: float(each[0]) for name, each in _metrics(sums.sum(axis=0)[None]).items()}
    if not replicates:
        return metrics, {}
    drawn = _metrics(_draw(sums, replicates, np.random.default_rng(seed)))
    ends = {name: np.percentile(each, [2.5, 97.5]) for name, each in drawn.items()}
    return metrics, {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def _sums(part: pd.DataFrame, entity: str | None) -> NDArray[np.float64]:
    """Return rows, squared, absolute and signed errors by block of entities."""
    error = numbers(part.iloc[:, 1]) - numbers(part.iloc[:, 0])
    if np.isnan(error).any():
        raise InputError(
            f"{int(np.isnan(error).sum()):,} rows of a partition have no {part.columns[0]!r} or no "
            f"{part.columns[1]!r}. Drop them."
        )
    # Without entities, rows go by their errors: the same blocks on any partitions.
    keys = pd.util.hash_array(error) if entity is None else entity_hashes(part[entity])
    block = (keys % np.uint64(MOST_BLOCKS)).astype(np.int64)
    values = (np.ones(len(error)), error**2, np.abs(error), error)
    return np.stack([np.bincount(block, each, MOST_BLOCKS) for each in values], axis=1)


def _add(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.sum(parts, axis=0)
    return total


def _draw(
    sums: NDArray[np.float64], replicates: int, random: np.random.Generator
) -> NDArray[np.float64]:
    sums = sums[sums[:, 0] > 0]
    times = random.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=replicates)
    drawn: NDArray[np.float64] = times @ sums
    return drawn


def _metrics(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    rows, squares, sizes, errors = sums.T
    return dict(zip(METRICS, (np.sqrt(squares / rows), sizes / rows, errors / rows), strict=True))
