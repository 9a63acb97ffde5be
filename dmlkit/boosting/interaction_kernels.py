"""SHAP values of pairs of features, tree by tree (numba). Arrays only.

A leaf is a product: each feature of its path has a factor, 1 or 0 by whether the row meets all its
splits where the feature is known, and the share of rows that do where it is not. Of a product the
SHAP interaction of two features is the product of what each of them changes, times the integral of
the other factors from unknown to known: a polynomial, of which Gauss's points are exact. So a leaf
takes the pairs of its own path only, whatever the number of features.

References
----------
Lundberg, Erion, Lee: *Consistent Individualized Feature Attribution for Tree Ensembles*. 2018.
Yu et al.: *Linear TreeShap*. NeurIPS 2022 (leaves as products).
"""

import numpy as np
from numpy.typing import NDArray

from dmlkit.features.compiled import compiled

__all__ = ["depth_of", "gauss_points", "pair_sizes", "pair_values"]

Array = NDArray[np.float64]

#: A share of rows is not taken for less: factors are divided by.
LEAST = 1e-300


def gauss_points(most: int) -> tuple[Array, Array]:
    """Return points and weights between 0 and 1 for each number of points up to `most`."""
    points, weights = np.zeros((most + 1, most)), np.zeros((most + 1, most))
    for count in range(1, most + 1):
        place, weight = np.polynomial.legendre.leggauss(count)
        points[count, :count], weights[count, :count] = (place + 1) / 2, weight / 2
    return points, weights


@compiled
def depth_of(left, right):  # type: ignore[no-untyped-def]
    """Return how many splits the longest path has."""
    deepest = 0
    depth = np.zeros(len(left), np.int64)
    for node in range(len(left)):  # parents come before their children
        if left[node] >= 0:
            depth[left[node]] = depth[right[node]] = depth[node] + 1
            deepest = max(deepest, depth[node] + 1)
    return deepest


@compiled
def _goes_left(node, row, split, threshold, default_left, first_bit, bit_count, bits):  # type: ignore[no-untyped-def]
    """Return where a row goes, as XGBoost has it."""
    value = row[split[node]]
    if np.isnan(value):
        return default_left[node]
    if bit_count[node] < 0:
        return value < threshold[node]
    if value < 0 or value >= bit_count[node]:
        return True
    return not bits[first_bit[node] + np.int64(value)]


@compiled
def _add_leaf(level, count, value, feature, share, known, points, weights, factor, total):  # type: ignore[no-untyped-def]
    """Add a leaf's interactions to `total`, in which the lower feature comes first."""
    size = max((count - 2) // 2 + 1, 1)
    for point in range(size):
        at = points[size, point]
        product = value * weights[size, point]
        for slot in range(count):
            z = share[level, slot]
            factor[slot] = z + (known[level, slot] - z) * at
            product *= factor[slot]
        for slot in range(count):
            factor[slot] = (known[level, slot] - share[level, slot]) / factor[slot]
        for one in range(count):
            half = product * factor[one]
            for other in range(one):
                a, b = feature[level, one], feature[level, other]
                total[min(a, b), max(a, b)] += half * factor[other]


@compiled
def _add_tree(root, row, forest, gauss, work, total):  # type: ignore[no-untyped-def]
    """Add a tree's interactions for a row to `total`."""
    split, threshold, default_left, left, right, parent, cover, first_bit, bit_count, bits = forest
    points, weights = gauss
    feature, share, known, counts, factor, nodes, levels = work
    nodes[0], levels[0], waiting = root, 0, 1
    counts[0] = 0
    while waiting:
        waiting -= 1
        node, level = nodes[waiting], levels[waiting]
        if level > 0:
            above = parent[node]
            count = counts[level - 1]
            for slot in range(count):
                feature[level, slot] = feature[level - 1, slot]
                share[level, slot] = share[level - 1, slot]
                known[level, slot] = known[level - 1, slot]
            slot = 0
            while slot < count and feature[level, slot] != split[above]:
                slot += 1
            if slot == count:
                feature[level, slot] = split[above]
                share[level, slot] = known[level, slot] = 1.0
                count += 1
            counts[level] = count
            share[level, slot] = max(share[level, slot] * cover[node] / cover[above], LEAST)
            goes_left = _goes_left(
                above, row, split, threshold, default_left, first_bit, bit_count, bits
            )
            if goes_left != (left[above] == node):
                known[level, slot] = 0.0
        if left[node] >= 0:
            nodes[waiting], levels[waiting] = right[node], level + 1
            nodes[waiting + 1], levels[waiting + 1] = left[node], level + 1
            waiting += 2
        elif counts[level] > 1:
            _add_leaf(
                level, counts[level], threshold[node], feature, share, known, points, weights,
                factor, total,
            )  # fmt: skip


@compiled
def _work(depth):  # type: ignore[no-untyped-def]
    size = depth + 1
    return (
        np.zeros((size, size), np.int64),
        np.zeros((size, size)),
        np.zeros((size, size)),
        np.zeros(size, np.int64),
        np.zeros(size),
        np.zeros(2 * size, np.int64),
        np.zeros(2 * size, np.int64),
    )


@compiled
def pair_sizes(rows, roots, groups, group_count, forest, gauss, depth):  # type: ignore[no-untyped-def]
    """Sum up, over rows and classes, the size of each pair's interaction.

    Parameters
    ----------
    rows : (n, features) float32 array
        NaN where missing, numbers of categories.
    roots, groups : (trees,) int64 array
        Where trees begin, and the class that each is for.
    group_count : int
    forest : tuple
        Arrays over all nodes; `threshold` has the value of a leaf, whose `left` is -1.
    gauss : tuple
        Of `gauss_points`.
    depth : int

    Returns
    -------
    (features, features) float64 array
        The lower feature first; 0 elsewhere.
    """
    features = rows.shape[1]
    found, total = np.zeros((features, features)), np.zeros((features, features))
    work = _work(depth)
    for number in range(len(rows)):
        for group in range(group_count):
            total[:] = 0.0
            for tree in range(len(roots)):
                if groups[tree] == group:
                    _add_tree(roots[tree], rows[number], forest, gauss, work, total)
            found += np.abs(total)
    return found


@compiled
def pair_values(rows, roots, groups, group, forest, gauss, depth, pairs):  # type: ignore[no-untyped-def]
    """Return the interactions of some pairs for each row, for one class.

    Parameters
    ----------
    pairs : (pairs, 2) int64 array
        The lower feature first.

    Returns
    -------
    (n, pairs) float64 array
    """
    features = rows.shape[1]
    total = np.zeros((features, features))
    found = np.zeros((len(rows), len(pairs)))
    work = _work(depth)
    for number in range(len(rows)):
        total[:] = 0.0
        for tree in range(len(roots)):
            if groups[tree] == group:
                _add_tree(roots[tree], rows[number], forest, gauss, work, total)
        for pair in range(len(pairs)):
            found[number, pair] = total[pairs[pair, 0], pairs[pair, 1]]
    return found
