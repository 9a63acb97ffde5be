"""Encoders of categories that need no labels: one-hot, ordinal and frequency."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.preprocessing.columns import framed
from dmlkit.preprocessing.learning import Learning, ask
from dmlkit.preprocessing.levels import Levels, LevelsOf
from dmlkit.preprocessing.transformer import Transformer, check_choice

__all__ = ["FrequencyEncoder", "OneHotEncoder", "OrdinalEncoder", "places_of"]

#: What the column of the rare levels is called, as in scikit-learn.
INFREQUENT = "infrequent_sklearn"

#: More columns than this come of no category.
MOST_COLUMNS = 10_000


def places_of(column: pd.Series, levels: Sequence[Any]) -> NDArray[np.int64]:
    """Return each value's place among levels: -1 for one that is not among them or missing.

    Examples
    --------
    >>> places_of(pd.Series(["b", None, "c"]), ["a", "b"]).tolist()
    [1, -1, -1]
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        places = np.r_[places_of(pd.Series(column.cat.categories), levels), -1]
        return places[column.cat.codes.to_numpy()]
    index = pd.Index(levels) if len(levels) else pd.Index([], dtype=object)
    places = index.get_indexer(pd.Index(column))
    if None not in levels:
        places = np.where(column.isna().to_numpy(), -1, places)
    return places.astype(np.int64)


def _common(levels: Levels, least: float) -> tuple[list[Any], list[Any]]:
    """Return the levels with so many rows (a share, if below 1), and the rare ones."""
    total = int(levels.rows.sum()) + levels.missing
    needed = least * total if 0 < least < 1 else least
    enough = levels.rows >= needed
    pairs = list(zip(levels.distinct, enough, strict=True))
    return [value for value, is_ in pairs if is_], [value for value, is_ in pairs if not is_]


def _refuse_unknown(column: pd.Series, known: NDArray[np.bool_]) -> None:
    unknown = column[~known & column.notna().to_numpy()]
    if len(unknown):
        raise InputError(
            f"{len(unknown):,} rows have a level of {column.name!r} that was not there at fit, "
            f"such as {unknown.iloc[0]!r}. Choose another handle_unknown, or look at the rows."
        )


@dataclass(eq=False)
class OneHotEncoder(Transformer):
    """One column of 0 and 1 for each level.

    Parameters
    ----------
    drop : {None, "first", "if_binary"}
        Leave out the first level, always or where there are two.
    handle_unknown : {"error", "ignore", "infrequent_if_exist"}
        What to do with a level that was not there at `fit`: all its columns are 0, or it counts
        as rare.
    min_frequency : float
        Levels with fewer rows (a share, if below 1) are put together as
        ``{column}_infrequent_sklearn``.

    Attributes
    ----------
    categories_ : list of lists
        The levels of each column that have a column of their own.
    infrequent_categories_ : list of lists

    Notes
    -----
    Equal to scikit-learn's ``OneHotEncoder(sparse_output=False, dtype="uint8")``, but a missing
    value has all zeros; `SimpleImputer(strategy="constant")` before makes it a level.

    Examples
    --------
    >>> import pandas as pd
    >>> OneHotEncoder().fit_transform(pd.DataFrame({"x": ["a", "b", "a"]}))
       x_a  x_b
    0    1    0
    1    0    1
    2    1    0
    """

    kind: ClassVar[str] = "one_hot_encoder"
    learned: ClassVar[tuple[str, ...]] = ("categories_", "infrequent_categories_")

    drop: str | None = None
    handle_unknown: str = "error"
    min_frequency: float = 0

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the levels of each column."""
        check_choice("drop", self.drop, (None, "first", "if_binary"))
        choices = ("error", "ignore", "infrequent_if_exist")
        check_choice("handle_unknown", self.handle_unknown, choices)
        found = yield from ask(*map(LevelsOf, columns))
        split = [_common(levels, self.min_frequency) for levels in found]
        self.categories_ = [common for common, _ in split]
        self.infrequent_categories_ = [rare for _, rare in split]
        count = sum(map(len, self.categories_))
        if count > MOST_COLUMNS:
            raise InputError(
                f"One-hot encoding would make {count:,} columns. Put rare levels together with "
                "min_frequency, or use TargetEncoder."
            )
        twice = [name for name, times in Counter(self.output_names()).items() if times > 1]
        if twice:
            raise InputError(
                f"Two levels would make the column {twice[0]!r}: of columns whose names and levels "
                "run together, or a number and a text that look alike. Rename a column, or make "
                "levels of one type."
            )

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Encode a part."""
        pieces = [
            self._encoded(part[name], common, rare)
            for name, common, rare in zip(
                self._columns(), self.categories_, self.infrequent_categories_, strict=True
            )
        ]
        values = np.hstack(pieces) if pieces else np.zeros((len(part), 0), np.uint8)
        return framed(values, part, self.output_names())

    def output_names(self) -> list[str]:
        """Return ``{column}_{level}``."""
        names = []
        for name, common, rare in zip(
            self._columns(), self.categories_, self.infrequent_categories_, strict=True
        ):
            own = [*map(str, common), *([INFREQUENT] if rare else [])]
            names += [f"{name}_{level}" for level in own[self._dropped(len(own)) :]]
        return names

    def _dropped(self, columns: int) -> int:
        return int(self.drop == "first" or (self.drop == "if_binary" and columns == 2))

    def _encoded(self, column: pd.Series, common: list[Any], rare: list[Any]) -> NDArray[np.uint8]:
        places = places_of(column, common)
        is_rare = places_of(column, rare) >= 0
        if self.handle_unknown == "error":
            _refuse_unknown(column, (places >= 0) | is_rare)
        if rare:
            unknown = column.notna().to_numpy() & (places < 0)
            is_rare |= unknown & (self.handle_unknown == "infrequent_if_exist")
            places = np.where(is_rare, len(common), places)
        count = len(common) + bool(rare)
        encoded = places[:, None] == np.arange(self._dropped(count), count)
        return encoded.astype(np.uint8)


@dataclass(eq=False)
class OrdinalEncoder(Transformer):
    """A number for each level, in the order of the levels.

    Parameters
    ----------
    handle_unknown : {"error", "use_encoded_value"}
        What to do with a level that was not there at `fit`.
    unknown_value : float
        What such a level is encoded as; missing without.
    min_frequency : float
        Levels with fewer rows (a share, if below 1) share the number after the last one.

    Attributes
    ----------
    categories_, infrequent_categories_ : list of lists

    Notes
    -----
    Equal to scikit-learn's; missing values stay missing.

    Examples
    --------
    >>> import pandas as pd
    >>> OrdinalEncoder().fit_transform(pd.DataFrame({"x": ["b", "a", None]}))["x"].tolist()
    [1.0, 0.0, nan]
    """

    kind: ClassVar[str] = "ordinal_encoder"
    learned: ClassVar[tuple[str, ...]] = ("categories_", "infrequent_categories_")

    handle_unknown: str = "error"
    unknown_value: float | None = None
    min_frequency: float = 0

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the levels of each column."""
        check_choice("handle_unknown", self.handle_unknown, ("error", "use_encoded_value"))
        found = yield from ask(*map(LevelsOf, columns))
        split = [_common(levels, self.min_frequency) for levels in found]
        self.categories_ = [common for common, _ in split]
        self.infrequent_categories_ = [rare for _, rare in split]

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Encode a part."""
        columns = {
            name: self._encoded(part[name], common, rare)
            for name, common, rare in zip(
                self._columns(), self.categories_, self.infrequent_categories_, strict=True
            )
        }
        return pd.DataFrame(columns, index=part.index, columns=self._columns())

    def output_names(self) -> list[str]:
        """Return the names of the columns, which stay."""
        return self._columns()

    def _encoded(
        self, column: pd.Series, common: list[Any], rare: list[Any]
    ) -> NDArray[np.float64]:
        places = places_of(column, common)
        is_rare = places_of(column, rare) >= 0
        if self.handle_unknown == "error":
            _refuse_unknown(column, (places >= 0) | is_rare)
        unknown = np.nan if self.unknown_value is None else self.unknown_value
        codes = np.where(is_rare, len(common), np.where(places >= 0, places, unknown))
        return np.where(column.isna().to_numpy(), np.nan, codes)


@dataclass(eq=False)
class FrequencyEncoder(Transformer):
    """The share of rows that have a row's level; 0 for a level that was not there at `fit`.

    A missing value counts as a level.

    Parameters
    ----------
    smoothing : float
        Rows that are added to each level.

    Attributes
    ----------
    categories_ : list of lists
    frequencies_ : list of lists
        Of each level; the last is that of missing values.

    Examples
    --------
    >>> import pandas as pd
    >>> encoder = FrequencyEncoder().fit(pd.DataFrame({"x": ["a", "b", "a", None]}))
    >>> encoder.transform(pd.DataFrame({"x": ["a", "z", None]}))["x"].tolist()
    [0.5, 0.0, 0.25]
    """

    kind: ClassVar[str] = "frequency_encoder"
    learned: ClassVar[tuple[str, ...]] = ("categories_", "frequencies_")

    smoothing: float = 0

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the levels of each column."""
        if self.smoothing < 0:
            raise ConfigurationError(f"smoothing is {self.smoothing}; it must be 0 or more.")
        found = yield from ask(*map(LevelsOf, columns))
        self.categories_ = [levels.distinct for levels in found]
        self.frequencies_ = [self._frequencies(levels) for levels in found]

    def _frequencies(self, levels: Levels) -> list[float]:
        rows = np.append(levels.rows, levels.missing) + self.smoothing
        shares: list[float] = (rows / max(rows.sum(), 1)).tolist()
        return shares

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Encode a part."""
        columns = {}
        for name, levels, shares in zip(
            self._columns(), self.categories_, self.frequencies_, strict=True
        ):
            # In the order of places: levels, missing, unknown (-1).
            values = np.array([*shares, 0.0])
            places = places_of(part[name], levels)
            places = np.where(part[name].isna().to_numpy(), len(levels), places)
            columns[name] = values[places]
        return pd.DataFrame(columns, index=part.index, columns=self._columns())

    def output_names(self) -> list[str]:
        """Return the names of the columns, which stay."""
        return self._columns()
