"""Intervals of rates."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["wilson_interval"]

#: The 97.5% point of the normal distribution.
Z95 = 1.959963984540054


def wilson_interval(
    positives: NDArray[np.float64], rows: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the limits of the 95% interval of a rate.

    References
    ----------
    Wilson: *Probable Inference, the Law of Succession, and Statistical Inference*. JASA 1927.

    Examples
    --------
    >>> low, high = wilson_interval(np.array([0.0, 5.0]), np.array([10.0, 10.0]))
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.237], [0.278, 0.763])
    """
    rate = positives / rows
    middle = (rate + Z95**2 / (2 * rows)) / (1 + Z95**2 / rows)
    spread = np.sqrt(rate * (1 - rate) / rows + Z95**2 / (4 * rows**2)) * Z95 / (1 + Z95**2 / rows)
    # At the ends the limits are exact, which rounding would make 1e-17 of.
    low = np.where(positives == 0, 0.0, np.maximum(middle - spread, 0.0))
    return low, np.where(positives == rows, 1.0, np.minimum(middle + spread, 1.0))
