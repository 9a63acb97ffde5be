"""Scores for new rows from a model bundle: the same columns, checks, features and model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.boosting import Bundle
from dmlkit.errors import InputError
from dmlkit.features import FeatureSet, cycles_as_times
from dmlkit.local_frames import as_given, lazily
from dmlkit.metrics import Calibrator
from dmlkit.preprocessing import transformer_from_dict
from dmlkit.tables import CheckedTable, Schema, check_table, read_table

__all__ = [
    "CalibratedModel",
    "ScoredTable",
    "blank_markers",
    "read_renamed",
    "score_rows",
    "score_table",
]


@dataclass(frozen=True)
class ScoredTable:
    """Scores of a new table.

    Attributes
    ----------
    frame : dask.dataframe.DataFrame
        The keys and the time of each row with ``score`` and ``flagged`` (at the threshold), lazily.
    checked : CheckedTable
        What the check of the new rows found.
    notices : tuple of str
        What a person should know of the history.
    """

    frame: Any
    checked: CheckedTable
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class CalibratedModel:
    """A model whose scores are turned into probabilities.

    Parameters
    ----------
    model : XGBClassifier, XGBRegressor or LogisticRegression
        Of a regressor, the lower the prediction the more probable is class 1: the less life is
        left, the likelier a failure.
    calibrator : Calibrator
    """

    model: Any
    calibrator: Calibrator

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, lazily: a frame like `X` with the columns 0, 1."""
        if isinstance(X, pd.DataFrame):
            return self._probabilities(X)
        return X.map_partitions(self._probabilities, meta=self._probabilities(X._meta))

    def raw_score(self, X: pd.DataFrame) -> pd.Series:
        """Return what is calibrated: the model's probability, or its prediction turned round."""
        classifies = hasattr(self.model, "predict_proba")
        score = self.model.predict_proba(X)[1] if classifies else -self.model.predict(X)
        return pd.Series(score)

    def _probabilities(self, X: pd.DataFrame) -> pd.DataFrame:
        chance = np.asarray(self.calibrator.predict(self.raw_score(X)))
        return pd.DataFrame({0: 1 - chance, 1: chance}, index=X.index)


def score_rows(model: Any, frame: Any, feature_names: Sequence[str], keep: Sequence[str]) -> Any:
    """Return the columns `keep` of a frame with ``score``, the probability of class 1.

    It is a frame like the given one, lazy if that is of Dask. Of a calibrated regressor also with
    ``prediction``, the number that it predicts.

    Each partition is walked through once; nothing is aligned or moved.
    """
    predicts = isinstance(model, CalibratedModel) and not hasattr(model.model, "predict_proba")
    added = {"prediction": np.float32(0)} if predicts else {}
    table = lazily(frame)
    meta = table._meta[list(keep)].assign(**added, score=np.float32(0))
    scored = table.map_partitions(_scored, model, tuple(feature_names), tuple(keep), meta=meta)
    return as_given(scored, frame)


def _scored(
    rows: pd.DataFrame, model: Any, feature_names: Sequence[str], keep: Sequence[str]
) -> pd.DataFrame:
    features = rows[list(feature_names)]
    added = {}
    if isinstance(model, CalibratedModel) and not hasattr(model.model, "predict_proba"):
        added["prediction"] = model.model.predict(features).to_numpy()
    score = model.predict_proba(features)[1].to_numpy(np.float32)
    return rows[list(keep)].assign(**added, score=score)


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
    if bundle.features.get("kind") == "forecaster":
        from dmlkit.forecast_scoring import forecast_table

        return forecast_table(
            bundle, data, history=history, quarantine=quarantine, max_bad_share=max_bad_share
        )
    if "kind" in bundle.features:  # a transformer: no row needs another one
        return _score_row_by_row(bundle, data, quarantine, max_bad_share)
    feature_set = FeatureSet.from_dict(bundle.features)
    checked = _checked(_read(data, bundle), bundle, max_bad_share, quarantine)
    frame, notices, past = checked.frame, [], None
    if history is not None and checked.time_minimum is not None:
        since = checked.time_minimum - feature_set.history
        past = _past(history, since, bundle, max_bad_share)
        if past is None:
            notices.append(f"The history {history!r} has no rows from {since} on.")
        else:
            past = _without_rows_of(frame, past, bundle.schema.get("unique", ()))
    featured = feature_set.transform(frame) if past is None else feature_set.update(frame, past)
    names = feature_set.get_feature_names_out()
    scores = score_rows(_model_of(bundle), featured, names, bundle.metadata["keys"])
    scores = scores.assign(flagged=scores["score"] >= bundle.flagged_from())
    return ScoredTable(scores, checked, tuple(notices))


def blank_markers(table: Any, markers: Sequence[str]) -> Any:
    """Return a table without the texts that stand for missing values, such as ``"?"``, lazily."""
    if not markers:
        return table
    return table.map_partitions(_without_markers, list(markers), meta=table._meta)


def _without_markers(part: pd.DataFrame, markers: list[str]) -> pd.DataFrame:
    text = [name for name in part.columns if not pd.api.types.is_numeric_dtype(part[name].dtype)]
    return part.assign(**{name: part[name].mask(part[name].isin(markers)) for name in text})


def _model_of(bundle: Bundle) -> Any:
    calibration = bundle.metadata.get("calibration")
    if calibration is None:
        return bundle.model
    return CalibratedModel(bundle.model, Calibrator.from_dict(calibration))


def _score_row_by_row(
    bundle: Bundle, data: str, quarantine: str | None, max_bad_share: float
) -> ScoredTable:
    transformer = transformer_from_dict(bundle.features)
    names = {
        name: source
        for name, source in bundle.metadata["columns"].items()
        if name != bundle.metadata["label"]
    }
    table = blank_markers(read_renamed(data, names, as_text=True), bundle.metadata["missing"])
    schema = Schema.from_dict(bundle.schema)
    checked = check_table(table, schema, quarantine=quarantine, max_bad_share=max_bad_share)
    keys = list(bundle.metadata["keys"])
    scores = checked.frame.map_partitions(
        _scored_from_columns,
        transformer,
        _model_of(bundle),
        keys,
        meta=checked.frame._meta[keys].assign(score=np.float64(0)),
    )
    scores = scores.assign(flagged=scores["score"] >= bundle.flagged_from())
    return ScoredTable(scores, checked)


def _scored_from_columns(
    rows: pd.DataFrame, transformer: Any, model: Any, keep: Sequence[str]
) -> pd.DataFrame:
    score = model.predict_proba(transformer.transform(rows))[1].to_numpy(np.float64)
    return rows[list(keep)].assign(score=score)


def read_renamed(
    path: str, names: Mapping[str, str], *, filters: Any = None, as_text: bool = False
) -> Any:
    """Read the columns that `names` maps our names to, under our names, lazily."""
    table = read_table(path, columns=list(names.values()), filters=filters, as_text=as_text)
    return table.rename(columns={source: name for name, source in names.items()})


def _read(path: str, bundle: Bundle, filters: Any = None) -> Any:
    """Read a table under the names of the training; the label may be missing."""
    names: dict[str, str] = dict(bundle.metadata["columns"])
    label: str | None = bundle.metadata.get("label")
    if label is not None and names[label] not in read_table(path).columns:
        del names[label]
    cycle: str | None = bundle.metadata.get("cycle")
    if cycle is None:
        return read_renamed(path, names, filters=filters, as_text=True)
    return cycles_as_times(read_renamed(path, names), bundle.schema["time"], cycle)


def _checked(
    table: Any, bundle: Bundle, max_bad_share: float, quarantine: str | None = None
) -> CheckedTable:
    """Check a table whose labels may not be known yet; those are NaN afterwards."""
    label: str | None = bundle.metadata.get("label")
    schema = Schema.from_dict(bundle.schema)
    columns = [
        replace(column, nullable=True) if column.name == label else column
        for column in schema.columns
        if column.name in table.columns or column.name != label
    ]
    checked = check_table(
        table,
        replace(schema, columns=tuple(columns)),
        quarantine=quarantine,
        max_bad_share=max_bad_share,
    )
    frame = checked.frame
    if label is None:  # not a column of the table
        return checked
    known = frame[label].astype("float64") if label in frame.columns else np.nan
    return replace(checked, frame=frame.assign(**{label: known}))


def _past(path: str, since: pd.Timestamp, bundle: Bundle, max_bad_share: float) -> Any:
    """Return the good rows of the history from `since` on, or None where there are none.

    Of Parquet only those are read, of text all, since only the check gives times a type.
    """
    time = bundle.schema["time"]
    table = _read(path, bundle)
    counted = "cycle" in bundle.metadata  # the files have no times to filter by
    if isinstance(table[time].dtype, np.dtype) and since.tzinfo is None and not counted:
        table = _read(path, bundle, [(bundle.metadata["columns"][time], ">=", since)])
        if len(table[[time]]) == 0:
            return None
    past = _checked(table, bundle, max_bad_share).frame
    if (getattr(past[time].dtype, "tz", None) is None) != (since.tzinfo is None):
        raise InputError(
            f"Only one of the new rows and the history {path!r} has times with a zone. Write "
            "both with a zone, or both without."
        )
    return past[past[time] >= since]


def _without_rows_of(new: Any, past: Any, unique: Sequence[str]) -> Any:
    """Return `past` without the rows that are in `new` too."""
    if not unique:
        return past
    keys = new[list(unique)].assign(__seen=True)
    marked = past.merge(keys, on=list(unique), how="left")
    return marked[marked["__seen"].isna()].drop(columns="__seen")
