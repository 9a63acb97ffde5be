"""Metrics of clusters are scikit-learn's, on any partitions."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from dmlkit import metrics
from dmlkit.errors import ConfigurationError, InputError
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

COLUMNS = ["a", "b", "c"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Far from the origin; a cluster of one row, one that no class is like, and text for names."""
    random = np.random.default_rng(6)
    kind = random.choice(["car", "train", "ship"], 500, p=[0.5, 0.3, 0.2])
    cluster = np.where(random.random(500) < 0.7, pd.factorize(kind)[0], random.integers(0, 5, 500))
    cluster[17] = 9
    frame = pd.DataFrame(random.normal(size=(500, 3)), columns=COLUMNS) + 1e4
    frame["a"] += 3 * (cluster % 3)
    return frame.assign(kind=kind, cluster=cluster)


def layouts(rows: pd.DataFrame) -> Any:
    yield rows
    for partitions in (1, 3, 16):
        yield lazy(rows, partitions)
    yield lazy(rows.astype({"kind": "category", "cluster": "str"}), 3)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("adjusted_rand_score", {}),
        ("homogeneity_score", {}),
        ("completeness_score", {}),
        ("v_measure_score", {"beta": 0.5}),
        *[
            ("normalized_mutual_info_score", {"average_method": method})
            for method in ("arithmetic", "geometric", "max", "min")
        ],
    ],
)
def test_agreement_is_that_of_scikit_learn(rows, name, settings) -> None:
    expected = getattr(sklearn.metrics, name)(rows["kind"], rows["cluster"], **settings)
    assert 0.1 < expected < 0.9
    for frame in layouts(rows):
        found = getattr(metrics, name)(frame["kind"], frame["cluster"], **settings)
        assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "name",
    ["adjusted_rand_score", "v_measure_score", "homogeneity_score", "normalized_mutual_info_score"],
)
@pytest.mark.parametrize(
    ("one", "other"),
    [([1, 1, 2, 2], [1, 1, 1, 1]), ([1, 1], [2, 2]), ([1, 2], [2, 1]), ([1, 1, 2, 2], [1, 2] * 2)],
)
def test_what_says_nothing_or_all_is_told_as_scikit_learn_does(name, one, other) -> None:
    expected = getattr(sklearn.metrics, name)(one, other)
    found = getattr(metrics, name)(pd.Series(one), pd.Series(other))
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("calinski_harabasz_score", {}),
        ("davies_bouldin_score", {}),
        ("silhouette_score", {"metric": "sqeuclidean"}),
    ],
)
def test_shape_is_that_of_scikit_learn(rows, name, settings) -> None:
    # About their means, as theirs loses digits far from the origin.
    near = rows[COLUMNS] - 1e4
    expected = getattr(sklearn.metrics, name)(near, rows["cluster"], **settings)
    for frame in layouts(rows):
        found = getattr(metrics, name)(frame[COLUMNS], frame["cluster"], **settings)
        assert found == pytest.approx(expected, rel=1e-9)


def test_clusters_that_are_points_have_no_spread() -> None:
    X, labels = pd.DataFrame({"x": [0.0, 0.0, 1.0, 1.0]}), pd.Series([0, 0, 1, 1])
    assert metrics.calinski_harabasz_score(X, labels) == 1.0
    assert metrics.davies_bouldin_score(X, labels) == 0.0
    assert metrics.silhouette_score(X, labels) == 1.0
    assert metrics.silhouette_score(X * 0, labels) == 0.0


def test_mistakes_are_told(rows) -> None:
    X, labels = rows[COLUMNS], rows["cluster"]
    with pytest.raises(ConfigurationError, match="'euclidean', for which each row would be held"):
        metrics.silhouette_score(X, labels, metric="euclidean")
    with pytest.raises(ConfigurationError, match="average_method is 'mean'"):
        metrics.normalized_mutual_info_score(labels, labels, average_method="mean")
    with pytest.raises(InputError, match="There are 1 clusters of 500 rows"):
        metrics.davies_bouldin_score(X, labels * 0)
    with pytest.raises(InputError, match="1 rows of a partition have no 'b', or an infinite one"):
        metrics.calinski_harabasz_score(X.assign(b=X["b"].mask(X.index == 3)), labels)
    with pytest.raises(InputError, match="have no 'cluster'"):
        metrics.calinski_harabasz_score(X, labels.mask(labels == 9))
    with pytest.raises(InputError, match="DataFrame is needed, but this is ndarray"):
        metrics.calinski_harabasz_score(X.to_numpy(), labels)
    with pytest.raises(InputError, match="no row to judge"):
        metrics.adjusted_rand_score(labels[:0], labels[:0])
    with pytest.raises(InputError, match="500 labels stand beside 499 predictions"):
        metrics.adjusted_rand_score(labels, labels[1:])
