"""XGBRegressor: XGBoost's own models for each objective, on any partitioning."""

from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import xgboost
from distributed import Client
from sklearn.base import clone

from dmlkit.boosting import Bundle, XGBRegressor, load_bundle, save_bundle
from dmlkit.boosting.objectives import REGRESSION
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, MissingFileError
from tests.boosting.conftest import cut

FEATURES = ["amount", "hour", "country"]
PARAMETERS: dict[str, Any] = {"n_estimators": 8, "max_depth": 3, "max_bin": 64}

LABELED = [name for name in REGRESSION if name != "survival:aft"]
MORE: dict[str, dict[str, Any]] = {"reg:quantileerror": {"quantile_alpha": [0.1, 0.5, 0.9]}}


@pytest.fixture(scope="module")
def sales(payments: pd.DataFrame) -> pd.DataFrame:
    random = np.random.default_rng(1)
    expected = np.exp(payments["hour"] / 24 + (payments["country"] == "NL"))
    sold = random.poisson(expected).astype(float)
    share = 1 / (1 + np.exp(-random.normal(size=len(sold)) - payments["hour"] / 24))
    times = random.exponential(expected)
    return payments.assign(
        sold=sold,
        share=share,
        time=times,
        until=np.where(random.random(len(sold)) < 0.3, np.inf, times),
    )


def label_for(objective: str, sales: pd.DataFrame) -> pd.Series:
    return sales["share"] if objective in ("reg:logistic", "reg:gamma") else sales["sold"]


@pytest.mark.parametrize("objective", LABELED)
def test_each_objective_is_that_of_xgboost_with_its_default_metric(
    client: Client, sales: pd.DataFrame, objective: str
) -> None:
    given = {**PARAMETERS, "objective": objective, **MORE.get(objective, {})}
    y = label_for(objective, sales)
    table, labels = cut(sales, 3), dd.from_pandas(y, npartitions=3, sort=False)
    own = XGBRegressor(**given).fit(table[FEATURES], labels, eval_set=[(table[FEATURES], labels)])
    peer = xgboost.XGBRegressor(**given, enable_categorical=True, n_jobs=1)
    peer.fit(sales[FEATURES], y, eval_set=[(sales[FEATURES], y)], verbose=False)
    found = own.predict(table[FEATURES]).compute()
    assert np.array_equal(np.asarray(found), peer.predict(sales[FEATURES]))
    history, expected = (model.evals_result()["validation_0"] for model in (own, peer))
    assert history.keys() == expected.keys()
    for metric, values in history.items():
        assert values == pytest.approx(expected[metric], rel=1e-5)


def test_several_quantiles_are_columns_that_do_not_cross(
    client: Client, sales: pd.DataFrame
) -> None:
    model = XGBRegressor(
        **PARAMETERS, objective="reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9]
    ).fit(sales[FEATURES], sales["share"])
    lazy = model.predict(cut(sales, 4)[FEATURES])
    assert list(lazy.columns) == [0.1, 0.5, 0.9]
    found = lazy.compute()
    assert (np.diff(found.to_numpy(), axis=1) >= 0).all()
    covered = sales["share"].between(found[0.1].to_numpy(), found[0.9].to_numpy())
    assert covered.mean() == pytest.approx(0.8, abs=0.05)


def test_times_to_an_event_are_trained_on_with_bounds(client: Client, sales: pd.DataFrame) -> None:
    bounds = sales[["time", "until"]].set_axis(["label_lower_bound", "label_upper_bound"], axis=1)
    given = {**PARAMETERS, "objective": "survival:aft", "aft_loss_distribution": "logistic"}
    table = dd.from_pandas(pd.concat([sales, bounds], axis=1), npartitions=3, sort=False)
    X, y = table[FEATURES], table[list(bounds)]
    own = XGBRegressor(**given).fit(X, y, eval_set=[(X, y)])
    matrix = xgboost.QuantileDMatrix(
        sales[FEATURES],
        label_lower_bound=bounds["label_lower_bound"],
        label_upper_bound=bounds["label_upper_bound"],
        enable_categorical=True,
        max_bin=64,
    )
    native = {
        "objective": "survival:aft",
        "aft_loss_distribution": "logistic",
        "max_depth": 3,
        "max_bin": 64,
    }
    peer = xgboost.train(native, matrix, num_boost_round=8)
    assert np.array_equal(own.predict(X).compute(), peer.predict(matrix))
    losses = own.evals_result()["validation_0"]["aft-nloglik"]
    assert losses[-1] < losses[0]
    with pytest.raises(MissingColumnError, match="label_upper_bound"):
        XGBRegressor(**given).fit(X, table[["label_lower_bound"]])
    wrong = y.assign(label_lower_bound=1e9)
    with pytest.raises(InputError, match="no upper bound from it on"):
        XGBRegressor(**given).fit(X, wrong)


def test_more_shards_train_about_the_same_model(client: Client, sales: pd.DataFrame) -> None:
    table = cut(sales, 5)
    one, two = (
        XGBRegressor(**PARAMETERS, shards=count).fit(table[FEATURES], table["sold"])
        for count in (1, 2)
    )
    errors = [
        float(((model.predict(sales[FEATURES]) - sales["sold"]) ** 2).mean())
        for model in (one, two)
    ]
    assert errors[1] == pytest.approx(errors[0], rel=0.02)


def test_weights_and_base_margins_are_those_of_xgboost(client: Client, sales: pd.DataFrame) -> None:
    table = cut(sales.assign(start=sales["hour"] / 10), 3)
    own = XGBRegressor(**PARAMETERS).fit(
        table[FEATURES],
        table["sold"],
        sample_weight=table["weight"],
        base_margin=table["start"],
    )
    peer = xgboost.XGBRegressor(**PARAMETERS, enable_categorical=True, n_jobs=1)
    start = sales["hour"] / 10
    peer.fit(sales[FEATURES], sales["sold"], sample_weight=sales["weight"], base_margin=start)
    found = own.predict(table[FEATURES], base_margin=table["start"]).compute()
    assert np.array_equal(found, peer.predict(sales[FEATURES], base_margin=start))


def test_trees_are_added_to_a_model(client: Client, sales: pd.DataFrame, tmp_path: Any) -> None:
    X, y = sales[FEATURES], sales["sold"]
    whole = XGBRegressor(**{**PARAMETERS, "subsample": 0.5, "n_estimators": 12}).fit(X, y)
    first = XGBRegressor(**{**PARAMETERS, "subsample": 0.5, "n_estimators": 8}).fit(X, y)
    path = tmp_path / "model.ubj"
    first.get_booster().save_model(path)
    for start in (first, first.get_booster(), path):
        added = XGBRegressor(**{**PARAMETERS, "subsample": 0.5, "n_estimators": 4}).fit(
            X, y, xgb_model=start
        )
        assert added.get_booster().num_boosted_rounds() == 12
        assert np.array_equal(added.predict(X), whole.predict(X))
    with pytest.raises(InputError, match="has the features amount, hour, country"):
        XGBRegressor(**PARAMETERS).fit(X[["hour"]], y, xgb_model=first)
    with pytest.raises(MissingFileError, match="no model"):
        XGBRegressor(**PARAMETERS).fit(X, y, xgb_model=tmp_path / "none")


def test_a_learning_rate_may_change_by_round(client: Client, sales: pd.DataFrame) -> None:
    X, y = sales[FEATURES], sales["sold"]
    rates = [0.5 * 0.8**number for number in range(8)]
    own = XGBRegressor(**PARAMETERS, learning_rate=lambda number: 0.5 * 0.8**number).fit(X, y)
    listed = XGBRegressor(**PARAMETERS, learning_rate=rates).fit(X, y)
    peer = xgboost.XGBRegressor(
        **PARAMETERS,
        enable_categorical=True,
        learning_rate=rates[0],
        callbacks=[xgboost.callback.LearningRateScheduler([*rates[1:], 0])],  # for the next round
    ).fit(X, y)
    assert np.array_equal(own.predict(X), peer.predict(X))
    assert own._raw == listed._raw
    with pytest.raises(ConfigurationError, match="has 2 values for 8 rounds"):
        XGBRegressor(**PARAMETERS, learning_rate=[0.1, 0.2]).fit(X, y)


def test_objective_and_metric_may_be_functions(client: Client, sales: pd.DataFrame) -> None:
    def asymmetric(label: Any, margin: Any) -> tuple[Any, Any]:
        below = margin < label
        return np.where(below, 3, 1) * (margin - label), np.where(below, 3.0, 1.0)

    def largest_error(label: Any, predicted: Any) -> float:
        return float(np.abs(label - predicted).max())

    table = cut(sales, 4)
    X, y = table[FEATURES], table["sold"]
    given = {**PARAMETERS, "objective": asymmetric, "shards": 2}
    model = XGBRegressor(**given, eval_metric=["rmse", largest_error], early_stopping_rounds=5)
    model.fit(X, y, eval_set=[(X, y)])
    history = model.evals_result()["validation_0"]
    assert list(history) == ["rmse", "largest_error"]
    last = np.abs(sales["sold"] - XGBRegressor(**given).fit(X, y).predict(sales[FEATURES])).max()
    assert history["largest_error"][-1] == pytest.approx(last, rel=1e-5)
    assert history["largest_error"][model.best_iteration] == min(history["largest_error"])
    mean = model.predict(sales[FEATURES]).mean()
    assert mean > sales["sold"].mean() * 1.05  # too little costs three times as much


def test_a_function_that_fails_is_told(client: Client, sales: pd.DataFrame) -> None:
    def wrong(label: Any, margin: Any) -> Any:
        raise ZeroDivisionError("no gradient for 7 rows")

    with pytest.raises(Exception, match="no gradient for 7 rows"):
        XGBRegressor(**PARAMETERS, objective=wrong).fit(sales[FEATURES], sales["sold"])


def test_constraints_hold(client: Client, sales: pd.DataFrame) -> None:
    model = XGBRegressor(**PARAMETERS, monotone_constraints={"hour": -1}).fit(
        cut(sales, 2)[FEATURES], cut(sales, 2)["sold"]
    )
    grid = pd.DataFrame({"amount": 50.0, "hour": np.arange(24)})
    grid["country"] = pd.Categorical(["BE"] * 24, categories=["BE", "FR", "NL"])
    assert (np.diff(model.predict(grid[FEATURES])) <= 0).all()
    apart = XGBRegressor(**PARAMETERS, interaction_constraints=[["hour"], ["amount", "country"]])
    booster = apart.fit(sales[FEATURES], sales["sold"]).get_booster()
    frame = booster.trees_to_dataframe()
    for _, tree in frame[frame["Feature"] != "Leaf"].groupby("Tree"):
        assert set(tree["Feature"]) <= {"amount", "country"} or set(tree["Feature"]) <= {"hour"}


def test_trees_are_dropped_by_the_seed_alone(client: Client, sales: pd.DataFrame) -> None:
    given = {**PARAMETERS, "booster": "dart", "rate_drop": 0.3}
    model = XGBRegressor(**given).fit(sales[FEATURES], sales["sold"])
    again = XGBRegressor(**given).fit(cut(sales, 7)[FEATURES], cut(sales, 7)["sold"])
    assert model._raw == again._raw
    assert '"weight_drop"' in model.get_booster().save_raw("json").decode()


@pytest.mark.parametrize(
    ("objective", "label", "message"),
    [
        ("count:poisson", -1.0, "labels from 0 on"),
        ("reg:gamma", 0.0, "labels above 0"),
        ("reg:logistic", 1.5, "labels from 0 to 1"),
        ("reg:squarederror", np.inf, "infinite label"),
    ],
)
def test_labels_that_an_objective_does_not_take_are_counted(
    client: Client, sales: pd.DataFrame, objective: str, label: float, message: str
) -> None:
    y = sales["share"].where(sales.index >= 3, label)
    with pytest.raises(InputError, match=f"3 of 4,000 rows.*{message}"):
        XGBRegressor(objective=objective).fit(sales[FEATURES], y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"objective": "binary:logistic"}, "XGBRegressor takes reg:squarederror"),
        ({"objective": "reg:quantileerror"}, "belong together"),
        ({"objective": "reg:quantileerror", "quantile_alpha": [0.9, 0.1]}, "rising order"),
        ({"quantile_alpha": 0.5}, "belong together"),
        ({"booster": "gblinear"}, "is no tree"),
    ],
)
def test_wrong_parameters_are_explained(
    client: Client, sales: pd.DataFrame, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        XGBRegressor(**parameters).fit(sales[FEATURES], sales["sold"])


def test_it_is_cloned_and_kept_in_a_bundle(
    client: Client, sales: pd.DataFrame, tmp_path: Any
) -> None:
    given = {**PARAMETERS, "objective": "reg:quantileerror", "quantile_alpha": [0.2, 0.8]}
    model = clone(XGBRegressor(**given)).fit(sales[FEATURES], sales["sold"])
    save_bundle(tmp_path / "model", Bundle(model, {}, {}, None, {}))
    kept = load_bundle(tmp_path / "model")
    assert kept.threshold is None
    assert kept.model.predict(sales[FEATURES]).equals(model.predict(sales[FEATURES]))


def test_empty_partitions_and_missing_values_in_some_change_nothing(
    client: Client, sales: pd.DataFrame
) -> None:
    holes = sales.assign(amount=sales["amount"].where(sales.index % 4000 > 1000))
    whole = XGBRegressor(**PARAMETERS).fit(holes[FEATURES], holes["sold"])
    table = cut(holes, 8)
    table = dd.concat(
        [table.partitions[:4], table.partitions[:1].query("hour > 99"), table.partitions[4:]]
    )
    pieces = XGBRegressor(**PARAMETERS).fit(table[FEATURES], table["sold"])
    assert whole._raw == pieces._raw
