"""A search over folds: each is as a training on its rows, and the mean over them counts."""

import os
import signal
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from dmlkit.boosting import XGBClassifier, XGBRanker, XGBRegressor
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)
from dmlkit.search import ParameterSearch, folded, running

FEATURES = ["x0", "x1", "x2"]

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(2)
    frame = pd.DataFrame(random.normal(size=(1_500, 3)), columns=FEATURES)
    amount = frame["x0"] * frame["x1"] + frame["x2"] + random.normal(size=1_500) / 2
    beside = {"weight": random.uniform(0.5, 2, 1_500), "patient": np.arange(1_500) // 5}
    label = (amount > 0.5).astype(int)
    return frame.assign(amount=amount, label=label, hour=np.arange(1_500), **beside)


def lazy(table: pd.DataFrame, partitions: int = 3) -> dd.DataFrame:
    return dd.from_pandas(table, npartitions=partitions, sort=False)


def score_of(model: Any, metric: str) -> list[float]:
    return model.evals_result()["validation_0"][metric]


@pytest.mark.parametrize(
    ("cv", "columns", "beside"),
    [
        (KFold(3), [], {}),
        (StratifiedKFold(3, seed=4), ["label"], {}),
        (GroupKFold(3), ["patient"], {"groups": "patient"}),
        (StratifiedGroupKFold(3), ["label", "patient"], {"groups": "patient"}),
        (TimeSeriesSplit(2, test_size=300), ["hour"], {"time": "hour"}),
    ],
)
def test_the_score_of_each_fold_is_that_of_a_training_on_its_rows(
    client, table, cv, columns, beside
) -> None:
    estimator = XGBClassifier(n_estimators=12, eval_metric="auc", subsample=0.5, max_depth=3)
    space = {"learning_rate": [0.3]}
    search = ParameterSearch(estimator, space, sampler="grid", cv=cv, min_rounds=4, refit=False)
    rows = lazy(table)
    given = {name: rows[column] for name, column in beside.items()}
    search.fit(rows[FEATURES], rows["label"], sample_weight=rows["weight"], **given)
    scores = []
    for train, test in cv.split(table, *columns):
        estimator.set_params(learning_rate=0.3).fit(
            *(train[FEATURES], train["label"]),
            sample_weight=train["weight"],
            eval_set=[(test[FEATURES], test["label"])],
            sample_weight_eval_set=[test["weight"]],
        )
        scores.append(score_of(estimator, "auc")[-1])
    trial = search.trials_.iloc[0]
    assert trial[[f"split{number}_score" for number in range(len(scores))]].tolist() == scores
    assert trial["score"] == search.best_score_ == np.mean(scores)
    assert trial["std"] == np.std(scores) > 0
    assert (trial["state"], trial["rounds"]) == ("complete", 12)


def test_early_stopping_and_pruning_look_at_the_mean_over_folds(client, table) -> None:
    estimator = XGBRegressor(n_estimators=200, early_stopping_rounds=6)
    space = {"learning_rate": [0.3, 0.001], "max_depth": [2, 6]}
    common = {"sampler": "grid", "cv": 3, "min_rounds": 5}
    search = ParameterSearch(estimator, space, **common)
    search.fit(lazy(table)[FEATURES], lazy(table)["amount"])
    curves = []
    plain = XGBRegressor(n_estimators=200, **search.best_params_)
    for train, test in KFold(3).split(table):
        plain.fit(train[FEATURES], train["amount"], eval_set=[(test[FEATURES], test["amount"])])
        curves.append(score_of(plain, "rmse"))
    mean = np.mean(curves, axis=0)
    # The first minimum that is not improved on for six rounds.
    best = next(at for at in range(190) if mean[at] == mean[: at + 7].min())
    assert search.best_iteration_ == best < 190
    assert search.best_score_ == mean[best]
    assert search.best_estimator_.get_booster().num_boosted_rounds() == best + 1
    assert search.best_estimator_.get_params()["early_stopping_rounds"] is None
    states = search.trials_.set_index(["learning_rate", "max_depth"])
    assert states["state"][0.3].tolist().count("complete") >= 1
    assert "pruned" in states["state"][0.001].tolist()
    assert set(states["rounds"][states["state"] == "pruned"]) <= {5, 15, 45, 135}
    assert states["std"].notna().all()  # of pruned ones, at the last rung


def test_any_partitions_give_the_same(client, table) -> None:
    estimator = XGBClassifier(n_estimators=10, subsample=0.7)
    search = ParameterSearch(
        estimator, {"max_depth": [2, 4]}, sampler="grid", cv=3, pruner=None, refit=False
    )
    found = []
    for rows in (table, lazy(table, 1), lazy(table, 7)):
        search.fit(rows[FEATURES], rows["label"])
        found.append(search.trials_.drop(columns="seconds").sort_values("max_depth"))
    for other in found[1:]:
        pd.testing.assert_frame_equal(
            other.reset_index(drop=True), found[0].reset_index(drop=True), check_exact=True
        )
    search.set_params(cv=StratifiedKFold(3)).fit(table[FEATURES], table["label"])
    assert search.trials_["score"].tolist() == found[0]["score"].tolist()  # what a number means


def test_folds_are_binned_once_and_a_search_goes_on_from_its_file(
    client, table, tmp_path, monkeypatch
) -> None:
    estimator = XGBRegressor(n_estimators=5)
    options = {"storage": tmp_path / "search.log", "refit": False, "sampler": "random", "cv": 3}
    space = {"max_depth": [1, 2, 3, 4], "learning_rate": [0.1, 0.2, 0.3]}
    first = ParameterSearch(estimator, space, n_trials=2, **options)
    first.fit(table[FEATURES], table["amount"])
    prepared = []
    submit = client.submit

    def counted(function: Any, *arguments: Any, **given: Any) -> Any:
        prepared.extend([given["workers"]] if function is folded.bin_folds else [])
        return submit(function, *arguments, **given)

    monkeypatch.setattr(Client, "submit", lambda _, *given, **named: counted(*given, **named))
    search = ParameterSearch(estimator, space, n_trials=9, **options)
    search.fit(table[FEATURES], table["amount"])
    assert len(prepared) == len({str(each) for each in prepared}) <= 2  # once on each worker
    assert len(search.trials_) == 9
    pd.testing.assert_frame_equal(search.trials_[:2], first.trials_)
    with pytest.raises(InputError, match="holds a search with other parameters"):
        search.set_params(cv=KFold(3, seed=1)).fit(table[FEATURES], table["amount"])


def test_a_lost_worker_costs_no_trial(client: Client, table, monkeypatch) -> None:
    killed = []
    start = running._Running._start

    def start_and_kill(self: Any, worker: str, threads: int, run: running.Run) -> None:
        start(self, worker, threads, run)
        if run.checkpoint and not killed:  # in the midst of a trial
            killed.append(worker)
            os.kill(client.run(os.getpid, workers=[worker])[worker], signal.SIGKILL)

    monkeypatch.setattr(running._Running, "_start", start_and_kill)
    estimator = XGBRegressor(n_estimators=100)
    search = ParameterSearch(
        *(estimator, {"max_depth": [4]}), sampler="grid", cv=2, min_rounds=5, refit=False
    )
    search.fit(lazy(table)[FEATURES], lazy(table)["amount"])
    assert killed
    assert search.trials_["state"].tolist() == ["complete"]
    after_a_loss = search.best_score_
    monkeypatch.undo()
    search.fit(lazy(table)[FEATURES], lazy(table)["amount"])
    assert after_a_loss == search.best_score_


@pytest.mark.parametrize(
    ("changes", "given", "message"),
    [
        ({"cv": 1}, {}, "n_splits is 1"),
        ({"cv": "five"}, {}, "cv is builtins's str"),
        ({"cv": GroupKFold(3)}, {}, "GroupKFold needs groups"),
        ({"cv": KFold(3)}, {"groups": "patient"}, "KFold does not look at it.*GroupKFold"),
        ({"cv": 3}, {"time": "hour"}, "KFold does not look at it.*TimeSeriesSplit"),
        ({}, {"groups": "patient"}, "needs an eval_set .* or folds .cv=5"),
    ],
)
def test_mistakes_are_told(client, table, changes, given, message) -> None:
    search = ParameterSearch(XGBRegressor(), {"max_depth": [2]}).set_params(**changes)
    beside = {name: table[column] for name, column in given.items()}
    with pytest.raises(ConfigurationError, match=message):
        search.fit(table[FEATURES], table["amount"], **beside)


def test_folds_and_tables_exclude_each_other(client, table) -> None:
    X, y = table[FEATURES], table["label"]
    with pytest.raises(ConfigurationError, match="leave out eval_set or cv"):
        ParameterSearch(XGBRegressor(), {"max_depth": [2]}, cv=3).fit(X, y, eval_set=[(X, y)])
    ranker = ParameterSearch(XGBRanker(), {"max_depth": [2]}, cv=KFold(3))
    with pytest.raises(ConfigurationError, match=r"KFold.* would cut queries.*GroupKFold"):
        ranker.fit(X, y, qid=table["patient"])
    with pytest.raises(ConfigurationError, match="groups was given, but a ranker's folds"):
        ranker.set_params(cv=3).fit(X, y, qid=table["patient"], groups=table["patient"])
    with pytest.raises(InputError, match="1 of the 2 folds of GroupKFold"):
        of_one = GroupKFold(2)
        ParameterSearch(XGBRegressor(), {"max_depth": [2]}, cv=of_one).fit(
            X, y, groups=pd.Series(0, index=X.index)
        )


@pytest.mark.parametrize("apart", [False, True])
def test_folds_of_a_ranker_keep_queries_whole(client, table, apart) -> None:
    """Each fold's score is that of a training on its queries, also where rows of one are apart."""
    query = table["hour"] % 150 if apart else table["hour"] // 10
    graded = table.assign(label=(table["amount"] > 0.5) * 1 + (table["amount"] > 1.5), query=query)
    rows = lazy(graded)
    estimator = XGBRanker(n_estimators=6, eval_metric="ndcg", max_depth=3)
    search = ParameterSearch(
        *(estimator, {"learning_rate": [0.3]}), sampler="grid", cv=GroupKFold(3), min_rounds=3
    )
    search.fit(rows[FEATURES], rows["label"], qid=rows["query"])
    scores = []
    for train, test in GroupKFold(3).split(graded, "query"):
        assert not {*train["query"]} & {*test["query"]}
        estimator.set_params(learning_rate=0.3).fit(
            *(train[FEATURES], train["label"]),
            qid=train["query"],
            eval_set=[(test[FEATURES], test["label"])],
            eval_qid=[test["query"]],
        )
        scores.append(score_of(estimator, "ndcg")[-1])
    trial = search.trials_.iloc[0]
    found = trial[[f"split{number}_score" for number in range(3)]].tolist()
    assert found == pytest.approx(scores, abs=1e-6)
    assert len(search.best_estimator_.predict(table[FEATURES])) == len(table)
    search.set_params(cv=3, refit=False).fit(rows[FEATURES], rows["label"], qid=rows["query"])
    assert search.best_score_ == trial["score"]  # what a number means
