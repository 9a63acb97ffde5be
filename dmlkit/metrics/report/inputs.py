"""What a report tells: plain values that a job gathers; no drawing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from dmlkit.metrics.report.drawing import Chart
from dmlkit.metrics.results import BinaryEvaluation, Costs

__all__ = ["BadRows", "Period", "ReportInputs", "StageTime"]


@dataclass(frozen=True)
class BadRows:
    """Rows put aside for one reason.

    Attributes
    ----------
    reason : str
    rows : int
    example : str
        One of them; may be empty.
    """

    reason: str
    rows: int
    example: str = ""


@dataclass(frozen=True)
class Period:
    """A part of the table in time, or a wait between two parts.

    Attributes
    ----------
    name : str
    start, end : datetime
        The end is the first instant after the period.
    rows, positives : int
        0 and 0 for a wait.
    """

    name: str
    start: datetime
    end: datetime
    rows: int = 0
    positives: int = 0


@dataclass(frozen=True)
class StageTime:
    """How long a stage of the job took, and what came out of it.

    Attributes
    ----------
    name : str
    rows, bytes : int or None
    seconds : float
    state : str
        ``"done"``, or ``"resumed"`` when it was taken over from an earlier run.
    """

    name: str
    rows: int | None
    bytes: int | None
    seconds: float
    state: str = "done"


@dataclass(frozen=True)
class ReportInputs:
    """All that a report tells; what is empty or None is left out of it.

    Attributes
    ----------
    title, subtitle : str
    evaluation : BinaryEvaluation
    facts : sequence of (str, str)
        What was run on what, as names and values.
    summary : sequence of str
        What it comes to in plain words, for those who will not read figures.
    periods : sequence of Period
    beside : mapping of str to mapping of str to float
        Metrics of other models on the same rows, by the model's name.
    charts : mapping of str to sequence of Chart
        Further charts, by the heading of their section, which comes first.
    groups : DataFrame or None
        From `evaluate_groups`.
    importance : DataFrame or None
        Columns ``feature``, ``gain`` (shares of 1) and ``shap`` (mean absolute SHAP value in
        log-odds).
    interactions, interaction_points : DataFrame or None
        Features that act together, and rows of the first pairs: `pairs` and `points` of
        `dmlkit.boosting.feature_interactions`.
    stages : sequence of StageTime
    bad_rows : sequence of BadRows or None
        None where rows were not checked; empty where all were good.
    warnings : sequence of str
    learning_curve : mapping of str to mapping of str to sequence of float
        By data set and metric, a value for each round: XGBoost's ``evals_result``.
    reference : mapping of str to float
        Published values of metrics, shown beside ours; those that we don't have too.
    costs : Costs or None
        Those that the gain of the evaluation was computed with.
    positives : str
        What positives are called, in the plural: ``"frauds"``.
    """

    title: str
    subtitle: str
    evaluation: BinaryEvaluation
    facts: Sequence[tuple[str, str]] = ()
    summary: Sequence[str] = ()
    periods: Sequence[Period] = ()
    beside: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    charts: Mapping[str, Sequence[Chart]] = field(default_factory=dict)
    groups: pd.DataFrame | None = None
    importance: pd.DataFrame | None = None
    interactions: pd.DataFrame | None = None
    interaction_points: pd.DataFrame | None = None
    stages: Sequence[StageTime] = ()
    bad_rows: Sequence[BadRows] | None = None
    warnings: Sequence[str] = ()
    learning_curve: Mapping[str, Mapping[str, Sequence[float]]] = field(default_factory=dict)
    reference: Mapping[str, float] = field(default_factory=dict)
    costs: Costs | None = None
    positives: str = "positives"
