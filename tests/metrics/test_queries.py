"""Metrics of ranked queries are scikit-learn's of each query, wherever its rows lie."""

from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics import dcg_score, mean_average_precision, mean_reciprocal_rank, ndcg_score
from tests.frames import with_an_empty_part as lazy

pytestmark = [
    pytest.mark.usefixtures("in_this_process"),
    pytest.mark.filterwarnings("ignore:No positive class found"),
]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """60 queries of 2 to 12 rows, shuffled; scores tie, and in some nothing is relevant."""
    random = np.random.default_rng(5)
    sizes = random.integers(2, 13, 60)
    query = np.repeat(np.arange(60), sizes)
    relevance = random.choice([0, 1, 2, 3], len(query), p=[0.6, 0.2, 0.1, 0.1])
    relevance[query < 5] = 0
    frame = pd.DataFrame({"query": query, "relevance": relevance})
    frame["score"] = (relevance / 3 + random.random(len(query))).round(1)
    frame["weight"] = random.random(60)[query]
    return frame.sample(frac=1, random_state=0, ignore_index=True)


def layouts(rows: pd.DataFrame) -> Any:
    yield rows
    for partitions in (1, 16):
        yield lazy(rows, partitions)
    yield lazy(rows.assign(query=rows["query"].map("q{}".format).astype("category")), 3)


def by_query(rows: pd.DataFrame, metric: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return a metric of each query, and the weights of queries."""
    queries = [part for _, part in rows.groupby("query")]
    found = [metric(part["relevance"].to_numpy(), part["score"].to_numpy()) for part in queries]
    return np.array(found), np.array([part["weight"].iloc[0] for part in queries])


def look(ours: Any, rows: pd.DataFrame, metric: Any, **settings: Any) -> None:
    each, weights = by_query(rows, metric)
    for frame in layouts(rows):
        given = (frame["relevance"], frame["score"], frame["query"])
        assert ours(*given, **settings) == pytest.approx(each.mean(), abs=1e-12)
        weighted = ours(*given, sample_weight=frame["weight"], **settings)
        assert weighted == pytest.approx(np.average(each, weights=weights), abs=1e-12)


@pytest.mark.parametrize("k", [None, 3])
@pytest.mark.parametrize("ours", [ndcg_score, dcg_score])
def test_gains_are_those_of_scikit_learn(rows, ours, k) -> None:
    theirs = getattr(sklearn.metrics, ours.__name__)
    look(ours, rows, lambda label, score: theirs([label], [score], k=k), k=k)
    look(
        ours,
        rows,
        lambda label, score: theirs([2**label - 1], [score], k=k),
        k=k,
        gains="exponential",
    )


def test_average_precision_is_that_of_scikit_learn(rows) -> None:
    theirs = sklearn.metrics.average_precision_score
    look(mean_average_precision, rows, lambda label, score: theirs(label > 0, score))


def test_rows_that_tie_have_the_mean_rank_of_all_orders(rows) -> None:
    def mean_over_orders(label: np.ndarray, score: np.ndarray) -> float:
        found = []
        for order in permutations(range(len(label))):
            ranked = (label > 0)[list(order)][np.argsort(-score[list(order)], kind="stable")]
            found.append(1 / (ranked.argmax() + 1) if ranked.any() else 0.0)
        return float(np.mean(found))

    small = rows[rows.groupby("query")["score"].transform("size") <= 6].reset_index(drop=True)
    assert small["query"].nunique() > 15
    look(mean_reciprocal_rank, small, mean_over_orders)


def test_mistakes_are_told(rows) -> None:
    label, score, query = rows["relevance"], rows["score"], rows["query"]
    with pytest.raises(ConfigurationError, match="k is 0"):
        ndcg_score(label, score, query, k=0)
    with pytest.raises(ConfigurationError, match="gains is 'steep'"):
        ndcg_score(label, score, query, gains="steep")
    with pytest.raises(InputError, match="a relevance of -1"):
        ndcg_score(label - 1, score, query)
    with pytest.raises(InputError, match="1 rows of a partition have no score"):
        ndcg_score(label, score.mask(score.index == 4), query)
    with pytest.raises(InputError, match=r"1 of .* rows of a partition have no 'query'"):
        ndcg_score(label, score, query.mask(query.index == 4))
    with pytest.raises(InputError, match="queries have rows of different weights"):
        ndcg_score(label, score, query, sample_weight=score)
    with pytest.raises(InputError, match="no query to judge"):
        ndcg_score(label[:0], score[:0], query[:0])
