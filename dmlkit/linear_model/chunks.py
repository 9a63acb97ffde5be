"""Rows of a block a few at a time, as float64 about a centre: what losses and products look at."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dmlkit.linear_model.blocks import Block
from dmlkit.linear_model.kernels import take_about

__all__ = ["Chunk", "chunks_of"]

Vector = NDArray[np.float64]

#: Rows that are looked at together: with their products they stay in a core's cache.
CHUNK = 2_048


class Chunk(NamedTuple):
    """Some rows. The last column is the intercept's; the array is used again for the next ones."""

    design: Vector
    label: Vector
    weight: Vector


def chunks_of(block: Block, centre: Vector, fit_intercept: bool) -> Iterator[Chunk]:
    """Yield the rows of a block about a centre."""
    rows = len(block.label)
    design = np.full((min(CHUNK, rows), len(centre) + 1), float(fit_intercept))
    for start in range(0, rows, CHUNK):
        chunk = slice(start, start + CHUNK)
        label = block.label[chunk]
        design = design[: len(label)]
        take_about(block.design[chunk], centre, design[:, :-1])
        yield Chunk(design, label, block.weight[chunk])
