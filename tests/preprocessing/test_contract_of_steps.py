"""What scikit-learn's users rely on: copies that learn, parameters of steps, columns with names."""

import datetime
import json
from decimal import Decimal
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from dmlkit import load_estimator, save_estimator
from dmlkit.errors import ConfigurationError, InputError
from dmlkit.preprocessing import (
    ColumnTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    Pipeline,
    QuantileTransformer,
    RobustScaler,
    SimpleImputer,
    StandardScaler,
)


def test_one_transformer_for_two_sets_of_columns_learns_each_by_itself() -> None:
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [10.0, 20.0]})
    scaler = StandardScaler()
    both = ColumnTransformer([("x", scaler, ["a"]), ("y", scaler, ["b"])]).fit(table)
    assert both.transform(table).to_numpy().tolist() == [[-1, -1], [1, 1]]
    assert not hasattr(scaler, "mean_")
    assert both.named_transformers_["y"].mean_.tolist() == [15]
    again = ColumnTransformer.from_dict(json.loads(json.dumps(both.to_dict())))
    pd.testing.assert_frame_equal(again.transform(table), both.transform(table))


def test_one_object_cannot_be_two_steps() -> None:
    scaler = StandardScaler()
    with pytest.raises(ConfigurationError, match=r"'x' and 'y' are one and the same StandardSc"):
        Pipeline([("x", scaler), ("y", scaler)]).fit(pd.DataFrame({"a": [1.0, 2.0]}))


def test_columns_can_be_dropped_by_name() -> None:
    table = pd.DataFrame({"a": [1.0, 3.0], "b": [1.0, 2.0], "c": [5, 6]})
    steps = [("scale", MinMaxScaler(), ["a"]), ("away", "drop", ["b"])]
    columns = ColumnTransformer(steps, remainder="passthrough").fit(table)
    assert list(columns.transform(table)) == ["scale__a", "remainder__c"]
    assert (
        ColumnTransformer.from_dict(columns.to_dict())
        .transform(table)
        .equals(columns.transform(table))
    )


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (("x", StandardScaler(), "ab"), r"are 'ab'; give a list: \['ab'\]"),
        (("x", "away", ["a"]), "'x' is 'away'; it must be a transformer"),
        (("x", object(), ["a"]), "'x' is 'object'; it must be a transformer"),
    ],
)
def test_mistakes_of_columns_are_told(step: Any, message: str) -> None:
    table = pd.DataFrame({"a": [1.0], "b": [2.0], "ab": [3.0]})
    with pytest.raises(ConfigurationError, match=message):
        ColumnTransformer([step]).fit(table)


def test_parameters_of_steps_are_known_and_changed_by_their_places() -> None:
    inner = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    columns = ColumnTransformer([("numbers", inner, ["a"])])
    known = columns.get_params(deep=True)
    assert known["numbers__fill__strategy"] == "mean"
    assert known["numbers"] is inner
    assert list(columns.get_params(deep=False)) == [
        "transformers",
        "remainder",
        "verbose_feature_names_out",
    ]
    columns.set_params(numbers__fill__strategy="median", numbers__scale=MinMaxScaler())
    assert inner.steps[0][1].strategy == "median"
    assert isinstance(inner.steps[1][1], MinMaxScaler)
    columns.set_params(numbers__scale__clip=True, remainder="passthrough")
    assert clone(columns).get_params(deep=True)["numbers__scale__clip"] is True
    with pytest.raises(ConfigurationError, match=r"StandardScaler has no parameter 'with_meam'"):
        Pipeline([("s", StandardScaler())]).set_params(s__with_meam=False)
    with pytest.raises(ConfigurationError, match="Pipeline has no parameter 't__with_mean'"):
        Pipeline([("s", StandardScaler())]).set_params(t__with_mean=False)


@pytest.mark.parametrize("transformer", [StandardScaler(), OneHotEncoder(), SimpleImputer()])
def test_columns_need_names_of_their_own(transformer: Any) -> None:
    with pytest.raises(InputError, match=r"called 0, which is no text.*rename\(columns=str\)"):
        transformer.fit(pd.DataFrame(np.ones((3, 2))))
    with pytest.raises(InputError, match="Two columns are called 'a'"):
        transformer.fit(pd.DataFrame(np.ones((3, 2)), columns=["a", "a"]))


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(),
        MinMaxScaler(),
        RobustScaler(),
        QuantileTransformer(),
        KBinsDiscretizer(2),
        KBinsDiscretizer(2, strategy="uniform"),
        SimpleImputer(),
        SimpleImputer(strategy="median"),
    ],
)
def test_from_infinite_values_nothing_is_learnt(transformer: Any) -> None:
    table = pd.DataFrame({"a": [1.0, np.inf, 2.0, 3.0], "b": [1.0, 2.0, np.nan, 0.0]})
    lazy = dd.from_pandas(table, npartitions=2)
    with dask.config.set(scheduler="synchronous"):
        for given in (
            table,
            lazy,
            table.assign(a=-table["a"]),
            table.assign(a=[-np.inf, np.inf] * 2),
        ):
            with pytest.raises(InputError, match=r"'a' has infinite values.*replace"):
                clone(transformer).fit(given)


def test_missing_values_are_counted_without_telling_all_levels_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dmlkit.preprocessing.levels.MOST_LEVELS", 10)
    table = pd.DataFrame({"a": np.arange(100.0), "b": [None, *range(99)]})
    imputer = SimpleImputer(strategy="constant", fill_value=0, add_indicator=True)
    with dask.config.set(scheduler="synchronous"):
        filled = imputer.fit_transform(dd.from_pandas(table, npartitions=4)).compute()
    assert list(filled) == ["a", "b", "b_missing"]
    assert filled["b_missing"].tolist() == [1, *[0] * 99]


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"a": ["b_c", "x"], "a_b": ["c", "y"]}),
        pd.DataFrame({"a": pd.Series([1, "1"], dtype=object)}),
    ],
)
def test_two_levels_do_not_make_one_column(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="Two levels would make the column 'a_"):
        OneHotEncoder().fit(table)


@pytest.mark.parametrize(
    "levels",
    [
        [pd.Timestamp("2025-01-31 12:00:00.5"), pd.Timestamp("2025-02-01")],
        [
            pd.Timestamp("2025-01-31", tz="Europe/Rome"),
            pd.Timestamp("2025-02-01", tz="Europe/Rome"),
        ],
        [pd.Timedelta("1D"), pd.Timedelta("2h")],
        [Decimal("1.10"), Decimal(2)],
        [datetime.date(2025, 1, 31), datetime.date(2025, 2, 1)],
        [True, False],
        [1.5, 2.0],
        ["a", "b"],
    ],
)
@pytest.mark.parametrize("encoder", [OneHotEncoder(), OrdinalEncoder()])
def test_levels_of_any_kind_are_kept(levels: list[Any], encoder: Any, tmp_path: Any) -> None:
    table = pd.DataFrame({"a": levels * 2})
    fitted = clone(encoder).fit(table)
    save_estimator(tmp_path / "kept", fitted)
    again = load_estimator(tmp_path / "kept")
    assert again.categories_ == fitted.categories_
    assert list(map(type, again.categories_[0])) == list(map(type, fitted.categories_[0]))
    pd.testing.assert_frame_equal(again.transform(table), fitted.transform(table))


def test_levels_that_no_file_keeps_are_told() -> None:
    odd = OneHotEncoder().fit(pd.DataFrame({"a": [3 + 4j, 1j]}, dtype=object))
    with pytest.raises(ConfigurationError, match=r"is a complex, which is not kept in a file"):
        odd.to_dict()


@pytest.mark.parametrize("transformer", [StandardScaler(), OneHotEncoder(), RobustScaler()])
def test_a_table_without_rows_teaches_nothing(transformer: Any) -> None:
    with pytest.raises(InputError, match="no rows to learn from"):
        transformer.fit(pd.DataFrame({"a": pd.Series([], dtype="float64")}))


def test_what_is_learnt_of_several_columns_is_told_together() -> None:
    table = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [3.0, 1.0, 2.0]})
    assert RobustScaler().fit(table).passes_ == ["rough quantiles of a, b", "quantiles of a, b"]
