"""`KBinsDiscretizer`: columns of numbers cut into bins of one width, or with as many rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError
from dmlkit.preprocessing.columns import framed
from dmlkit.preprocessing.learning import Learning, ask
from dmlkit.preprocessing.quantiles import ask_quantiles, averaged, between
from dmlkit.preprocessing.statistics import Moments, MomentsOf, numbers_of
from dmlkit.preprocessing.transformer import Transformer, check_choice

__all__ = ["KBinsDiscretizer"]

#: A bin that is not wider than this is none, as in scikit-learn.
LEAST_WIDTH = 1e-8

PLACES = {"averaged_inverted_cdf": averaged, "linear": between}


@dataclass(eq=False)
class KBinsDiscretizer(Transformer):
    """Cut each column into bins.

    Parameters
    ----------
    n_bins : int
        Fewer for a column in which one value fills several of them.
    encode : {"onehot-dense", "ordinal"}
        A column of 0 and 1 for each bin, or the number of the bin.
    strategy : {"quantile", "uniform"}
        Bins with as many rows, or of one width.
    quantile_method : {"averaged_inverted_cdf", "linear"}
        What a quantile is where it lies between two values, in numpy's words.

    Attributes
    ----------
    bin_edges_ : list of lists
        Of each column. What is beyond the first and last edge is in the first and last bin.
    n_bins_ : (features,) int64 array
        1 for a column that does not vary.

    Notes
    -----
    Equal to scikit-learn's to the last bit (without its subsample), on any partitions. Quantiles
    are exact, which takes two passes. A missing value stays missing, or has all zeros.

    Examples
    --------
    >>> table = pd.DataFrame({"x": [1.0, 2.0, 3.0, 40.0]})
    >>> bins = KBinsDiscretizer(n_bins=2, encode="ordinal").fit(table)
    >>> bins.transform(table)["x"].tolist(), bins.bin_edges_
    ([0.0, 0.0, 1.0, 1.0], [[1.0, 2.5, 40.0]])
    """

    kind: ClassVar[str] = "k_bins_discretizer"
    learned: ClassVar[tuple[str, ...]] = ("bin_edges_", "n_bins_")

    n_bins: int = 5
    encode: str = "onehot-dense"
    strategy: str = "quantile"
    quantile_method: str = "averaged_inverted_cdf"

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the range of each column, or for its quantiles."""
        check_choice("encode", self.encode, ("onehot-dense", "ordinal"))
        check_choice("strategy", self.strategy, ("quantile", "uniform"))
        check_choice("quantile_method", self.quantile_method, tuple(PLACES))
        if self.n_bins < 2:
            raise ConfigurationError(f"n_bins is {self.n_bins}; it must be 2 or more.")
        if self.strategy == "uniform":
            moments = yield from ask(*map(MomentsOf, columns))
            edges = [self._evenly(each) for each in moments]
        else:
            # Percent first, as scikit-learn: a quantile's place is then the same to the last bit.
            shares = (np.linspace(0, 100, self.n_bins + 1) / 100).tolist()
            place = PLACES[self.quantile_method]
            quantiles = yield from ask_quantiles(columns, shares, place=place)
            edges = [_apart(each) for each in quantiles]
        self.bin_edges_ = [each.tolist() for each in edges]
        self.n_bins_ = np.array([len(each) - 1 for each in edges], dtype=np.int64)

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Cut a part into bins."""
        columns: dict[str, Any] = {}
        for name, edges in zip(self._columns(), self.bin_edges_, strict=True):
            numbers = numbers_of(part[name])
            missing = np.isnan(numbers)
            bins = np.searchsorted(edges[1:-1], numbers, side="right")
            if self.encode == "ordinal":
                columns[name] = np.where(missing, np.nan, bins)
                continue
            for number in range(len(edges) - 1):
                columns[f"{name}_{number}.0"] = ((bins == number) & ~missing).astype(np.uint8)
        return framed(_side_by_side(columns, len(part)), part, self.output_names())

    def output_names(self) -> list[str]:
        """Return the names of the columns, or ``{column}_0.0``, ``{column}_1.0`` ... of bins."""
        if self.encode == "ordinal":
            return self._columns()
        named = zip(self._columns(), self.bin_edges_, strict=True)
        return [f"{name}_{number}.0" for name, edges in named for number in range(len(edges) - 1)]

    def _evenly(self, moments: Moments) -> NDArray[np.float64]:
        if not moments.rows or moments.minimum == moments.maximum:
            return np.nan_to_num(np.array([moments.minimum, moments.maximum]))
        return np.linspace(moments.minimum, moments.maximum, self.n_bins + 1)


def _apart(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out edges that are no farther than nothing from the one before."""
    if np.isnan(edges).any() or edges[0] == edges[-1]:
        return np.nan_to_num(edges[[0, -1]])
    return edges[np.ediff1d(edges, to_begin=np.inf) > LEAST_WIDTH]


def _side_by_side(columns: dict[str, Any], rows: int) -> NDArray[Any]:
    return np.column_stack(list(columns.values())) if columns else np.zeros((rows, 0))
