"""Products of all columns with each other, from one pass: all that least squares need."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dmlkit.errors import InputError
from dmlkit.linear_model.blocks import Block, Blocks

__all__ = ["Products", "products_of"]

Vector = NDArray[np.float64]


class Products(NamedTuple):
    """Weight, means, and products about the means, of the features and (last) the label."""

    weight: float
    mean: Vector
    products: Vector


def products_of(blocks: Blocks, *, about_mean: bool) -> Products:
    """Add products up over all rows.

    Parameters
    ----------
    blocks : Blocks
    about_mean : bool
        Else they are about zero, and so are said to be the means.

    Raises
    ------
    InputError
        There is no row, or none with a weight.
    """
    found: Products = blocks.sum(_of, _together)
    if found.weight == 0:
        raise InputError(
            "There is no row to train on, or none with a weight. Look at the filters before it."
        )
    if about_mean:
        return found
    about_zero = found.products + found.weight * np.outer(found.mean, found.mean)
    return Products(found.weight, np.zeros_like(found.mean), about_zero)


def _of(block: Block) -> Products:
    both = np.column_stack([block.design, block.label])
    weight = float(block.weight.sum())
    if weight == 0:
        return Products(0.0, np.zeros(both.shape[1]), np.zeros((both.shape[1],) * 2))
    mean = block.weight @ both / weight
    centred = both - mean
    return Products(weight, mean, (centred.T * block.weight) @ centred)


def _together(parts: Sequence[Products]) -> Products:
    """Add products up about their common mean (Chan, Golub, LeVeque)."""
    weight = sum(part.weight for part in parts)
    if weight == 0:
        return parts[0]
    mean = sum((part.weight * part.mean for part in parts), np.zeros_like(parts[0].mean)) / weight
    products = np.zeros_like(parts[0].products)
    for part in parts:
        apart = part.mean - mean
        products += part.products + part.weight * np.outer(apart, apart)
    return Products(weight, mean, products)
