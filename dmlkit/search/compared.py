"""The rows that a search compares trials on: tables of their own, or the folds of one table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from distributed import Client

from dmlkit.boosting import XGBClassifier, XGBRanker
from dmlkit.boosting.given_table import GivenTable
from dmlkit.boosting.objectives import LabelRule
from dmlkit.boosting.roles import LABEL
from dmlkit.boosting.training_data import TrainingData, gather
from dmlkit.errors import ConfigurationError, MissingColumnError
from dmlkit.model_selection.assigned import check_cv, check_cv_of_queries
from dmlkit.search.dealt import deal_out
from dmlkit.search.folded import MARKS, bin_folds, run_folds
from dmlkit.search.ranked import beside_ranked
from dmlkit.search.running import Held, Work

__all__ = ["Compared", "check_compared", "compared"]

#: For each row and output a trial holds a gradient, a margin and the row's place in the tree.
BYTES_OF_ROW = 40


@dataclass(frozen=True)
class Compared:
    """Rows in the workers' memory, and what workers do with them.

    Attributes
    ----------
    data : TrainingData
    tables : mapping of str to TrainingData
        Those that a plan evaluates.
    beside : mapping of str to Held
        What workers hold besides.
    work : Work
    folds : list
        What tells these folds from others; empty without folds.
    """

    data: TrainingData
    tables: Mapping[str, TrainingData]
    beside: Mapping[str, Held]
    work: Work = field(default_factory=Work)
    folds: Sequence[Any] = ()

    @property
    def all(self) -> dict[str, TrainingData]:
        """All tables."""
        return {"training": self.data, **self.tables}


def compared(
    cv: Any,
    estimator: Any,
    table: GivenTable,
    watched: Sequence[GivenTable],
    rule: LabelRule,
    client: Client,
    **beside: Any,
) -> Compared:
    """Bring rows into the workers' memory: with those of other tables, or dealt out to folds.

    Parameters
    ----------
    cv : int, splitter or None
    estimator : XGBClassifier, XGBRegressor or XGBRanker
    table : GivenTable
        The rows to train on, or of all folds.
    watched : sequence of GivenTable
        Those that trials are compared on, where there are no folds.
    rule : LabelRule
    client : distributed.Client
    **beside
        ``groups`` and ``time``, for splitters that ask for them.

    Raises
    ------
    ConfigurationError
        The splitter asks for what is not there, or does not look at what is.
    InputError
        A table cannot be trained on, or a fold has no rows.
    """
    patience = float(estimator.get_params()["worker_timeout"])
    data = gather(table, rule, client, worker_timeout=patience)
    if cv is None:
        tables = {
            f"validation_{number}": gather(
                _with_columns(other, data.features), rule, client, worker_timeout=patience
            )
            for number, other in enumerate(watched)
        }
        return Compared(data, tables, tables, Work(trial_bytes=_trial_bytes(data)))
    if isinstance(estimator, XGBRanker):
        cv, y, beside = check_cv_of_queries(cv), *beside_ranked(table, client, patience)
    else:
        cv = check_cv(cv, classifier=isinstance(estimator, XGBClassifier))
        y = table.beside[LABEL]
    dealt = deal_out(cv, y, client, patience, **beside)
    told = [repr(cv), dealt.rows]
    work = Work(bin_folds, run_folds, _trial_bytes(data))
    return Compared(data, {MARKS: data}, {MARKS: dealt}, work, told)


def check_compared(cv: Any, estimator: Any, watched: Any, **beside: Any) -> None:
    """Raise a ConfigurationError unless trials are compared on tables or on folds."""
    if cv is None:
        if not watched:
            raise ConfigurationError(
                "A search needs an eval_set to compare trials on, or folds (cv=5) to do without."
            )
        for name in (name for name, given in beside.items() if given is not None):
            raise ConfigurationError(f"{name} is for folds: set cv, or leave it out.")
    elif watched:
        raise ConfigurationError(
            "Trials are compared on an eval_set or by folds: leave out eval_set or cv."
        )
    elif isinstance(estimator, XGBRanker):
        for name in (name for name, given in beside.items() if given is not None):
            raise ConfigurationError(
                f"{name} was given, but a ranker's folds keep its queries whole: leave it out."
            )


def _trial_bytes(data: TrainingData) -> int:
    """Return what a trial takes of a worker's memory beside the bins, roughly."""
    outputs = len(data.summary.labels)
    return BYTES_OF_ROW * data.summary.rows * (outputs if outputs > 2 else 1)


def _with_columns(table: GivenTable, features: Sequence[str]) -> GivenTable:
    for name in features:
        if name not in table.features.columns:
            raise MissingColumnError.of(table.name, name, table.features.columns)
    return GivenTable(table.name, table.features[list(features)], table.beside)
