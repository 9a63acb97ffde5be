"""`IsolationForest`: rows that are unlike the others, by how soon random splits isolate them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.declared import parameters_of, seed_of, set_parameters, tags_of
from dmlkit.ensemble.isolation_trees import (
    Trees,
    average_path_length,
    grown,
    path_lengths,
    together,
)
from dmlkit.errors import ConfigurationError, InputError, NotFittedError
from dmlkit.html_estimators import html_of
from dmlkit.linear_model.blocks import map_rows
from dmlkit.preprocessing.learning import Learning, learn
from dmlkit.preprocessing.quantiles import ask_quantiles
from dmlkit.samples import Rows, drawn, rows_of

__all__ = ["IsolationForest"]

#: Rows of a sample where none are said: more do not help, as the paper has it.
SAMPLE = 256


@dataclass(eq=False)
class IsolationForest:
    """Random trees, each grown on a small sample; what is odd is soon alone in them.

    One pass counts rows and one draws all samples; trees are grown here, and rows scored where
    they are.

    Parameters
    ----------
    n_estimators : int
        Trees.
    max_samples : "auto", int or float
        Rows of each sample: 256, so many, or a share of all. All samples together come here.
    contamination : "auto" or float
        The share of rows that are to count as odd; "auto" takes the paper's limit.
    max_features : int or float
        Columns that each tree may split, as a number or as a share.
    bootstrap : bool
        Whether a row can be in a sample twice.
    random_state : int
        Rows are drawn by a hash of it and of their position.

    Attributes
    ----------
    trees_ : Trees
    max_samples_ : int
    offset_ : float
        The score below which a row counts as odd.
    feature_names_in_ : (features,) object array

    Notes
    -----
    Trees are scikit-learn's on the same sample, and so are the scores of rows in the same trees,
    within 1e-12. Samples, and so the forest, are the same on any partitions.

    References
    ----------
    Liu, Ting, Zhou: *Isolation Forest*. ICDM 2008.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 30.0]})
    >>> IsolationForest(contamination=0.15).fit_predict(table).tolist()
    [1, 1, 1, 1, 1, 1, -1]
    """

    n_estimators: int = 100
    max_samples: str | float = "auto"
    contamination: str | float = "auto"
    max_features: float = 1.0
    bootstrap: bool = False
    random_state: int = 0

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Grow the trees.

        Parameters
        ----------
        X : dask or pandas DataFrame
            Numbers without missing values.
        y : ignored

        Raises
        ------
        InputError
            A column is no number, a value is missing, or there is no row.
        """
        self._check()
        rows = rows_of(X, np.float32)  # as trees take them
        if rows.total == 0:
            raise InputError("There is no row to learn from. Look at the filters before it.")
        self.max_samples_ = _sample_size(self.max_samples, rows.total)
        self.trees_ = together(list(self._grown(rows)))
        self.feature_names_in_ = np.array(rows.features, dtype=object)
        self.offset_ = -0.5
        if not isinstance(self.contamination, str):
            self.offset_ = _quantile(self.score_samples(X), self.contamination)
        return self

    def score_samples(self, X: Any) -> Any:
        """Return how usual each row is, from -1 (odd) to 0, lazily: a Series like `X`."""
        return map_rows(self._scores, X, self._features(), "score")

    def decision_function(self, X: Any) -> Any:
        """Return the scores less `offset_`, lazily: below 0 is odd."""
        return map_rows(self._distances, X, self._features(), "score")

    def predict(self, X: Any) -> Any:
        """Return -1 for odd rows and 1 for others, lazily: a Series like `X`."""
        return map_rows(self._signs, X, self._features(), "prediction")

    def fit_predict(self, X: Any, y: Any = None) -> Any:
        """Grow the trees and return -1 for odd rows and 1 for others, lazily."""
        return self.fit(X, y).predict(X)

    _repr_html_ = html_of

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters."""
        return parameters_of(self, deep=deep)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def __sklearn_tags__(self) -> Any:
        return tags_of("outlier_detector")

    def _check(self) -> None:
        if not self.n_estimators >= 1:
            raise ConfigurationError(f"n_estimators is {self.n_estimators}; it must be 1 or more.")
        if self.contamination != "auto" and not (
            not isinstance(self.contamination, str) and 0 < self.contamination <= 0.5
        ):
            raise ConfigurationError(
                f"contamination is {self.contamination!r}; it must be 'auto', or above 0 and up to "
                "0.5."
            )

    def _grown(self, rows: Rows) -> Iterator[Trees]:
        size, columns = self.max_samples_, len(rows.features)
        seed = seed_of(self.random_state)
        count = _count("max_features", self.max_features, columns)
        positions = np.array(
            [
                drawn(rows.total, size, seed, number, again=self.bootstrap)
                for number in range(self.n_estimators)
            ]
        )
        for number, sample in enumerate(rows.at(positions)):
            random = np.random.default_rng([seed, number])
            features = np.sort(random.choice(columns, count, replace=False))
            yield grown(sample, features, int(random.integers(2**31)))

    def _features(self) -> list[str]:
        if not hasattr(self, "trees_"):
            raise NotFittedError("This IsolationForest is not fitted yet: call fit first.")
        return [str(name) for name in self.feature_names_in_]

    def _scores(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        usual = float(average_path_length(np.array([self.max_samples_]))[0])
        lengths = path_lengths(values.astype(np.float32), self.trees_) / len(self.trees_.roots)
        return -(2.0 ** -(lengths / usual if usual else np.ones_like(lengths)))

    def _distances(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._scores(values) - self.offset_

    def _signs(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.where(self._distances(values) < 0, -1, 1)


def _sample_size(max_samples: str | float, rows: int) -> int:
    if max_samples == "auto":
        return min(SAMPLE, rows)
    return _count("max_samples", max_samples, rows)


def _count(name: str, value: Any, total: int) -> int:
    """Return a number of things, of which a share or the number itself is given."""
    if isinstance(value, float) and 0 < value <= 1:
        return max(int(value * total), 1)
    if isinstance(value, (int, np.integer)) and value >= 1:
        return min(int(value), total)
    raise ConfigurationError(
        f"{name} is {value!r}; it must be a whole number from 1 on, or a share up to 1.0."
    )


def _quantile(scores: Any, share: float) -> float:
    found: list[float] = []

    def learning() -> Learning:
        quantiles = yield from ask_quantiles(["score"], [share])
        found.append(float(quantiles[0, 0]))

    frame = scores.to_frame()
    learn(learning(), frame if isinstance(frame, pd.DataFrame) else frame.persist())
    return found[0]
