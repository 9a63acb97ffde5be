"""Where to start from: what a sample of the rows says is most of the way, for few passes."""

from typing import Any, Protocol, Self

import dask
import numpy as np
from numpy.typing import NDArray

from dmlkit.errors import TrainingError
from dmlkit.graph import for_all, for_each
from dmlkit.linear_model.blocks import Block, Blocks
from dmlkit.linear_model.newton import Problem, Start, minimised

__all__ = ["Sampled", "starts_of"]

Vector = NDArray[np.float64]

#: Rows of a sample, and rows for each number that is looked for: the more counts.
ROWS, ROWS_FOR_EACH = 100_000, 50

#: A sample must be so much smaller than the table to be worth it.
SMALLER = 5

#: A sample's own error is larger than what is left to gain then.
TOLERANCE, MOST_PASSES = 1e-3, 30


class Sampled(Problem, Protocol):
    """A problem that can be posed for some of its rows."""

    @property
    def blocks(self) -> Blocks:
        """All rows."""
        ...

    def of_share(self, blocks: Blocks, share: float) -> Self:
        """Return the same for a share of the rows."""
        ...


def starts_of(problem: Sampled, rows: int, usual: Vector) -> list[Start]:
    """Return where to start, the best first: the least of a sample if the table is large.

    Every so-manyth row of each partition is brought to one worker. Where the least of all rows is
    does not depend on it.

    Parameters
    ----------
    problem : Sampled
    rows : int
        Of the table.
    usual : array
        Where to start from if there is no sample, or its least is no place to start from.
    """
    every = rows // max(ROWS, ROWS_FOR_EACH * len(usual))
    if every < SMALLER:
        return [Start(usual)]
    parts, features = problem.blocks.parts, problem.blocks.features
    alone = problem.of_share(Blocks([], features), 1 / every)
    if isinstance(parts[0], Block):
        found = _least([_sample(part, every) for part in parts], alone, usual, every)
    else:
        samples = for_each(_sample, parts, every)
        found = dask.compute(for_all(_least, samples, alone, usual, every))[0]
    return [Start(usual)] if found is None else [found, Start(usual)]


def _sample(block: Block, every: int) -> Block:
    return Block(*(np.ascontiguousarray(each[::every]) for each in vars(block).values()))


def _least(samples: list[Block], problem: Any, usual: Vector, every: int) -> Start | None:
    there = [sample for sample in samples if len(sample.label)]
    posed = problem.of_share(Blocks(there, problem.blocks.features), 1.0)
    try:
        point = minimised(posed, [Start(usual)], TOLERANCE, MOST_PASSES, "A sample").point
    except TrainingError:
        return None
    # What is worse than the usual start would be on all rows is no place to start from.
    return Start(point, posed.at(usual, curved=False, expected=False).loss * every)
