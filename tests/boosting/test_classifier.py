"""XGBClassifier: XGBoost's own model, on any partitioning, with errors that say what to do."""

from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xgboost
from distributed import Client
from sklearn.base import clone
from sklearn.metrics import average_precision_score, roc_auc_score

from dmlkit.boosting import XGBClassifier, seats, shards
from dmlkit.errors import (
    ConfigurationError,
    InputError,
    MissingColumnError,
    NotFittedError,
    TrainingError,
)
from tests.boosting.conftest import cut

FEATURES = ["amount", "hour", "country"]
PARAMETERS: dict[str, Any] = {"n_estimators": 12, "max_depth": 3, "base_score": 0.5}


def fitted(frame: Any, **parameters: Any) -> XGBClassifier:
    model = XGBClassifier(**{**PARAMETERS, **parameters})
    return model.fit(frame[FEATURES], frame["fraud"])


def scores(model: XGBClassifier, frame: Any) -> np.ndarray:
    found = model.predict_proba(frame[FEATURES])
    return np.asarray((found.compute() if isinstance(found, dd.DataFrame) else found).iloc[:, 1])


@pytest.fixture
def all_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in a process for each worker even where one would do."""
    monkeypatch.setattr(shards, "ROWS_FOR_ONE_PROCESS", 0)
    monkeypatch.setattr(seats, "THREADS_OF_PROCESS", 1)


def test_the_model_is_the_one_that_xgboost_trains(client: Client, payments: pd.DataFrame) -> None:
    own = fitted(cut(payments, 3))
    peer = xgboost.XGBClassifier(**PARAMETERS, enable_categorical=True, n_jobs=1)
    peer.fit(payments[FEATURES], payments["fraud"])
    assert np.array_equal(scores(own, payments), peer.predict_proba(payments[FEATURES])[:, 1])


def test_weights_are_those_of_xgboost(client: Client, payments: pd.DataFrame) -> None:
    table = cut(payments, 3)
    own = XGBClassifier(**PARAMETERS, scale_pos_weight=3)
    own.fit(table[FEATURES], table["fraud"], sample_weight=table["weight"])
    peer = xgboost.XGBClassifier(**PARAMETERS, scale_pos_weight=3, enable_categorical=True)
    peer.fit(payments[FEATURES], payments["fraud"], sample_weight=payments["weight"])
    assert np.array_equal(scores(own, payments), peer.predict_proba(payments[FEATURES])[:, 1])


def test_rows_are_evaluated_with_the_weights_given_for_it(
    client: Client, payments: pd.DataFrame
) -> None:
    X, y, weight = payments[FEATURES], payments["fraud"], payments["weight"]
    peer = xgboost.XGBClassifier(**PARAMETERS, enable_categorical=True, n_jobs=1)
    for given in (None, [weight]):
        own = XGBClassifier(**PARAMETERS).fit(
            X, y, sample_weight=weight, eval_set=[(X, y)], sample_weight_eval_set=given
        )
        peer.fit(
            X,
            y,
            sample_weight=weight,
            eval_set=[(X, y)],
            sample_weight_eval_set=given,
            verbose=False,
        )
        found, expected = (model.evals_result()["validation_0"] for model in (own, peer))
        assert found["logloss"] == pytest.approx(expected["logloss"], rel=1e-6)


def test_weights_for_other_tables_than_those_evaluated_are_told(
    client: Client, payments: pd.DataFrame
) -> None:
    X, y, weight = payments[FEATURES], payments["fraud"], payments["weight"]
    with pytest.raises(InputError, match="has 2 entries for the 1 tables"):
        XGBClassifier().fit(X, y, eval_set=[(X, y)], sample_weight_eval_set=[weight, None])


@pytest.mark.parametrize("partitions", [7, 64])
def test_partitions_do_not_change_the_model(
    client: Client, payments: pd.DataFrame, partitions: int
) -> None:
    whole, pieces = fitted(cut(payments, 1)), fitted(cut(payments, partitions))
    assert whole._raw == pieces._raw


def test_two_workers_judge_like_one(
    client: Client, payments: pd.DataFrame, all_workers: None
) -> None:
    table = cut(payments, 8)
    two = fitted(table)
    peer = xgboost.XGBClassifier(**PARAMETERS, enable_categorical=True)
    peer.fit(payments[FEATURES], payments["fraud"])
    of_two = roc_auc_score(payments["fraud"], scores(two, payments))
    of_one = roc_auc_score(payments["fraud"], peer.predict_proba(payments[FEATURES])[:, 1])
    assert of_two == pytest.approx(of_one, abs=0.002)


def test_the_history_is_exact_though_workers_hold_different_rows(
    client: Client, payments: pd.DataFrame, all_workers: None
) -> None:
    table = cut(payments.sort_values("amount", ignore_index=True), 2)
    train, watched = (table[FEATURES], table["fraud"]), table
    model = XGBClassifier(**PARAMETERS, eval_metric=["logloss", "auc", "aucpr"])
    model.fit(*train, eval_set=[(watched[FEATURES], watched["fraud"])])
    history = model.evals_result()["validation_0"]
    last = scores(model, payments)
    assert [len(values) for values in history.values()] == [12, 12, 12]
    assert history["auc"][-1] == pytest.approx(roc_auc_score(payments["fraud"], last), abs=1e-6)
    exact = average_precision_score(payments["fraud"], last)
    assert history["aucpr"][-1] == pytest.approx(exact, abs=1e-6)


def test_early_stopping_keeps_the_best_round_and_no_more(
    client: Client, payments: pd.DataFrame
) -> None:
    train, watched = cut(payments[:600], 2), cut(payments[2000:], 3)
    model = XGBClassifier(
        n_estimators=200, learning_rate=0.5, early_stopping_rounds=5, eval_metric=["logloss", "auc"]
    )
    model.fit(train[FEATURES], train["fraud"], eval_set=[(watched[FEATURES], watched["fraud"])])
    auc = model.evals_result()["validation_0"]["auc"]
    assert len(auc) == model.best_iteration + 1 + 5
    assert auc[model.best_iteration] == max(auc)
    assert model.get_booster().num_boosted_rounds() == model.best_iteration + 1


def test_a_row_has_the_same_score_in_any_company(client: Client, payments: pd.DataFrame) -> None:
    model = fitted(cut(payments, 2))
    alone = np.concatenate([scores(model, payments[place : place + 1]) for place in range(20)])
    assert np.array_equal(scores(model, payments)[:20], alone)
    assert np.array_equal(scores(model, payments), scores(model, cut(payments, 9)))


def test_predictions_are_lazy_and_keep_the_index(client: Client, payments: pd.DataFrame) -> None:
    model = fitted(cut(payments, 2))
    lazy = model.predict_proba(cut(payments, 4)[FEATURES])
    assert isinstance(lazy, dd.DataFrame)
    computed = lazy.compute()
    assert list(computed.columns) == [0, 1]
    assert (computed.dtypes == lazy.dtypes).all()
    assert computed.index.equals(payments.index)
    classes = model.predict(cut(payments, 4)[FEATURES]).compute()
    assert classes.tolist() == (computed[1] > 0.5).astype(int).tolist()


def test_an_empty_table_has_no_scores(client: Client, payments: pd.DataFrame) -> None:
    model = fitted(cut(payments, 2))
    assert model.predict_proba(payments[FEATURES][:0]).shape == (0, 2)
    few = cut(payments, 4)
    assert len(model.predict_proba(few[few["amount"] > 1e9][FEATURES]).compute()) == 0


def test_three_classes(client: Client, payments: pd.DataFrame) -> None:
    table = cut(payments.assign(kind=payments["country"].cat.codes.astype("int64")), 3)
    model = XGBClassifier(**PARAMETERS, eval_metric=["auc", "mlogloss"])
    X, y = table[["amount", "hour"]], table["kind"]
    model.fit(X, y, eval_set=[(X, y)])
    assert list(model.evals_result()["validation_0"]) == ["auc", "mlogloss"]
    probabilities = model.predict_proba(payments[["amount", "hour"]])
    assert list(probabilities.columns) == [0, 1, 2]
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)


def test_it_is_a_scikit_learn_estimator(client: Client) -> None:
    model = XGBClassifier(max_depth=3, eval_metric="auc")
    copy = clone(model).set_params(max_depth=4)
    assert copy.get_params()["max_depth"] == 4
    assert copy.get_params()["eval_metric"] == "auc"
    assert model.get_params()["max_depth"] == 3
    assert "max_depth=3" in repr(model)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"maxdepth": 3}, r"Unknown parameter 'maxdepth' \(nearest: 'max_depth'\)"),
        ({"objective": "reg:squarederror"}, "XGBClassifier takes binary:logistic, multi:softprob"),
        ({"device": "gpu"}, "device is 'gpu'; it must be one of auto, cpu, cuda"),
        ({"early_stopping_rounds": 5}, "early_stopping_rounds needs an eval_set"),
    ],
)
def test_wrong_parameters_are_explained(
    client: Client, payments: pd.DataFrame, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        fitted(cut(payments, 1), **parameters)


def test_what_xgboost_refuses_is_said_in_a_line(client: Client, payments: pd.DataFrame) -> None:
    with pytest.raises(TrainingError, match=r"XGBoost cannot train: .*subsample") as caught:
        fitted(cut(payments, 1), subsample=7)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fraud": np.nan}, r"4,000 of 4,000 rows of the training table have no label"),
        ({"fraud": 0}, "All 4,000 rows of the training table have the label 0"),
        ({"fraud": 0.5}, r"The labels are 0\.5; a classifier needs whole numbers from 0"),
        ({"amount": np.inf}, "4,000 of 4,000 rows .* have an infinite 'amount'"),
        ({"amount": 1e300}, "have an infinite 'amount'"),
        ({"amount": "much"}, "Column 'amount' of the training table is str"),
    ],
)
def test_rows_that_cannot_be_trained_on_are_told(
    client: Client, payments: pd.DataFrame, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fitted(cut(payments.assign(**change), 2))


def test_an_empty_training_table_is_told(client: Client, payments: pd.DataFrame) -> None:
    table = cut(payments, 2)
    with pytest.raises(InputError, match="training table has no rows"):
        fitted(table[table["amount"] > 1e9])


def test_labels_of_another_frame_are_told(client: Client, payments: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="do not belong to the same rows"):
        XGBClassifier().fit(cut(payments, 2)[FEATURES], cut(payments, 3)["fraud"])


def test_unknown_categories_are_told(client: Client, payments: pd.DataFrame) -> None:
    table = cut(payments.astype({"country": "str"}), 2).astype({"country": "category"})
    with pytest.raises(InputError, match=r"categories of 'country' .* are not known"):
        fitted(table)


def test_arrays_are_refused_with_the_way_out(client: Client, payments: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=r"ndarray.*from_dask_array"):
        XGBClassifier().fit(payments[["hour"]].to_numpy(), payments["fraud"])
    X, y = payments[["hour"]], payments["fraud"]
    with pytest.raises(InputError, match=r"evaluation \(0\) table are ndarray"):
        XGBClassifier().fit(X, y, eval_set=[(X.to_numpy(), y)])
    with pytest.raises(InputError, match="prediction table are ndarray"):
        XGBClassifier(n_estimators=1).fit(X, y).predict(X.to_numpy())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([0, 1], r"called 0, which is no text.*rename\(columns=str\)"),
        (["a", "a"], "two columns 'a'"),
        (
            ["amount [EUR]", "b"],
            r"called 'amount \[EUR\]'; XGBoost takes no names with \[, \] or <",
        ),
    ],
)
def test_columns_without_names_of_their_own_are_told(
    client: Client, payments: pd.DataFrame, names: list[Any], message: str
) -> None:
    X = payments[["amount", "hour"]].set_axis(names, axis=1)
    with pytest.raises(InputError, match=message):
        XGBClassifier().fit(X, payments["fraud"])


def test_an_evaluation_table_of_one_class_is_told(client: Client, payments: pd.DataFrame) -> None:
    honest = cut(payments[payments["fraud"] == 0], 2)
    table = cut(payments, 2)
    with pytest.raises(InputError, match=r"evaluation \(0\) table has only the labels 0"):
        XGBClassifier(eval_metric="auc").fit(
            table[FEATURES], table["fraud"], eval_set=[(honest[FEATURES], honest["fraud"])]
        )


def test_before_fit_there_is_nothing_to_predict(payments: pd.DataFrame) -> None:
    with pytest.raises(NotFittedError, match="call fit first"):
        XGBClassifier().predict_proba(payments)


def test_a_missing_column_is_named(client: Client, payments: pd.DataFrame) -> None:
    model = fitted(cut(payments, 1))
    with pytest.raises(MissingColumnError, match=r"no column 'hour'"):
        model.predict_proba(payments[["amount", "country"]])


def test_an_objective_of_ones_own_gives_probabilities(
    client: Client, payments: pd.DataFrame
) -> None:
    def logistic(label: Any, margin: Any) -> tuple[Any, Any]:
        probability = 1 / (1 + np.exp(-margin))
        return probability - label, probability * (1 - probability)

    table = cut(payments, 3)
    own = fitted(table, objective=logistic)
    assert scores(own, payments) == pytest.approx(scores(fitted(table), payments), abs=1e-5)
    weighted = XGBClassifier(**PARAMETERS, objective=logistic).fit(
        table[FEATURES], table["fraud"], sample_weight=table["weight"]
    )
    plain = XGBClassifier(**PARAMETERS).fit(
        table[FEATURES], table["fraud"], sample_weight=table["weight"]
    )
    assert scores(weighted, payments) == pytest.approx(scores(plain, payments), abs=1e-5)


def test_a_margin_for_each_class_is_where_trees_start(
    client: Client, payments: pd.DataFrame
) -> None:
    classes = payments["hour"] // 8
    start = pd.DataFrame(np.random.default_rng(0).normal(size=(len(payments), 3)))
    X = payments[["amount", "country"]]
    own = XGBClassifier(**PARAMETERS).fit(X, classes, base_margin=start)
    peer = xgboost.XGBClassifier(**PARAMETERS, enable_categorical=True, n_jobs=1)
    peer.fit(X, classes, base_margin=start)
    found = own.predict_proba(X, base_margin=start)
    assert np.array_equal(found, peer.predict_proba(X, base_margin=start))


def test_one_class_in_a_partition_is_no_matter(client: Client, payments: pd.DataFrame) -> None:
    ordered = payments.sort_values("fraud", kind="stable", ignore_index=True)
    assert fitted(cut(ordered, 6))._raw == fitted(cut(ordered, 1))._raw


def test_a_checkpoint_of_another_training_is_refused(
    client: Client, payments: pd.DataFrame, tmp_path: Any
) -> None:
    table, path = cut(payments, 2), tmp_path / "checkpoint"
    fitted(table, checkpoint_every=4, checkpoint_path=path)
    X, y = table[FEATURES], table["fraud"]
    longer = XGBClassifier(**{**PARAMETERS, "n_estimators": 20}).fit(X, y, resume_from=path)
    assert longer._raw == fitted(table, n_estimators=20)._raw
    with pytest.raises(InputError, match="other parameters, columns or numbers of rows"):
        XGBClassifier(**{**PARAMETERS, "max_depth": 5}).fit(X, y, resume_from=path)
    with pytest.raises(InputError, match="other parameters, columns or numbers of rows"):
        XGBClassifier(**PARAMETERS).fit(X[["hour"]], y, resume_from=path)


def test_columns_are_of_the_kinds_that_were_trained_on(
    client: Client, payments: pd.DataFrame
) -> None:
    X = payments[["amount"]].assign(place=pd.Categorical(["shop", "web"] * (len(payments) // 2)))
    model = XGBClassifier(n_estimators=2).fit(X, payments["fraud"])
    told = model.predict_proba(X)
    turned = X.assign(place=X["place"].cat.reorder_categories(["web", "shop"]))
    pd.testing.assert_frame_equal(model.predict_proba(turned), told)
    for wrong in (X["place"].astype(str), X["place"].cat.codes):
        with pytest.raises(InputError, match=r"'place' of the prediction table is .* categories"):
            model.predict(cut(X.assign(place=wrong), 2))
    with pytest.raises(InputError, match="'amount' of the prediction table is category, but the"):
        model.predict(X.assign(amount=X["amount"].astype("category")))


def test_what_xgboost_refuses_is_told_without_its_source(
    client: Client, payments: pd.DataFrame
) -> None:
    X, y = payments[FEATURES], payments["fraud"]
    with pytest.raises(TrainingError, match="cannot train: Unknown metric function acu"):
        XGBClassifier(eval_metric="acu").fit(X, y, eval_set=[(X, y)])
    with pytest.raises(TrainingError, match="cannot train: value -3 for Parameter max_depth"):
        XGBClassifier(max_depth=-3).fit(X, y)
    with pytest.raises(InputError, match="training table has no columns"):
        XGBClassifier().fit(X[[]], y)
