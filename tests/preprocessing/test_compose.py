"""Transformers together: names kept, few passes, the same as one by one and as scikit-learn's."""

import json
from typing import Any

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.compose
import sklearn.impute
import sklearn.pipeline
import sklearn.preprocessing
from sklearn.base import clone

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.linear_model import LogisticRegression
from dmlkit.preprocessing import (
    ColumnTransformer,
    OneHotEncoder,
    Pipeline,
    RobustScaler,
    SimpleImputer,
    StandardScaler,
    TargetEncoder,
    transformer_from_dict,
)

NUMBERS, CODES = ["amount", "visits"], ["code"]


def prepared(**options: Any) -> ColumnTransformer:
    numbers = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
    codes = OneHotEncoder(handle_unknown="ignore", min_frequency=30)
    return ColumnTransformer([("num", numbers, NUMBERS), ("code", codes, CODES)], **options)


def prepared_by_scikit_learn() -> Any:
    numbers = sklearn.pipeline.make_pipeline(
        sklearn.impute.SimpleImputer(), sklearn.preprocessing.StandardScaler()
    )
    codes = sklearn.preprocessing.OneHotEncoder(
        sparse_output=False, handle_unknown="ignore", min_frequency=30
    )
    return sklearn.compose.ColumnTransformer([("num", numbers, NUMBERS), ("code", codes, CODES)])


def test_columns_and_names_are_those_of_scikit_learn(table, lay_out, same_when_kept) -> None:
    theirs = prepared_by_scikit_learn()
    expected = theirs.fit_transform(table)
    ours = prepared().fit(lay_out(table))
    found = ours.transform(lay_out(table)).compute()
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert list(found.columns) == list(theirs.get_feature_names_out())
    assert list(ours.get_feature_names_out()) == list(found.columns)
    same_when_kept(ours, list(table.columns))


def test_what_can_be_learnt_together_is_learnt_in_one_pass(table) -> None:
    """The partitions are counted as they are read."""
    reads = []

    def read(number: int) -> pd.DataFrame:
        reads.append(number)
        return table.iloc[number * 500 : (number + 1) * 500]

    lazy = dd.from_map(read, range(4), meta=table.head(0))
    with dask.config.set(scheduler="synchronous"):
        fitted = prepared().fit(lazy)
    assert len(reads) == 4 * len(fitted.passes_) == 8
    assert fitted.explain().splitlines() == [
        "Learnt in 2 passes.",
        "pass 1: mean, variance and range of amount, visits; levels of code",
        "pass 2: mean, variance and range of amount, visits",
    ]


def test_quantiles_of_one_are_looked_for_with_the_second_step_of_another(table) -> None:
    both = ColumnTransformer(
        [
            ("num", Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())]), NUMBERS),
            ("robust", RobustScaler(), ["year"]),
        ]
    )
    assert len(both.fit(table).passes_) == 2


def test_target_encoding_stays_out_of_fold_inside(table) -> None:
    codes = Pipeline([("encode", TargetEncoder()), ("scale", StandardScaler())])
    inside = ColumnTransformer([("code", codes, CODES)], remainder="passthrough")
    X, y, groups = table[[*CODES, *NUMBERS]], table["label"], table["patient"]
    found = inside.fit_transform(X, y, groups=groups)
    encoded = TargetEncoder().fit_transform(X[CODES], y, groups=groups)
    expected = StandardScaler().fit_transform(encoded)
    np.testing.assert_allclose(found["code__code"], expected["code"])
    assert list(found.columns) == ["code__code", "remainder__amount", "remainder__visits"]


def test_new_rows_are_not_taken_for_training_rows(table) -> None:
    inside = ColumnTransformer([("code", TargetEncoder(), CODES)])
    inside.fit(table, table["label"], groups=table["patient"])
    alone = TargetEncoder().fit(table[CODES], table["label"], groups=table["patient"])
    np.testing.assert_array_equal(inside.transform(table), alone.transform(table[CODES]))


def test_names_may_stay_short(table) -> None:
    short = prepared(verbose_feature_names_out=False, remainder="passthrough").fit(table)
    names = list(short.get_feature_names_out())
    assert names[:2] == NUMBERS
    assert names[-5:] == ["year", "same", "ward", "label", "patient"]


def test_two_columns_of_one_name_are_refused(table) -> None:
    twice = ColumnTransformer(
        [("a", StandardScaler(), ["year"]), ("b", "passthrough", ["year"])],
        verbose_feature_names_out=False,
    )
    with pytest.raises(InputError, match="make the column 'year'"):
        twice.fit(table)


def test_a_column_that_is_not_there_is_named(table) -> None:
    with pytest.raises(MissingColumnError, match=r"'amuont' \(nearest: 'amount'\)"):
        ColumnTransformer([("num", StandardScaler(), ["amuont"])]).fit(table)


def test_labels_must_lie_like_the_table(table) -> None:
    lazy = dd.from_pandas(table, npartitions=3)
    with pytest.raises(InputError, match="target must be a dask Series partitioned like"):
        TargetEncoder().fit(lazy[CODES], table["label"])


def test_it_can_be_cloned_before_and_kept_after(table) -> None:
    fitted = prepared().fit(table)
    assert not hasattr(clone(fitted), "passes_")
    assert transformer_from_dict(json.loads(json.dumps(fitted.to_dict()))).passes_ == fitted.passes_


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(ConfigurationError, match="nearest: 'standard_scaler'"):
        transformer_from_dict({"kind": "standardscaler"})


def test_an_error_on_a_worker_is_told_as_it_is(client, table) -> None:
    lazy = dd.from_pandas(table, npartitions=3)
    with pytest.raises(InputError, match="Column 'code' is str"):
        StandardScaler().fit(lazy[["code"]])


def test_a_model_in_a_pipeline_is_told_where_it_goes() -> None:
    table = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0]})
    label = table["x"].gt(1).astype(int)
    steps = [("scale", StandardScaler())]
    with pytest.raises(ConfigurationError, match=r"'model' is LogisticRegression.*make_pipeline"):
        Pipeline([*steps, ("model", LogisticRegression())]).fit(table, label)
    # What the message says to do works, from the splits on.
    model = sklearn.pipeline.make_pipeline(Pipeline(steps), LogisticRegression())
    rows = dd.from_pandas(table, npartitions=2)
    assert model.fit(rows, label_of(rows)).predict(rows).compute().tolist() == label.tolist()


def label_of(rows: dd.DataFrame) -> dd.Series:
    return (rows["x"] > 1).astype(int)
