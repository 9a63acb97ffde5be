"""`SimpleImputer`: missing values filled in, with a column that says where if that is wanted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError
from dmlkit.preprocessing.columns import changed, framed
from dmlkit.preprocessing.learning import Learning, ask, side_by_side
from dmlkit.preprocessing.levels import Levels, LevelsOf
from dmlkit.preprocessing.quantiles import ask_quantiles
from dmlkit.preprocessing.statistics import MissingOf, MomentsOf
from dmlkit.preprocessing.transformer import Transformer, check_choice

__all__ = ["SimpleImputer"]


@dataclass(eq=False)
class SimpleImputer(Transformer):
    """Fill in missing values, each column by itself.

    Parameters
    ----------
    strategy : {"mean", "median", "most_frequent", "constant"}
        The first two take numbers. Of several most frequent values it is the smallest.
    fill_value : number or str, optional
        For ``"constant"``.
    add_indicator : bool
        Add ``{column}_missing``, 0 or 1, for each column in which values were missing at `fit`.

    Attributes
    ----------
    statistics_ : list
        What each column is filled with.
    indicated_ : list of str
        The columns with an indicator.

    Notes
    -----
    Equal to scikit-learn's: mean within 1e-12, the others to the last bit. The median is exact,
    which takes two passes. A column without any value is filled with 0.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"x": [1.0, None, 4.0, 5.0]})
    >>> SimpleImputer(strategy="median", add_indicator=True).fit_transform(table)
         x  x_missing
    0  1.0          0
    1  4.0          1
    2  4.0          0
    3  5.0          0
    """

    kind: ClassVar[str] = "simple_imputer"
    learned: ClassVar[tuple[str, ...]] = ("statistics_", "indicated_")

    strategy: str = "mean"
    fill_value: Any = None
    add_indicator: bool = False

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for what each column is filled with."""
        check_choice("strategy", self.strategy, ("mean", "median", "most_frequent", "constant"))
        if self.strategy == "constant":
            yield from self._learn_constant(columns)
        elif self.strategy == "most_frequent":
            found = yield from ask(*map(LevelsOf, columns))
            self.statistics_ = [_most_frequent(levels) for levels in found]
            self._indicate(columns, [levels.missing for levels in found])
        else:
            yield from self._learn_number(columns)

    def _learn_number(self, columns: Sequence[str]) -> Learning:
        learnings = [self._learn_means(columns)]
        if self.strategy == "median":
            learnings.append(self._learn_medians(columns))
        yield from side_by_side(learnings)

    def _learn_means(self, columns: Sequence[str]) -> Learning:
        moments = yield from ask(*map(MomentsOf, columns))
        self._indicate(columns, [each.missing for each in moments])
        self.statistics_ = [each.mean for each in moments]

    def _learn_medians(self, columns: Sequence[str]) -> Learning:
        quantiles = yield from ask_quantiles(columns, [0.5])
        self.statistics_ = np.nan_to_num(quantiles[:, 0]).tolist()

    def _learn_constant(self, columns: Sequence[str]) -> Learning:
        if self.fill_value is None:
            raise ConfigurationError("strategy='constant' needs a fill_value.")
        self.statistics_ = [self.fill_value] * len(columns)
        found = (yield from ask(*map(MissingOf, columns))) if self.add_indicator else []
        self._indicate(columns, found)

    def _indicate(self, columns: Sequence[str], missing: Sequence[int]) -> None:
        indicated = [name for name, count in zip(columns, missing, strict=False) if count]
        self.indicated_ = indicated if self.add_indicator else []

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Fill in a part."""
        names = self._columns()
        if self.strategy in ("mean", "median"):
            filled = framed(changed(part[names], self._with_number), part, names)
            if not len(self.indicated_):
                return filled
            columns: dict[str, Any] = {name: filled[name] for name in names}
        else:
            each = zip(names, self.statistics_, strict=True)
            columns = {name: self._filled(part[name], value) for name, value in each}
        for name in self.indicated_:
            columns[f"{name}_missing"] = part[name].isna().astype(np.uint8)
        return pd.DataFrame(columns, index=part.index, columns=self.output_names())

    def output_names(self) -> list[str]:
        """Return the names of the columns, and of the indicators."""
        return [*self._columns(), *(f"{name}_missing" for name in self.indicated_)]

    def _with_number(self, values: NDArray[np.float64], place: int) -> NDArray[np.float64]:
        values[np.isnan(values)] = self.statistics_[place]
        return values

    def _filled(self, column: pd.Series, value: Any) -> Any:
        if isinstance(column.dtype, pd.CategoricalDtype) and value not in column.cat.categories:
            column = column.cat.add_categories([value])
        return column.fillna(value)


def _most_frequent(levels: Levels) -> Any:
    return levels.distinct[int(np.argmax(levels.rows))] if levels.distinct else 0
