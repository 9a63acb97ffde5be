"""Trials have the scores of whole trainings, go on after losses, and are kept in a file."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import optuna
import pandas as pd
import pytest
from distributed import Client, LocalCluster
from optuna.distributions import FloatDistribution, IntDistribution
from sklearn.exceptions import FitFailedWarning

from dmlkit.boosting import XGBClassifier, XGBRanker, XGBRegressor
from dmlkit.errors import (
    ConfigurationError,
    InputError,
    MissingColumnError,
    NotFittedError,
    OutputError,
    TrainingError,
)
from dmlkit.search import ParameterSearch, running
from dmlkit.search.studies import held_alone, open_study, pruner_of

FEATURES = ["x0", "x1", "x2", "x3"]
SPACE = {"max_depth": IntDistribution(1, 5), "learning_rate": FloatDistribution(0.05, 0.5)}

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(2)
    frame = pd.DataFrame(random.normal(size=(3_000, 4)), columns=FEATURES)
    amount = frame["x0"] * frame["x1"] + frame["x2"] + random.normal(size=3_000) / 2
    return frame.assign(amount=amount, label=(amount > 0.5).astype(int))


def given(table: pd.DataFrame, label: str, partitions: int = 3) -> dict[str, Any]:
    """The arguments of a fit: two thirds to train on, one third to compare on."""
    train = dd.from_pandas(table.iloc[:2_000], npartitions=partitions, sort=False)
    test = dd.from_pandas(table.iloc[2_000:], npartitions=2, sort=False)
    return {
        "X": train[FEATURES],
        "y": train[label],
        "eval_set": [(test[FEATURES], test[label])],
    }


def test_each_trial_has_the_score_of_a_training_with_its_parameters(client, table) -> None:
    estimator = XGBClassifier(n_estimators=40, early_stopping_rounds=5, eval_metric="auc")
    space = {"max_depth": [1, 4], "subsample": [0.5]}
    search = ParameterSearch(estimator, space, sampler="grid", pruner=None)
    search.fit(**given(table, "label"))
    assert len(search.trials_) == 2
    assert set(search.trials_["state"]) == {"complete"}
    best, worst = search.best_estimator_, search.trials_.loc[search.trials_["score"].idxmin()]
    assert search.best_score_ == search.trials_["score"].max() == best_auc(best)
    assert search.best_iteration_ == best.best_iteration
    estimator.set_params(max_depth=int(worst["max_depth"]), subsample=0.5)
    estimator.fit(**given(table, "label", partitions=1))
    assert worst["score"] == best_auc(estimator)
    assert worst["best_iteration"] == estimator.best_iteration
    predicted = search.predict_proba(table).to_numpy()
    np.testing.assert_array_equal(predicted, best.predict_proba(table))


def best_auc(model: XGBClassifier) -> float:
    return max(model.evals_result()["validation_0"]["auc"])


def test_a_ranker_is_searched_with_its_queries(client, table) -> None:
    """Rows of a query are apart: every tenth row is of the same one."""
    graded = table.assign(label=(table["amount"] > 0.5) * 1 + (table["amount"] > 1.5))
    parts = given(graded, "label")
    lazy = dd.from_pandas(graded.iloc[:2_000].assign(q=range(2_000)), npartitions=3, sort=False)
    test = dd.from_pandas(graded.iloc[2_000:].assign(q=range(1_000)), npartitions=2, sort=False)
    queries = {"qid": lazy["q"] % 200, "eval_qid": [test["q"] % 100]}
    estimator = XGBRanker(n_estimators=10, eval_metric="ndcg")
    search = ParameterSearch(estimator, {"max_depth": [1, 3]}, sampler="grid", pruner=None)
    search.fit(**parts, **queries)
    assert set(search.trials_["state"]) == {"complete"}
    history = search.best_estimator_.evals_result()["validation_0"]["ndcg"]
    assert history[-1] == pytest.approx(search.best_score_, abs=1e-6)
    assert search.best_score_ == search.trials_["score"].max() > 0.6
    with pytest.raises(ConfigurationError, match=r"no queries; .* takes \['eval_qid', 'qid'\]"):
        search.fit(**parts)


def test_trials_that_are_worse_are_given_up_and_legs_change_nothing(client, table) -> None:
    estimator = XGBRegressor(n_estimators=60)
    search = ParameterSearch(estimator, SPACE, n_trials=8, min_rounds=5, random_state=1)
    search.fit(**given(table, "amount"))
    states = search.trials_.groupby("state")["rounds"].agg(list)
    assert set(states["complete"]) == {60}
    assert set(states["pruned"]) <= {5, 15, 45}
    # The best one was trained in four legs; at once it is the same.
    history = search.best_estimator_.evals_result()["validation_0"]["rmse"]
    assert history[-1] == search.best_score_ == search.trials_["score"].min()
    told = [event for _, event in client.get_events("dmlkit") if event["kind"] == "search"][-1]
    states = search.trials_["state"].value_counts()
    assert told["done"] == told["total"] == len(search.trials_)
    assert (told["state"], told["pruned"]) == ("ended", states["pruned"])
    assert told["best"] == search.best_score_


def test_a_trial_that_cannot_be_trained_is_noted_and_the_others_go_on(client, table) -> None:
    space = {"max_depth": [2, -3]}
    search = ParameterSearch(XGBRegressor(n_estimators=5), space, sampler="grid", refit=False)
    with pytest.warns(FitFailedWarning, match=r"1 of 2 fits failed, .* 1 with .*max_depth"):
        search.set_params(error_score=9.0).fit(**given(table, "amount"))
    failed = search.trials_.set_index("max_depth")
    assert failed["state"].to_dict() == {2: "complete", -3: "failed"}
    assert failed["score"][-3] == 9.0
    assert "max_depth" in failed["error"][-3]
    assert search.best_params_ == {"max_depth": 2}
    with pytest.raises(NotFittedError, match="refit"):
        search.predict(table)
    with pytest.raises(TrainingError, match=r"Trial \d with .'max_depth': -3. failed: .*max_depth"):
        search.set_params(error_score="raise").fit(**given(table, "amount"))
    with pytest.raises(ConfigurationError, match="error_score is 'nan'"):
        search.set_params(error_score="nan").fit(**given(table, "amount"))
    search.set_params(error_score=float("nan"))
    with pytest.raises(TrainingError, match=r"None of 1 trials was finished\. The first failed: "):
        search.set_params(space={"max_depth": [-3]}).fit(**given(table, "amount"))


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_trial_that_early_stopping_ends_right_at_a_rung_is_complete(
    client, table, sampler
) -> None:
    """Nothing is left to learn after the first round of five."""
    estimator = XGBRegressor(n_estimators=40, early_stopping_rounds=4)
    options = {"n_trials": 2, "min_rounds": 5, "refit": False}
    search = ParameterSearch(estimator, {"max_depth": [1, 2]}, sampler=sampler, **options)
    search.fit(**given(table.assign(amount=2.0), "amount"))
    assert search.trials_["state"].tolist() == ["complete", "complete"]
    assert search.trials_["rounds"].tolist() == [5, 5]


def test_a_search_goes_on_from_its_file(client, table, tmp_path) -> None:
    path = tmp_path / "search.log"
    options = {"storage": path, "refit": False, "sampler": "random", "pruner": None}
    estimator = XGBRegressor(n_estimators=5)
    first = ParameterSearch(estimator, SPACE, n_trials=2, **options)
    first.fit(**given(table, "amount"))
    left_running(path)
    search = ParameterSearch(estimator, SPACE, n_trials=5, **options)
    search.fit(**given(table, "amount"))
    assert search.trials_["state"].tolist() == ["complete"] * 5
    pd.testing.assert_frame_equal(search.trials_[:2], first.trials_)
    assert search.trials_["learning_rate"][2] == 0.25
    assert search.trials_["learning_rate"].nunique() == 5
    with pytest.raises(InputError, match="holds a search with other parameters"):
        search.set_params(space={"max_depth": [1, 2]}).fit(**given(table, "amount"))
    (tmp_path / "other.log").write_text("something\nelse\n")
    with pytest.raises(InputError, match="no file of a search"):
        search.set_params(storage=tmp_path / "other.log").fit(**given(table, "amount"))
    with pytest.raises(OutputError, match="no folder"):
        search.set_params(storage=tmp_path / "none" / "a.log").fit(**given(table, "amount"))


def left_running(path: Path) -> None:
    """Leave a trial as a client does that dies."""
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    study = optuna.load_study(study_name="search", storage=storage)
    study.enqueue_trial({"max_depth": 3, "learning_rate": 0.25})
    study.ask(SPACE)


def test_a_lost_worker_costs_no_trial(client: Client, table, monkeypatch) -> None:
    killed = []
    start = running._Running._start

    def start_and_kill(self: Any, worker: str, threads: int, run: running.Run) -> None:
        start(self, worker, threads, run)
        if run.checkpoint and not killed:  # in the midst of a trial
            killed.append(worker)
            os.kill(client.run(os.getpid, workers=[worker])[worker], signal.SIGKILL)

    monkeypatch.setattr(running._Running, "_start", start_and_kill)
    options = {"n_trials": 4, "min_rounds": 5, "reduction_factor": 2, "sampler": "random"}
    estimator = XGBRegressor(n_estimators=400)
    search = ParameterSearch(estimator, {"max_depth": [4, 5]}, refit=False, **options)
    search.fit(**given(table, "amount"))
    assert killed
    assert set(search.trials_["state"]) <= {"complete", "pruned"}
    assert search.trials_["error"].isna().all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": {}}, "space is empty"),
        ({"space": {"max_depht": [1]}}, "Unknown parameter 'max_depht' .nearest: 'max_depth'"),
        ({"space": {"n_estimators": [1]}}, "'n_estimators' is the same for all trials"),
        ({"space": {"max_depth": 3}}, "must be a list of values or one of optuna"),
        ({"sampler": "grid", "space": SPACE}, "needs a list of values for 'max_depth'"),
        ({"sampler": "tpa"}, "sampler is 'tpa'"),
        ({"pruner": "median"}, "pruner is 'median'"),
        ({"n_trials": 0}, "n_trials is 0"),
        ({"estimator": "xgboost"}, "estimator is str"),
    ],
)
def test_mistakes_are_told(client, table, changes, message) -> None:
    search = ParameterSearch(XGBRegressor(), {"max_depth": [2]}).set_params(**changes)
    with pytest.raises(ConfigurationError, match=message):
        search.fit(**given(table, "amount"))


def test_tables_that_do_not_fit_are_told(client, table) -> None:
    search = ParameterSearch(XGBRegressor(), {"max_depth": [2]})
    with pytest.raises(ConfigurationError, match="needs an eval_set"):
        search.fit(**given(table, "amount") | {"eval_set": []})
    with pytest.raises(MissingColumnError, match="x3"):
        search.fit(
            **given(table, "amount") | {"eval_set": [(table[["x0", "x1", "x2"]], table["amount"])]}
        )


def test_pruners_are_optunas() -> None:
    assert isinstance(pruner_of("hyperband", 100, 10, 3), optuna.pruners.HyperbandPruner)
    study = open_study(None, "tpe", pruner_of(None, 1, 1, 2), "maximize", 0, "digest")
    assert isinstance(study.sampler, optuna.samplers.TPESampler)


def test_the_same_trials_go_on_with_any_number_trained_side_by_side(client, table) -> None:
    estimator = XGBRegressor(n_estimators=30, early_stopping_rounds=5)
    options = {"n_trials": 9, "sampler": "random", "min_rounds": 3, "refit": False}
    search = ParameterSearch(estimator, SPACE, **options)
    found = []
    for threads in (2, 5):
        with Client(
            *(None,), n_workers=1, threads_per_worker=threads, processes=False, set_as_default=True
        ):
            search.fit(**given(table, "amount", partitions=threads))
            found.append(search.trials_.drop(columns="seconds").sort_values("number"))
    pd.testing.assert_frame_equal(*found)
    rounds = found[0]["rounds"]
    assert (rounds == 3).sum() == 6  # six of nine are given up at the first rung
    assert (found[0]["state"] == "complete").sum() == 1


def test_trials_that_waited_at_a_rung_need_not_be_done_again(client, table, tmp_path) -> None:
    path = tmp_path / "search.log"
    options = {"n_trials": 6, "sampler": "random", "min_rounds": 3, "refit": False}
    search = ParameterSearch(XGBRegressor(n_estimators=12), SPACE, **options)
    search.fit(**given(table, "amount"))
    whole = search.trials_
    search.set_params(storage=path, timeout=0.0)
    with pytest.raises(TrainingError, match="None of 0 trials"):
        search.fit(**given(table, "amount"))
    waiting_at_the_first_rung(path, whole)
    done: list[int] = []
    started = running._Running._start

    def noted(self: Any, worker: str, threads: int, run: running.Run) -> None:
        done.append(run.plan.rounds)
        started(self, worker, threads, run)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(running._Running, "_start", noted)
        search.set_params(timeout=None).fit(**given(table, "amount"))
    assert done.count(3) == 2  # two were not begun
    assert done.count(9) == 2  # of six, two go on
    best = whole.loc[whole["score"].idxmin()]
    assert search.best_score_ == best["score"]
    assert search.best_params_ == {name: best[name] for name in SPACE}


def waiting_at_the_first_rung(path: Path, trials: pd.DataFrame) -> None:
    """Leave four of six trials as a client does that dies while they wait for the others."""
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(path)))
    study = optuna.load_study(study_name="search", storage=storage)
    for row in trials.sort_values("rounds", kind="stable").to_dict("records"):
        study.enqueue_trial({name: row[name] for name in SPACE})
    for score in trials["score"][trials["rounds"] == 3]:
        study.ask(SPACE).report(score, 3)


def test_a_file_of_other_rows_is_not_gone_on_with(client, table, tmp_path) -> None:
    options = {"storage": tmp_path / "search.log", "refit": False, "sampler": "random"}
    estimator = XGBClassifier(n_estimators=4, eval_metric="auc")
    search = ParameterSearch(estimator, SPACE, n_trials=2, **options)
    search.fit(**given(table, "label"))
    again = search.fit(**given(table, "label", partitions=1))  # the same rows, laid out otherwise
    assert len(again.trials_) == 2
    with pytest.raises(InputError, match="other parameters, columns or rows"):
        search.fit(**given(table.assign(label=1 - table["label"]), "label"))
    with pytest.raises(InputError, match="other parameters, columns or rows"):
        search.fit(**given(table.assign(x0=table["x0"] + 1), "label"))


def test_a_value_that_is_there_twice_is_one(client, table, tmp_path) -> None:
    space = {"max_depth": [np.int64(2), 2, 3]}
    estimator = XGBClassifier(n_estimators=4, eval_metric="auc")
    search = ParameterSearch(estimator, space, sampler="grid", storage=tmp_path / "search.log")
    search.fit(**given(table, "label"))
    assert sorted(search.trials_["max_depth"]) == [2, 3]
    assert search.score(table[FEATURES], table["label"]) > 0.5
    assert search.classes_.tolist() == [0, 1]


def test_a_file_may_lie_in_the_home_folder(client, table, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    estimator = XGBClassifier(n_estimators=2, eval_metric="auc")
    search = ParameterSearch(estimator, SPACE, n_trials=1, storage="~/search.log", refit=False)
    search.fit(**given(table, "label"))
    assert (tmp_path / "search.log").exists()


def test_two_searches_do_not_share_a_file(client, table, tmp_path) -> None:
    path = tmp_path / "search.log"
    estimator = XGBClassifier(n_estimators=2, eval_metric="auc")
    search = ParameterSearch(estimator, SPACE, n_trials=1, storage=path, refit=False)
    with held_alone(path), pytest.raises(InputError, match="Another search is keeping its trials"):
        search.fit(**given(table, "label"))
    assert len(search.fit(**given(table, "label")).trials_) == 1


def test_a_client_that_is_closed_ends_a_search_with_an_error(table) -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        client = Client(cluster)
        estimator = XGBClassifier(n_estimators=1_000_000, eval_metric="auc")
        search = ParameterSearch(estimator, {"max_depth": [3]}, pruner=None, refit=False)
        timer = threading.Timer(4, client.close)
        timer.start()
        with pytest.raises(TrainingError, match="client was closed, or the scheduler is gone"):
            search.fit(**given(table, "label"))
        timer.join()
