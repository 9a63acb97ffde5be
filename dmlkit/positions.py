"""Random draws by the positions of rows in a table: the same on any partitions and any machine."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dmlkit.features.hashing import hash_integers

__all__ = ["chances", "permuted", "starts_of"]

#: Rounds after which a permutation shows no trace of the order before (Luby, Rackoff need four).
ROUNDS = 6


def starts_of(lengths: Sequence[int]) -> list[int]:
    """Return the position of the first row of each partition.

    Examples
    --------
    >>> starts_of([3, 0, 2])
    [0, 3, 3]
    """
    return [0, *np.cumsum(lengths).tolist()[:-1]]


def chances(start: int, rows: int, seed: int, draw: int) -> NDArray[np.float64]:
    """Return a number from 0 to 1 for each of `rows` positions from `start` on.

    Examples
    --------
    >>> both = chances(0, 4, seed=7, draw=0)
    >>> (both[2:] == chances(2, 2, seed=7, draw=0)).all(), (both == chances(0, 4, 7, 1)).any()
    (np.True_, np.False_)
    """
    positions = hash_integers(np.arange(start + 1, start + rows + 1, dtype=np.int64))
    return (hash_integers(positions ^ _salt(seed, draw)) >> np.uint64(11)) / 2.0**53


def permuted(start: int, rows: int, total: int, seed: int, draw: int) -> NDArray[np.int64]:
    """Return where each of `rows` positions from `start` on goes in a permutation of all `total`.

    Each position is told by itself: a Feistel network over the next power of four, gone through
    again where it leads beyond the table.

    References
    ----------
    Black, Rogaway: *Ciphers with Arbitrary Finite Domains*. CT-RSA 2002.

    Examples
    --------
    >>> sorted(permuted(0, 3, 5, seed=0, draw=0).tolist() + permuted(3, 2, 5, 0, 0).tolist())
    [0, 1, 2, 3, 4]
    """
    half = np.uint64(max(1, -(-(total - 1).bit_length() // 2)))
    found = np.arange(start, start + rows, dtype=np.uint64)
    beyond = np.ones(rows, dtype=bool)
    while beyond.any():
        found[beyond] = _mixed(found[beyond], half, _salt(seed, draw))
        beyond = found >= total
    return found.astype(np.int64)


def _mixed(positions: NDArray[np.uint64], half: np.uint64, salt: np.uint64) -> NDArray[np.uint64]:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = positions >> half, positions & mask
    for number in range(ROUNDS):
        key = salt + np.uint64(number << 40)
        left, right = right, left ^ (hash_integers(hash_integers(right ^ key) ^ salt) & mask)
    return (left << half) | right


def _salt(seed: int, draw: int) -> np.uint64:
    both = hash_integers(np.array([seed + 1], np.int64)) ^ np.uint64(draw + 1)
    salt: np.uint64 = hash_integers(both)[0]
    return salt
