"""Scores for new rows from a model bundle: the same columns, checks, features and model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.boosting import Bundle
from dmlkit.errors import MissingColumnError
from dmlkit.features import FeatureSet
from dmlkit.tables import CheckedTable, Schema, check_table, read_table

__all__ = ["ScoredTable", "score_rows", "score_table"]

#: Tells the rows to score from those of the history while both walk through the features.
NEW = "__new"


@dataclass(frozen=True)
class ScoredTable:
    """Scores of a new table.

    Attributes
    ----------
    frame : dask.dataframe.DataFrame
        The keys and the time of each row with ``score`` and ``flagged`` (at the threshold), lazily.
    checked : CheckedTable
        What the check of the new rows found.
    """

    frame: Any
    checked: CheckedTable


def score_rows(model: Any, frame: Any, feature_names: Sequence[str], keep: Sequence[str]) -> Any:
    """Return the columns `keep` of a frame with ``score``, the probability of class 1, lazily.

    Each partition is walked through once; nothing is aligned or moved.
    """
    meta = frame._meta[list(keep)].assign(score=np.float32(0))
    return frame.map_partitions(_scored, model, tuple(feature_names), tuple(keep), meta=meta)


def _scored(
    rows: pd.DataFrame, model: Any, feature_names: Sequence[str], keep: Sequence[str]
) -> pd.DataFrame:
    score = model.predict_proba(rows[list(feature_names)])[1].to_numpy()
    return rows[list(keep)].assign(score=score)


def score_table(
    bundle: Bundle,
    data: str,
    *,
    history: str | None = None,
    quarantine: str | None = None,
    max_bad_share: float = 0.01,
) -> ScoredTable:
    """Score the rows of a table with a bundle's features and model.

    Parameters
    ----------
    bundle : Bundle
        From `dmlkit.boosting.load_bundle`.
    data : str
        The new rows: a file, folder, glob or URL. The label may be missing.
    history : str, optional
        The table of what happened before (and meanwhile), so that windows are right at the first
        new row; without it they see new rows only. Rows of the history that are also in `data`
        (by the schema's unique key) are left out of it. Only as much is read as the windows look
        back on.
    quarantine : str, optional
        A folder for bad rows of `data`.
    max_bad_share : float
        More bad rows than this share are an error.

    Returns
    -------
    ScoredTable

    Raises
    ------
    InputError
        A table cannot be read, or does not fit the schema that the model was trained with.
    """
    label: str = bundle.metadata["label"]
    feature_set = FeatureSet.from_dict(bundle.features)
    schema = _without(Schema.from_dict(bundle.schema), label)
    checked = check_table(
        _read(data, bundle), schema, quarantine=quarantine, max_bad_share=max_bad_share
    )
    frame = checked.frame.assign(**{NEW: True})
    if history is not None:
        assert checked.time_minimum is not None  # the schema has a time, and there are good rows
        since = checked.time_minimum - feature_set.history
        past = _read(history, bundle)
        past = past[past[schema.time] >= since].assign(**{NEW: False})
        frame = dd.concat([_without_rows_of(frame, past, schema.unique), frame])
    featured = feature_set.transform(frame)
    featured = featured[featured[NEW]]
    names = feature_set.get_feature_names_out()
    scores = score_rows(bundle.model, featured, names, bundle.metadata["keys"])
    return ScoredTable(scores.assign(flagged=scores["score"] >= bundle.threshold), checked)


def _read(path: str, bundle: Bundle) -> Any:
    """Read a table under the names of the training; a missing label is unknown in every row."""
    names: dict[str, str] = bundle.metadata["columns"]
    label: str = bundle.metadata["label"]
    there = read_table(path).columns
    if names[label] in there:
        table = read_table(path, columns=list(names.values()))
        table = table.rename(columns={source: name for name, source in names.items()})
        return table.assign(**{label: table[label].astype("float64")})
    sources = {name: source for name, source in names.items() if name != label}
    for source in sources.values():
        if source not in there:
            raise MissingColumnError.of(path, source, there)
    table = read_table(path, columns=list(sources.values()))
    table = table.rename(columns={source: name for name, source in sources.items()})
    return table.assign(**{label: np.nan})


def _without(schema: Schema, label: str) -> Schema:
    """Return the schema without the label: a row is scored whether it is known or not."""
    return replace(
        schema, columns=tuple(column for column in schema.columns if column.name != label)
    )


def _without_rows_of(new: Any, past: Any, unique: Sequence[str]) -> Any:
    """Return `past` without the rows that are in `new` too."""
    if not unique:
        return past
    keys = new[list(unique)].assign(__seen=True)
    marked = past.merge(keys, on=list(unique), how="left")
    return marked[marked["__seen"].isna()].drop(columns="__seen")
