"""Features of series that lie one after the other: blocks of them beside each other in threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dmlkit.features.panel_kernels import panel_features
from dmlkit.features.panel_operations import Program

__all__ = ["lagged_features"]

#: Blocks of series for each thread, so that none waits long for the others.
BLOCKS_PER_THREAD = 4


def lagged_features(
    program: Program,
    values: np.ndarray,
    starts: np.ndarray,
    dtype: str,
    threads: int = 1,
    shift: int = 0,
) -> np.ndarray:
    """Return the features of series that lie one after the other: an (f, n) array.

    Parameters
    ----------
    program : Program
    values : (n,) float array
    starts : (series + 1,) int64 array
    dtype : str
        Of the features.
    threads : int
    shift : int
        Rows that all lags are longer.
    """
    targets = program.targets + np.array([0, 0, shift, 0, 0])
    found = np.empty((len(program.targets), len(values)), dtype)
    parts = BLOCKS_PER_THREAD * threads if threads > 1 else 1
    cuts = np.searchsorted(starts, np.linspace(0, len(values), parts + 1))
    cuts[0], cuts[-1] = 0, len(starts) - 1

    def run(part: int) -> None:
        begin, end = cuts[part], cuts[part + 1]
        if begin >= end:
            return
        first, stop = starts[begin], starts[end]
        panel_features(
            values[first:stop].astype(np.float64),
            starts[begin : end + 1] - first,
            program.operations,
            program.parameters,
            targets,
            found,
            first,
        )

    if threads == 1:
        run(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, range(parts)))
    return found
