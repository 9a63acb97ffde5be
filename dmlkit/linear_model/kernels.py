"""Row loops of linear models, and of others that look at rows about a centre. Arrays only."""

from typing import Any

from numpy.typing import NDArray

from dmlkit.features.compiled import compiled

__all__ = ["take_about"]


@compiled
def take_about(values: NDArray[Any], centre: NDArray[Any], out: NDArray[Any]) -> None:
    """Write rows about a centre; of float32 rows numpy would make float64 ones in pieces first."""
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            out[row, column] = values[row, column] - centre[column]
