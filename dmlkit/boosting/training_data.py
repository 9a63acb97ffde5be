"""Rows to train on, held by the workers and checked before training."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import distributed
import numpy as np
import pandas as pd
from distributed import Client

from dmlkit.boosting.frozen import evict_silent
from dmlkit.boosting.given_table import GivenTable
from dmlkit.boosting.objectives import LabelRule
from dmlkit.boosting.queries import queries_of, rows_by_query, runs_of
from dmlkit.boosting.roles import BOUNDS, LABEL, MARGIN, QUERY, WEIGHT, columns_of
from dmlkit.boosting.stored_rows import StoredRows, rows_of, stored
from dmlkit.errors import InputError
from dmlkit.graph import for_each

__all__ = ["Summary", "TrainingData", "gather", "in_files", "wait_for"]

#: Seconds between two looks for frozen workers.
LOOK = 2.0


@dataclass(frozen=True)
class Summary:
    """What the rows of a partition, or of several, hold.

    Attributes
    ----------
    rows : int
    labels : dict of float to int
        Rows by label, where labels are counted.
    problems : dict of str to (int, str)
        Rows that cannot be trained on and an example, by what is wrong with them.
    """

    rows: int
    labels: dict[float, int]
    problems: dict[str, tuple[int, str]]

    def __add__(self, other: "Summary") -> "Summary":
        labels = {
            label: self.labels.get(label, 0) + other.labels.get(label, 0)
            for label in self.labels | other.labels
        }
        problems = dict(self.problems)
        for problem, (rows, example) in other.problems.items():
            before, first = problems.get(problem, (0, example))
            problems[problem] = (before + rows, first)
        return Summary(self.rows + other.rows, labels, problems)


@dataclass(frozen=True)
class TrainingData:
    """A table in the workers' memory.

    Attributes
    ----------
    parts : list of Future
        pandas DataFrames with float32, categorical or boolean features, and the columns of `roles`;
        or `StoredRows` of these.
    lengths : list of int
        The rows of each.
    features : list of str
    summary : Summary
        Of all rows.
    queries : (queries,) int64 array or None
        The rows of each query, one after the other, where rows are ranked.
    """

    parts: list[Any]
    lengths: list[int]
    features: list[str]
    summary: Summary
    queries: Any = None

    @property
    def most_shards(self) -> int:
        """Into how many shards it can be cut."""
        return self.summary.rows if self.queries is None else len(self.queries)


def gather(
    table: GivenTable,
    rule: LabelRule,
    client: Client,
    *,
    worker_timeout: float = 15.0,
    in_files: bool = False,
) -> TrainingData:
    """Bring a table into the workers' memory, and check each row.

    Parameters
    ----------
    table : GivenTable
    rule : LabelRule
        What labels must be.
    client : distributed.Client
    worker_timeout : float
        A worker that is silent for twice as many seconds is taken for frozen; what it held or did
        is computed elsewhere.
    in_files : bool
        Keep the rows in files of the workers from the start: no more than a partition for each
        thread is in memory then.

    Raises
    ------
    InputError
        Partitions do not match, a column is text, or rows have labels, weights or features that
        cannot be trained on.
    """
    data = _gathered(table.lazy_frame(), table, rule, client, worker_timeout, in_files)
    if QUERY not in table.beside:
        return data
    queries = queries_of(client.gather(client.map(runs_of, data.parts, pure=False)))
    if queries is None:  # rows of a query are apart
        together = rows_by_query(table.lazy_frame())
        data = _gathered(together, table, rule, client, worker_timeout, in_files)
        queries = queries_of(client.gather(client.map(runs_of, data.parts, pure=False)))
    return replace(data, queries=queries)


def _gathered(
    frame: Any,
    table: GivenTable,
    rule: LabelRule,
    client: Client,
    worker_timeout: float,
    in_files: bool,
) -> TrainingData:
    features = list(table.features.columns)
    if in_files:
        parts = client.compute(for_each(stored, frame.to_delayed()))
    else:
        parts = distributed.futures_of(client.persist(frame))
    look = partial(_summary, features=features, rule=rule)
    looks = client.map(look, parts, pure=False)
    wait_for(looks, client, 2 * worker_timeout)
    summaries: list[Summary] = client.gather(looks)
    summary = sum(summaries, Summary(0, {}, {}))
    _raise_problems(summary, table.name)
    return TrainingData(parts, [part.rows for part in summaries], features, summary)


def in_files(
    data: TrainingData,
    tables: Mapping[str, TrainingData],
    client: Client,
    worker_timeout: float,
) -> tuple[TrainingData, dict[str, TrainingData]]:
    """Return the same rows in files of the workers, whose memory is free again then.

    Parameters
    ----------
    data : TrainingData
    tables : mapping of str to TrainingData
        Some may be `data` itself.
    client : distributed.Client
    worker_timeout : float
        As for `gather`.
    """
    moved: dict[int, TrainingData] = {}
    for table in (data, *tables.values()):
        if id(table) not in moved:
            parts = client.map(stored, table.parts, pure=False)
            wait_for(parts, client, 2 * worker_timeout)
            moved[id(table)] = replace(table, parts=parts)
    return moved[id(data)], {name: moved[id(table)] for name, table in tables.items()}


def wait_for(futures: Sequence[Any], client: Client, silence: float) -> None:
    """Wait for futures; Dask alone would wait minutes for a worker that is frozen.

    Parameters
    ----------
    futures : sequence of Future
    client : distributed.Client
    silence : float
        Seconds without a sign of life after which a worker is given up.

    Raises
    ------
    Exception
        What one of their tasks raised.
    """
    while any(future.status == "pending" for future in futures):
        with contextlib.suppress(TimeoutError):
            distributed.wait(futures, timeout=LOOK)
        evict_silent(client, silence)
    for future in futures:
        if future.status == "error":
            raise future.exception()


def _summary(rows: pd.DataFrame | StoredRows, features: Sequence[str], rule: LabelRule) -> Summary:
    part = rows_of(rows)
    found: dict[str, tuple[int, str]] = {}

    def note(problem: str, bad: Any, example: Callable[[int], Any]) -> None:
        if bad.any():
            found[problem] = (int(bad.sum()), str(example(int(np.argmax(bad)))))

    labels = _note_labels(part, rule, note)
    if WEIGHT in part.columns:
        weight = part[WEIGHT].to_numpy()
        wrong = ~(np.isfinite(weight) & (weight >= 0))
        note("have a weight that is missing, infinite or negative", wrong, weight.__getitem__)
    for name in columns_of(MARGIN, part.columns):
        margin = part[name].to_numpy()
        wrong = ~np.isfinite(margin)
        note("have a base margin that is missing or infinite", wrong, margin.__getitem__)
    for name in features:
        if not isinstance(part[name].dtype, pd.CategoricalDtype):
            values = part[name].to_numpy()
            note(f"have an infinite {name!r} (as float32)", np.isinf(values), values.__getitem__)
    return Summary(len(part), labels, found)


def _note_labels(part: pd.DataFrame, rule: LabelRule, note: Callable[..., None]) -> dict[Any, int]:
    if bounds := columns_of(BOUNDS, part.columns):
        lower, upper = (part[name].to_numpy() for name in bounds)
        wrong = ~((lower >= 0) & np.isfinite(lower) & (upper >= lower))
        of = "have no lower bound from 0 on, or no upper bound from it on (infinite: still alive)"
        note(of, wrong, lambda place: f"{lower[place]:g} to {upper[place]:g}")
        return {}
    label = part[LABEL].to_numpy()
    missing = np.isnan(label)
    note("have no label", missing, label.__getitem__)
    note("have an infinite label (as float32)", np.isinf(label), label.__getitem__)
    below = label <= rule.lowest if rule.open else label < rule.lowest
    beyond = (below | (label > rule.highest)) & np.isfinite(label)
    note(f"have a label beyond what the objective takes ({rule.words})", beyond, label.__getitem__)
    if not rule.counted:
        return {}
    labels, counts = np.unique(label[~missing], return_counts=True)
    return dict(zip(labels.tolist(), counts.tolist(), strict=True))


def _raise_problems(summary: Summary, name: str) -> None:
    for problem, (rows, example) in summary.problems.items():
        raise InputError(
            f"{rows:,} of {summary.rows:,} rows of the {name} table {problem}, such as {example}. "
            "Check the table with a schema, or drop these rows."
        )
    if summary.rows == 0:
        raise InputError(f"The {name} table has no rows. Look at the filters before it.")
