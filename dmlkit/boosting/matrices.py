"""Rows into XGBoost's matrices, batch by batch, in the process that trains."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost

from dmlkit.boosting.plan import Plan
from dmlkit.boosting.roles import QUERY, arguments_of
from dmlkit.boosting.shards import Piece
from dmlkit.boosting.stored_rows import rows_of

__all__ = ["KEPT_VALUES", "Batches", "batch_rows", "batches", "matrix_of_batches"]

#: Matrices are built from batches of so many rows, and of so many values, whatever the partitions:
#: XGBoost's quantiles depend on the batches. Several copies of a batch are held at once.
BATCH_ROWS, BATCH_VALUES = 1_000_000, 1 << 24

#: XGBoost goes through all batches four times. Of a table with up to so many values (128 MiB) for
#: each worker whose rows a process has, they are kept for that, and not asked for again.
KEPT_VALUES = 1 << 25

#: Starts anew from the first batch each time it is called.
Batches = Callable[[], Iterator[pd.DataFrame]]


def batch_rows(features: int) -> int:
    """Return how many rows a batch of so many features has.

    Examples
    --------
    >>> batch_rows(10), batch_rows(64)
    (1000000, 262144)
    """
    return max(1, min(BATCH_ROWS, BATCH_VALUES // features))


def batches(pieces: Iterable[Piece], size: int) -> Iterator[pd.DataFrame]:
    """Give the rows of pieces, in order, in batches of `size`; the last one may be smaller.

    A query is never cut: where it would be, the batch ends before it.
    """
    waiting: list[pd.DataFrame] = []
    rows, most = 0, size
    for piece in pieces:
        start = piece.start
        while start < piece.stop:
            stop = min(piece.stop, start + most - rows)
            waiting.append(rows_of(piece.part, start, stop))
            rows, start = rows + stop - start, stop
            if rows < most:
                continue
            batch = _concatenated(waiting)
            whole = _whole_queries(batch)
            if whole:
                yield batch[:whole]
            waiting, rows = [batch[whole:]], rows - whole
            most = size if whole else most + size  # a query may be larger than a batch
    if rows:
        yield _concatenated(waiting)


def _whole_queries(batch: pd.DataFrame) -> int:
    """Return how many rows come before the last query, which may go on; all without queries."""
    if QUERY not in batch.columns:
        return len(batch)
    query = batch[QUERY].to_numpy()
    other = np.flatnonzero(query != query[-1])
    return int(other[-1]) + 1 if len(other) else 0


def matrix_of_batches(
    plan: Plan,
    rows: Batches,
    threads: int,
    ref: Any,
    cache: Path | None = None,
    kept_values: int = KEPT_VALUES,
) -> Any:
    """Return a matrix for training or evaluation.

    Parameters
    ----------
    plan : Plan
    rows : callable
        Returns an iterator of batches; called for each pass that XGBoost makes.
    threads : int
    ref : QuantileDMatrix or None
        The training matrix, whose bins an evaluation matrix takes over.
    cache : Path, optional
        How the names of files begin in which the bins are kept, where they are not in memory.
    kept_values : int
        Batches of so many values in all are kept for the next passes.
    """
    common = {"nthread": threads, "enable_categorical": True}
    if plan.parameters.get("tree_method", "hist") in ("hist", "auto"):
        bins = int(plan.parameters.get("max_bin", 256))
        kind = xgboost.QuantileDMatrix if cache is None else xgboost.ExtMemQuantileDMatrix
        return kind(
            _Passes(rows, plan.features, cache, kept_values), max_bin=bins, ref=ref, **common
        )
    everything = _concatenated(list(rows()))
    return xgboost.DMatrix(**_arguments(everything, plan.features), **common)


class _Passes(xgboost.DataIter):
    """Batches as XGBoost asks for them: it goes through all of them several times."""

    def __init__(
        self, rows: Batches, features: Sequence[str], cache: Path | None, kept_values: int
    ) -> None:
        self._rows, self._features, self._kept_values = rows, features, kept_values
        self._pass = rows()
        self._kept: list[pd.DataFrame] | None = [] if cache is None else None
        self._whole = False
        super().__init__(cache_prefix=None if cache is None else str(cache), release_data=True)

    def next(self, input_data: Any) -> bool:
        for batch in self._pass:
            self._keep(batch)
            input_data(**_arguments(batch, self._features))
            return True
        self._whole = True
        return False

    def reset(self) -> None:
        if self._whole and self._kept is not None:
            self._pass = iter(self._kept)
        else:
            self._pass = self._rows()

    def _keep(self, batch: pd.DataFrame) -> None:
        if self._whole or self._kept is None:
            return
        self._kept.append(batch)
        if sum(each.size for each in self._kept) > self._kept_values:
            self._kept = None


def _concatenated(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _arguments(rows: pd.DataFrame, features: Sequence[str]) -> dict[str, Any]:
    return {"data": rows[list(features)], **arguments_of(rows)}
