"""XGBRanker: XGBoost's own ranking, with each query whole wherever its rows lie."""

from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xgboost
from distributed import Client
from sklearn.metrics import ndcg_score

from dmlkit.boosting import XGBRanker
from dmlkit.boosting.matrices import batches
from dmlkit.boosting.roles import QUERY
from dmlkit.boosting.shards import Piece, shards_of
from dmlkit.errors import InputError

FEATURES = ["price", "rating"]
PARAMETERS: dict[str, Any] = {"n_estimators": 8, "max_depth": 3}


@pytest.fixture(scope="module")
def offers() -> pd.DataFrame:
    """Offers of 200 visits, visit by visit."""
    random = np.random.default_rng(0)
    visit = np.repeat(np.arange(200), random.integers(2, 20, 200))
    price, rating = random.random((2, len(visit)))
    wanted = rating - price + random.normal(size=len(visit)) / 3
    return pd.DataFrame(
        {
            "visit": np.char.add("visit-", visit.astype(str)),
            "price": price,
            "rating": rating,
            "weight": 1.0 + visit % 3,
            "clicks": np.digitize(wanted, [0, 0.4, 0.8]),
        }
    )


def ranked(frame: Any, **more: Any) -> XGBRanker:
    given = {**PARAMETERS, **more}
    return XGBRanker(**given).fit(frame[FEATURES], frame["clicks"], qid=frame["visit"])


def by_rows(frame: pd.DataFrame, partitions: int) -> Any:
    return dd.from_pandas(frame, npartitions=partitions, sort=False)


@pytest.mark.parametrize("objective", ["rank:ndcg", "rank:pairwise"])
def test_the_model_is_the_one_that_xgboost_trains(
    client: Client, offers: pd.DataFrame, objective: str
) -> None:
    own = ranked(by_rows(offers, 5), objective=objective)
    peer = xgboost.XGBRanker(**PARAMETERS, objective=objective, n_jobs=1)
    peer.fit(offers[FEATURES], offers["clicks"], qid=pd.factorize(offers["visit"])[0])
    found = own.predict(by_rows(offers, 3)[FEATURES]).compute()
    assert np.array_equal(found, peer.predict(offers[FEATURES]))


def test_the_history_is_that_of_one_process_over_all_queries(
    client: Client, offers: pd.DataFrame
) -> None:
    table = by_rows(offers, 4)
    X, y, visit = table[FEATURES], table["clicks"], table["visit"]
    model = XGBRanker(**PARAMETERS, shards=2, eval_metric=["ndcg@5", "ndcg"])
    model.fit(X, y, qid=visit, eval_set=[(X, y)], eval_qid=[visit])
    query = pd.factorize(offers["visit"])[0]
    whole = xgboost.DMatrix(offers[FEATURES], label=offers["clicks"], qid=query)
    booster = model.get_booster()
    booster.set_param({"eval_metric": "ndcg"})
    exact = float(booster.eval(whole, "all").partition("all-ndcg:")[2])
    assert model.evals_result()["validation_0"]["ndcg"][-1] == pytest.approx(exact, abs=1e-5)


@pytest.mark.parametrize("shards", [1, 3])
def test_rows_of_a_query_may_lie_anywhere(
    client: Client, offers: pd.DataFrame, shards: int
) -> None:
    mixed = offers.sample(frac=1, random_state=0, ignore_index=True)
    one, many = (ranked(by_rows(mixed, count), shards=shards) for count in (1, 9))
    assert one._raw == many._raw
    score = ndcg_of(many, offers)
    assert score == pytest.approx(ndcg_of(ranked(offers), offers), abs=0.02)


def ndcg_of(model: XGBRanker, offers: pd.DataFrame) -> float:
    scores = offers.assign(score=model.predict(offers[FEATURES]))
    groups = [group for _, group in scores.groupby("visit") if group["clicks"].any()]
    return float(np.mean([ndcg_score([g["clicks"]], [g["score"]]) for g in groups]))


def test_a_query_has_a_weight(client: Client, offers: pd.DataFrame) -> None:
    own = XGBRanker(**PARAMETERS).fit(
        offers[FEATURES],
        offers["clicks"],
        qid=offers["visit"],
        sample_weight=offers["weight"],
    )
    peer = xgboost.XGBRanker(**PARAMETERS, n_jobs=1).fit(
        offers[FEATURES],
        offers["clicks"],
        qid=pd.factorize(offers["visit"])[0],
        sample_weight=offers.groupby("visit", sort=False)["weight"].first(),
    )
    assert np.array_equal(own.predict(offers[FEATURES]), peer.predict(offers[FEATURES]))


def test_no_query_is_cut_between_shards_or_batches(offers: pd.DataFrame) -> None:
    query = pd.DataFrame({QUERY: pd.factorize(offers["visit"])[0].astype(np.uint64)})
    sizes = query[QUERY].value_counts(sort=False).to_numpy()
    for shards in (1, 2, 7, 200):
        cut = shards_of([len(query)], shards, sizes)
        assert len(cut) == shards
        assert all(pieces for pieces in cut)
        found = [query[QUERY][p.start : p.stop] for pieces in cut for p in pieces]
        assert sum(part.nunique() for part in found) == 200
    for size in (5, 50, 10_000):
        parts = list(batches([Piece(query, 0, 100), Piece(query, 100, len(query))], size))
        assert sum(part[QUERY].nunique() for part in parts) == 200
        assert pd.concat(parts, ignore_index=True).equals(query)


def test_wrong_queries_are_told(client: Client, offers: pd.DataFrame) -> None:
    X, y = offers[FEATURES], offers["clicks"]
    with pytest.raises(InputError, match=r"2 of [\d,]+ rows of a partition have no query id"):
        XGBRanker().fit(X, y, qid=offers["visit"].where(offers.index > 1))
    with pytest.raises(InputError, match="has no query ids: give eval_qid"):
        XGBRanker().fit(X, y, qid=offers["visit"], eval_set=[(X, y)])
    with pytest.raises(InputError, match="labels from 0 to 1"):
        XGBRanker(objective="rank:map").fit(X, y, qid=offers["visit"])
