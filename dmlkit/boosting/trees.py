"""The trees of a booster as arrays, one after the other; what is made of them lies elsewhere."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray

from dmlkit.boosting.prediction import booster_of
from dmlkit.errors import ConfigurationError

__all__ = ["Forest", "forest_of", "rows_for"]


class Nodes(NamedTuple):
    """The nodes of all trees.

    Attributes
    ----------
    split : int64 array
        The feature.
    threshold : float64 array
        Rows below go left (compared as float32); the value of a leaf.
    default_left : bool array
        Where rows go in which it is missing.
    left, right, parent : int64 array
        -1 where there is none.
    cover : float64 array
    first_bit, bit_count : int64 array
        Of a split by category: where its bits lie, and how many; a count of -1 for numbers.
    bits : bool array
        True for categories that go right.
    """

    split: NDArray[np.int64]
    threshold: NDArray[np.float64]
    default_left: NDArray[np.bool_]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    parent: NDArray[np.int64]
    cover: NDArray[np.float64]
    first_bit: NDArray[np.int64]
    bit_count: NDArray[np.int64]
    bits: NDArray[np.bool_]


class Forest(NamedTuple):
    """All trees.

    Attributes
    ----------
    nodes : Nodes
    roots, groups : (trees,) int64 array
        The root of each tree, and the class that it is for.
    group_count : int
    categories : dict of str to Index
        Of categorical features, in the order of the model's numbers for them.
    """

    nodes: Nodes
    roots: NDArray[np.int64]
    groups: NDArray[np.int64]
    group_count: int
    categories: dict[str, pd.Index]


@lru_cache(maxsize=4)
def forest_of(raw: bytes) -> Forest:
    """Return the trees of what `raw_model` gave.

    Raises
    ------
    ConfigurationError
        The model has no trees, or trees whose leaves are vectors.
    """
    booster = booster_of(raw)
    document = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    model = document.get("gbtree", document).get("model", {})
    # Of DART: up to XGBoost 3.3 beside the model, then within.
    weights = document.get("weight_drop") or model.get("weight_drop") or None
    trees = model.get("trees")
    if trees is None or any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in trees):
        raise ConfigurationError(
            "Interactions are told of trees with a number in each leaf. Train with "
            "booster='gbtree' and multi_strategy='one_output_per_tree'."
        )
    sizes = [len(tree["left_children"]) for tree in trees]
    roots = np.cumsum([0, *sizes])[:-1].astype(np.int64)
    groups = np.asarray(model["tree_info"], np.int64)
    columns = [
        _nodes(tree, root, 1.0 if weights is None else weights[number])
        for number, (tree, root) in enumerate(zip(trees, roots.tolist(), strict=True))
    ]
    count = int(groups.max()) + 1 if len(groups) else 1
    return Forest(_joined(columns), roots, groups, count, _categories(booster))


def rows_for(forest: Forest, rows: pd.DataFrame) -> NDArray[np.float32]:
    """Return rows as numbers that trees compare: categories by the model's numbers."""
    columns = []
    for name, column in rows.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            known = forest.categories.get(str(name), column.cat.categories)
            code = known.get_indexer(pd.Index(column.astype(known.dtype)))
            columns.append(np.where(code < 0, np.nan, code).astype(np.float32))
        else:
            columns.append(column.to_numpy(dtype=np.float32, na_value=np.nan))
    return np.column_stack(columns) if columns else np.zeros((len(rows), 0), np.float32)


def _nodes(tree: Mapping[str, Any], root: int, weight: float) -> Nodes:
    left, right = (np.asarray(tree[name], np.int64) for name in ("left_children", "right_children"))
    leaf = left < 0
    # What XGBoost compares and adds up are float32.
    condition = np.asarray(tree["split_conditions"], np.float32).astype(np.float64)
    parent = np.full(len(left), -1, np.int64)
    inner = np.flatnonzero(~leaf)
    parent[left[inner]] = parent[right[inner]] = inner + root
    first_bit, bit_count, bits = _bits(tree)
    return Nodes(
        split=np.asarray(tree["split_indices"], np.int64),
        threshold=np.where(leaf, condition * weight, condition),
        default_left=np.asarray(tree["default_left"]).astype(bool),
        left=np.where(leaf, -1, left + root),
        right=np.where(leaf, -1, right + root),
        parent=parent,
        cover=np.maximum(np.asarray(tree["sum_hessian"], np.float64), 1e-16),
        first_bit=first_bit,
        bit_count=bit_count,
        bits=bits,
    )


def _bits(
    tree: Mapping[str, Any],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return for each node where its categories lie in a list of bits, and this list."""
    size = len(tree["left_children"])
    first, count = np.zeros(size, np.int64), np.full(size, -1, np.int64)
    pieces: list[NDArray[np.bool_]] = []
    categories = np.asarray(tree["categories"], np.int64)
    described = zip(
        tree["categories_nodes"],
        tree["categories_segments"],
        tree["categories_sizes"],
        strict=True,
    )
    for node, start, length in described:
        listed = categories[start : start + length]
        bits = np.zeros(int(listed.max(initial=-1)) + 1, bool)
        bits[listed] = True
        first[node], count[node] = sum(map(len, pieces)), len(bits)
        pieces.append(bits)
    return first, count, np.concatenate([np.zeros(0, bool), *pieces])


def _joined(columns: Sequence[Nodes]) -> Nodes:
    """Put the nodes of trees one after the other."""
    before = np.cumsum([0, *(len(each.bits) for each in columns)])[:-1]
    moved = [
        each._replace(first_bit=each.first_bit + start)
        for each, start in zip(columns, before.tolist(), strict=True)
    ]
    return Nodes(*(np.concatenate(values) for values in zip(*moved, strict=True)))


def _categories(booster: xgboost.Booster) -> dict[str, pd.Index]:
    return dict(_told_categories(booster))


def _told_categories(booster: xgboost.Booster) -> Iterator[tuple[str, pd.Index]]:
    """Tell the categories that the model was trained with, where it has any."""
    if "c" not in (booster.feature_types or []):
        return
    for name, values in booster.get_categories(export_to_arrow=True).to_arrow():
        if values is not None:
            yield name, pd.Index(values.to_pandas())
