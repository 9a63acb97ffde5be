"""Feature steps composed: planned together, learned in one pass, kept as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from dmlkit.errors import ConfigurationError
from dmlkit.features.by_entity import (
    ShufflePlan,
    add_beside,
    add_by_entity,
    explain_move,
    grouped_by_entity,
    plan_shuffle,
    told_history,
)
from dmlkit.features.entity_step import EntityStep
from dmlkit.features.kinds import ENTITY_STEPS, step_of
from dmlkit.features.learned_levels import learn_levels
from dmlkit.features.rowwise import Columns
from dmlkit.features.step import Step, check_columns, check_new
from dmlkit.features.strategy import order_of
from dmlkit.html_tables import html_table
from dmlkit.local_frames import as_given, lazily
from dmlkit.tables.extents import keeps_rows

__all__ = ["FeatureSet"]

#: Of the document that `to_dict` writes.
VERSION = 1

#: Steps after which a frame is put together in memory again.
MOST_ADDED = 32


@dataclass(frozen=True)
class _Outline:
    """What is looked at of a frame to plan its shuffle."""

    _meta: pd.DataFrame
    npartitions: int


@dataclass
class FeatureSet:
    """Feature steps that are planned, learned and applied together.

    Windows on the same entity share one shuffle, and the entity with the fewest new columns goes
    first, so that little is moved twice. Steps that look at one row at a time come last, in the
    order given, so that a ratio may use windows.

    Parameters
    ----------
    steps : sequence of steps
        `TimeWindows`, `PanelLags`, `AsOf`, `Calendar`, `Holidays`, `Columns`, `Ratio`, `ZScore`.

    Attributes
    ----------
    learned_ : dict
        The levels of each categorical column, once fitted.

    Raises
    ------
    ConfigurationError
        Two steps make the same feature.

    Examples
    --------
    >>> from dmlkit.features import Columns, FeatureSet, Ratio, TimeWindows
    >>> features = FeatureSet([
    ...     Columns(["amount"]),
    ...     TimeWindows("card", "time", ["30d"], {"amount": ["mean"]}),
    ...     Ratio("amount", "card_amount_mean_30d", name="amount_over_usual"),
    ... ])
    >>> features.get_feature_names_out()
    ['amount', 'card_amount_mean_30d', 'amount_over_usual']
    >>> print(features.explain())
    1. by 'card', 1 new column: by 'card' over 30d: mean of amount
    2. row by row: as they are: amount; amount over card_amount_mean_30d
    Learned at fit: nothing. Looks back 30 days.
    """

    steps: Sequence[Any]
    learned_: dict[str, list[Any]] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        names = self.get_feature_names_out()
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigurationError(f"Two feature steps make {', '.join(map(repr, twice))}.")

    def get_feature_names_out(self) -> list[str]:
        """Return the names of all features, in the order of the steps."""
        return [name for step in self.steps for name in step.get_feature_names_out()]

    @property
    def required_columns(self) -> list[str]:
        """The columns of the table that are read."""
        made = set(self.get_feature_names_out()) - set(self._plain_columns())
        needed = dict.fromkeys(name for step in self.steps for name in step.required_columns)
        return [name for name in needed if name not in made]

    @property
    def history(self) -> pd.Timedelta:
        """How far back the features of a row look."""
        return max((step.history for step in self._by_entity()), default=pd.Timedelta(0))

    def fit(self, frame: Any) -> "FeatureSet":
        """Learn the levels of categorical columns, all in one pass; check all columns.

        Parameters
        ----------
        frame : dask or pandas DataFrame

        Returns
        -------
        FeatureSet
            Itself.

        Raises
        ------
        InputError
            A column is missing, of the wrong type, or has more than 10,000 levels.
        """
        table = lazily(frame)
        self._check(table._meta)
        self.learned_ = learn_levels(table, self._categorical())
        return self

    def transform(
        self, frame: Any, *, partitions: int | None = None, order: str | None = None
    ) -> Any:
        """Return the rows with their features, lazily for a Dask frame.

        Parameters
        ----------
        frame : dask or pandas DataFrame
        partitions : int, optional
            Number of partitions of the result where there are windows. Without it: as many as
            keep them, with the new columns, about as large as those of `frame`.
        order : {"entity", "input"}, optional
            How the rows of the result follow each other, see `TimeWindows.transform`.

        Returns
        -------
        DataFrame like `frame`
            The columns of `frame` and the features. With windows, rows of the entity that was
            shuffled by last are together and by time; the order of rows is the same whatever the
            partitions of `frame` and of the result. With ``order="input"``, rows keep their order,
            their partitions and their index.
        """
        return self._added(frame, partitions, None, order)

    def update(
        self,
        new_rows: Any,
        history: Any,
        *,
        partitions: int | None = None,
        order: str | None = None,
    ) -> Any:
        """Return new rows with their features, equal to those of all rows together, lazily.

        Parameters
        ----------
        new_rows : dask or pandas DataFrame
        history : dask or pandas DataFrame
            Other rows of the same table, with the columns that are read (see
            `TimeWindows.update`).
        partitions, order
            As in `transform`.

        Returns
        -------
        DataFrame like `new_rows`
            The new rows only.
        """
        return self._added(new_rows, partitions, history, order)

    def _added(self, frame: Any, partitions: int | None, history: Any, order: str | None) -> Any:
        order = order_of(order, frame, partitions)
        table, seen = lazily(frame), lazily(history)
        self._check(table._meta)
        groups = grouped_by_entity(self._by_entity())
        if order == "input" and groups:
            table = add_beside(table, groups, seen)
        else:
            for steps in groups:
                table = add_by_entity(table, steps, partitions, seen)
        rowwise, learned = self._rowwise(), self.learned_ or {}
        meta = _apply(table._meta, rowwise, learned)
        return as_given(table.map_partitions(_apply, rowwise, learned, meta=meta), frame)

    def fit_transform(self, frame: Any) -> Any:
        """Fit, then transform."""
        return self.fit(frame).transform(frame)

    def explain(self, frame: Any = None, *, order: str = "entity") -> str:
        """Tell what `transform` does, in order; with a frame, also what is moved and why.

        Parameters
        ----------
        frame : dask or pandas DataFrame, optional
            One that would be transformed.
        order : {"entity", "input"}
            As for `transform`.
        """
        lines, frame = [], lazily(frame)
        for steps in grouped_by_entity(self._by_entity()):
            count = sum(len(step.get_feature_names_out()) for step in steps)
            what = "; ".join(step.explain() for step in steps)
            columns = "column" if count == 1 else "columns"
            by = ", ".join(map(repr, steps[0].entity))
            lines.append(f"by {by}, {count} new {columns}: {what}")
            if frame is not None:
                lines[-1] += f"\n   {explain_move(frame, steps, order)}"
                frame = frame if order == "input" else add_by_entity(frame, steps)
        if rowwise := self._rowwise():
            lines.append("row by row: " + "; ".join(step.explain() for step in rowwise))
        categorical = self._categorical()
        learned = f"the levels of {', '.join(categorical)}" if categorical else "nothing"
        numbered = [f"{number}. {line}" for number, line in enumerate(lines, start=1)]
        back = told_history(self.history)
        return "\n".join([*numbered, f"Learned at fit: {learned}. Looks back {back}."])

    def _repr_html_(self) -> str:
        lines = [
            (type(step).__name__, step.explain(), str(len(step.get_feature_names_out())))
            for step in self.steps
        ]
        features, columns = len(self.get_feature_names_out()), len(self.required_columns)
        learned = "fitted" if self.learned_ is not None else "not fitted"
        caption = f"{features} features of {columns} columns, {learned}"
        return html_table(lines, caption=caption, headers=("step", "what it adds", "features"))

    def plan(self, meta: pd.DataFrame, partitions: int) -> tuple[list[ShufflePlan], pd.DataFrame]:
        """Tell what `transform` would move, without a table.

        Parameters
        ----------
        meta : pd.DataFrame
            What the table looks like, without rows.
        partitions : int
            Of the table.

        Returns
        -------
        shuffles : list of ShufflePlan
            In order; none where all features are made row by row.
        meta : pd.DataFrame
            The result without rows.

        Examples
        --------
        >>> from dmlkit.features import FeatureSet, TimeWindows
        >>> windows = TimeWindows("card", "time", ["30d"], {"amount": ["mean"]})
        >>> table = pd.DataFrame({"card": [1], "time": [pd.Timestamp(0)], "amount": [1.0]})
        >>> (shuffle,), meta = FeatureSet([windows]).plan(table.iloc[:0], partitions=1)
        >>> shuffle.before, shuffle.after, shuffle.partitions
        (24, 32, 2)
        """
        self._check(meta)
        shuffles, reached = [], _Outline(meta, partitions)
        for steps in grouped_by_entity(self._by_entity()):
            shuffles.append(plan_shuffle(reached, steps))
            reached = _Outline(shuffles[-1].meta, shuffles[-1].partitions)
        unknown: dict[str, list[Any]] = {name: [] for name in self._categorical()}
        learned = self.learned_ or unknown
        return shuffles, _apply(reached._meta, self._rowwise(), learned)

    def to_dict(self) -> dict[str, Any]:
        """Return declaration and what was learned as JSON-able values."""
        document: dict[str, Any] = {
            "version": VERSION,
            "steps": [step.to_dict() for step in self.steps],
        }
        return document if self.learned_ is None else document | {"learned": self.learned_}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "FeatureSet":
        """Make it from what `to_dict` returned, or from ``{"steps": [...]}`` of a TOML file.

        Raises
        ------
        ConfigurationError
            A step's kind or key is unknown, or the document is of a newer version.
        """
        if document.get("version", VERSION) > VERSION:
            raise ConfigurationError(
                f"The feature set is of version {document['version']}; this dmlkit reads up to "
                f"{VERSION}. Update dmlkit."
            )
        return cls([step_of(step) for step in document["steps"]], document.get("learned"))

    def _by_entity(self) -> list[EntityStep]:
        return [step for step in self.steps if isinstance(step, ENTITY_STEPS)]

    def _rowwise(self) -> list[Step]:
        return [step for step in self.steps if not isinstance(step, ENTITY_STEPS)]

    def _categorical(self) -> list[str]:
        return [name for step in self.steps for name in getattr(step, "categorical", ())]

    def _plain_columns(self) -> list[str]:
        return [name for step in self.steps if isinstance(step, Columns) for name in step.names]

    def _check(self, meta: pd.DataFrame) -> None:
        check_columns(meta, self.required_columns)
        for step in self._by_entity():
            step.check(meta)
        made = set(self.get_feature_names_out()) - set(self._plain_columns())
        check_new(meta, sorted(made))


@keeps_rows
def _apply(
    frame: pd.DataFrame, steps: Sequence[Step], learned: Mapping[str, list[Any]]
) -> pd.DataFrame:
    for number, step in enumerate(steps, start=1):
        step.check(frame)
        frame = step.apply(frame, learned)
        if number % MOST_ADDED == 0:  # columns that are added one by one lie apart in memory
            frame = frame.copy()
    return frame
