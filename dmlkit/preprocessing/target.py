"""`TargetEncoder`: levels as the mean label of their rows, never with a row's own label in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError
from dmlkit.preprocessing.encoding import places_of
from dmlkit.preprocessing.learning import Learning, ask
from dmlkit.preprocessing.levels import TargetSumsOf, fold_of
from dmlkit.preprocessing.statistics import GROUPS
from dmlkit.preprocessing.transformer import Transformer

__all__ = ["TargetEncoder", "check_smooth", "level_places", "levels_of", "smoothed_means"]


@dataclass(eq=False)
class TargetEncoder(Transformer):
    """Each level as the mean label of the rows that have it, drawn towards the mean of all rows.

    `fit_transform` encodes out of fold: a row of a group is encoded with the labels of groups in
    other folds only. So neither its own label nor another one of the same patient (machine,
    customer) is in what a model is trained on. `transform` takes the labels of all rows of `fit`.

    Parameters
    ----------
    smooth : float or "auto"
        So many rows with the mean of all are added to each level. With ``"auto"``, as many as
        the variances within and between levels say (empirical Bayes).
    folds : int
        Groups go into so many folds by a hash, the same on any machine.

    Attributes
    ----------
    categories_ : list of lists
        Levels by column; None for missing values, which are a level.
    encodings_ : list of lists of lists
        By column, and by fold that is left out (the last: none), the encoding of each level. The
        last of each list is that of a level which was not there.
    target_mean_ : (1,) float64 array

    Notes
    -----
    Labels are 0 and 1, or any numbers. `transform` is equal to that of
    `sklearn.preprocessing.TargetEncoder` within 1e-12. `fit_transform` differs from it in its
    folds, which are by group and not by the order of rows. Where labels become known with time, see
    `TimeTargetEncoder`.

    References
    ----------
    Micci-Barreca: *A Preprocessing Scheme for High-Cardinality Categorical Attributes in
    Classification and Prediction Problems*. SIGKDD Explorations 3:1, 2001.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"code": ["a", "a", "b"]})
    >>> encoder = TargetEncoder(smooth=1.0).fit(table, pd.Series([1, 1, 0]))
    >>> encoder.transform(pd.DataFrame({"code": ["a", "b", "z"]}))["code"].round(3).tolist()
    [0.889, 0.333, 0.667]
    """

    kind: ClassVar[str] = "target_encoder"
    learned: ClassVar[tuple[str, ...]] = ("categories_", "encodings_", "target_mean_")

    smooth: float | str = "auto"
    folds: int = 5

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the sums of labels by level and fold."""
        check_smooth(self.smooth)
        if self.folds < 2:
            raise ConfigurationError(f"folds is {self.folds}; it must be 2 or more.")
        found = yield from ask(*(TargetSumsOf(column, self.folds) for column in columns))
        learnt = [self._learnt(sums) for sums in found]
        self.categories_ = [levels for levels, _ in learnt]
        self.encodings_ = [encodings for _, encodings in learnt]
        self.target_mean_ = np.array([found[0]["sum"].sum() / found[0]["rows"].sum()])

    def _learnt(self, sums: pd.DataFrame) -> tuple[list[Any], list[list[float]]]:
        """Return the levels of a column, and their encodings without each fold and with all."""
        levels, level = levels_of(sums)
        cube = np.zeros((3, self.folds, len(levels)))
        for number, name in enumerate(("rows", "sum", "squares")):
            np.add.at(cube[number], (sums["fold"].to_numpy(), level), sums[name].to_numpy())
        total = cube.sum(axis=1)
        without = [total - cube[:, fold] for fold in range(self.folds)]
        return levels, [self._encodings(*each).tolist() for each in (*without, total)]

    def _encodings(self, *sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the encoding of each level, and last the mean of all rows."""
        every = np.array([each.sum() for each in sums])
        mean = every[1] / every[0] if every[0] else np.nan
        return np.append(smoothed_means(self.smooth, sums, every), mean)

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Encode a part with the labels of all rows that were learnt from."""
        return self._encode(part, np.full(len(part), self.folds))

    def apply_training(self, part: pd.DataFrame) -> pd.DataFrame:
        """Encode a part with the labels of other folds."""
        if GROUPS not in part.columns:
            raise ConfigurationError(
                "Encoding the rows that labels are learnt from needs groups: "
                "fit_transform(X, y, groups=...), with what must not be torn apart (a patient) "
                "or else any key of the rows. To encode other rows: fit(X, y).transform(...)."
            )
        return self._encode(part, fold_of(part[GROUPS], self.folds))

    def output_names(self) -> list[str]:
        """Return the names of the columns, which stay."""
        return self._columns()

    def _encode(self, part: pd.DataFrame, fold: NDArray[np.int64]) -> pd.DataFrame:
        columns = {}
        for name, levels, encodings in zip(
            self._columns(), self.categories_, self.encodings_, strict=True
        ):
            places = level_places(part[name], levels)
            # None, which JSON has for it, is NaN: of a fold that no row was in.
            columns[name] = np.asarray(encodings, dtype=np.float64)[fold, places]
        return pd.DataFrame(columns, index=part.index, columns=self._columns())


def check_smooth(smooth: Any) -> None:
    """Raise where means cannot be smoothed by so much."""
    is_number = isinstance(smooth, (int, float)) and not isinstance(smooth, bool)
    if not (smooth == "auto" or (is_number and smooth >= 0)):
        raise ConfigurationError(f"smooth is {smooth!r}; it must be 'auto' or 0 or more.")


def smoothed_means(
    smooth: float | str, level: Sequence[NDArray[np.float64]], every: Iterable[Any]
) -> NDArray[np.float64]:
    """Return mean labels of levels, drawn towards that of all rows.

    Parameters
    ----------
    smooth : float or "auto"
        As of `TargetEncoder`.
    level, every : rows, sums and squares of labels
        Of levels, and of all rows: numbers, or arrays like those of levels.
    """
    (rows, sums, squares), (count, total, total_squares) = level, every
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.true_divide(total, count)
        if smooth == "auto":
            within = np.maximum(squares - sums**2 / rows, 0)
            between = np.maximum(total_squares / count - mean**2, 0.0)
            weight = between * rows / (between * rows + within / rows)
            encoded = weight * sums / rows + (1 - weight) * mean
        else:
            encoded = (sums + float(smooth) * mean) / (rows + float(smooth))
    found: NDArray[np.float64] = np.where(np.isfinite(encoded), encoded, mean)
    return found


def level_places(column: pd.Series, levels: Sequence[Any]) -> NDArray[np.int64]:
    """Return each value's place among levels, of which a last None is for what is missing."""
    known = [level for level in levels if level is not None]
    places = places_of(column, known)
    if len(known) < len(levels):  # None is the last
        places = np.where(column.isna().to_numpy(), len(known), places)
    return places


def levels_of(sums: pd.DataFrame) -> tuple[list[Any], NDArray[np.int64]]:
    """Return the levels of a table of sums, None last, and the place of each row's level."""
    # Adding up may turn None into another sign of what is missing.
    of_rows = sums["level"].astype(object).where(sums["level"].notna(), None).tolist()
    levels = _in_order(list(dict.fromkeys(of_rows)))
    places = {level: place for place, level in enumerate(levels)}
    return levels, np.array([places[each] for each in of_rows], dtype=np.int64)


def _in_order(levels: list[Any]) -> list[Any]:
    """Sort levels, None last."""
    there = [level for level in levels if level is not None]
    try:
        there.sort()
    except TypeError:
        there.sort(key=str)
    return there + [None] * (len(there) < len(levels))
