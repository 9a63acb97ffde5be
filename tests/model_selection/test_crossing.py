"""Models trained and judged on folds of frames: scikit-learn's results, on any partitions."""

from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.base
import sklearn.exceptions
import sklearn.linear_model
import sklearn.metrics
import sklearn.model_selection

from dmlkit.errors import ConfigurationError, InputError, TrainingError
from dmlkit.linear_model import LogisticRegression, Ridge
from dmlkit.metrics import ndcg_score
from dmlkit.model_selection import (
    GroupKFold,
    KFold,
    StratifiedKFold,
    TimeSeriesSplit,
    check_cv,
    cross_val_predict,
    cross_val_score,
    cross_validate,
)

pytestmark = pytest.mark.usefixtures("in_this_process")

FEATURES = ["a", "b"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    random = np.random.default_rng(3)
    frame = pd.DataFrame(random.normal(size=(300, 2)), columns=FEATURES)
    number = frame["a"] - frame["b"] + random.normal(size=300)
    beside = {"hour": np.arange(300), "patient": np.arange(300) // 4}
    weight = random.uniform(0.1, 3, 300)
    frame = frame.assign(number=number, label=np.where(number > 0.5, "yes", "no"), weight=weight)
    return frame.assign(**beside).set_index(random.permutation(300) + 1_000)


def lazy(table: pd.DataFrame, partitions: int = 4) -> dd.DataFrame:
    return dd.concat([dd.from_pandas(table[:0], 1), dd.from_pandas(table, partitions, sort=False)])


def splits(table: pd.DataFrame, cv: Any, *columns: str) -> list[Any]:
    """The folds as scikit-learn takes them."""
    table = table.reset_index(drop=True)
    return [(train.index, test.index) for train, test in cv.split(table, *columns)]


def test_scores_are_those_of_scikit_learn_on_the_same_folds(table) -> None:
    rows = lazy(table)
    theirs = sklearn.model_selection.cross_validate(
        *(sklearn.linear_model.Ridge(), table[FEATURES], table["number"]),
        cv=splits(table, KFold(3)),
        scoring=["r2", "neg_mean_absolute_error"],
        params={"sample_weight": table["weight"]},
        return_train_score=True,
    )
    found = cross_validate(
        *(Ridge(), rows[FEATURES], rows["number"]),
        cv=3,
        scoring=["r2", "neg_mean_absolute_error"],
        params={"sample_weight": rows["weight"]},
        return_train_score=True,
        return_estimator=True,
    )
    assert found.keys() == theirs.keys() | {"estimator"}
    for name in theirs:
        if "time" not in name:
            np.testing.assert_allclose(found[name], theirs[name], rtol=1e-9)
    assert len({tuple(model.coef_) for model in found["estimator"]}) == 3
    assert (found["fit_time"] > 0).all()


@pytest.mark.parametrize(
    ("cv", "columns", "beside"),
    [
        (StratifiedKFold(4, seed=1), ["label"], {}),
        (GroupKFold(3), ["patient"], {"groups": "patient"}),
        (TimeSeriesSplit(3, test_size=40), ["hour"], {"time": "hour"}),
    ],
)
def test_each_splitter_gives_the_same_on_any_partitions(table, cv, columns, beside) -> None:
    theirs = sklearn.model_selection.cross_val_score(
        *(sklearn.linear_model.LogisticRegression(tol=1e-10), table[FEATURES], table["label"]),
        cv=splits(table, cv, *columns),
        scoring="roc_auc",
    )
    for rows in (table, lazy(table, 1), lazy(table, 7)):
        given = {name: rows[column] for name, column in beside.items()}
        found = cross_val_score(
            LogisticRegression(), rows[FEATURES], rows["label"], cv=cv, scoring="roc_auc", **given
        )
        np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
def test_each_row_is_predicted_by_the_model_that_has_not_seen_it(table, method) -> None:
    theirs = sklearn.model_selection.cross_val_predict(
        *(sklearn.linear_model.LogisticRegression(tol=1e-10), table[FEATURES], table["label"]),
        cv=splits(table, StratifiedKFold(5), "label"),
        method=method,
    )
    for rows in (table, lazy(table)):
        found = cross_val_predict(
            LogisticRegression(), rows[FEATURES], rows["label"], method=method
        )
        if isinstance(rows, dd.DataFrame):
            assert found.npartitions == rows.npartitions
            found = found.compute()
        assert found.index.equals(table.index)
        if method == "predict":
            assert (found.to_numpy() == theirs).all()
        else:
            np.testing.assert_allclose(found.to_numpy(), theirs, rtol=0, atol=1e-5)


class ByColumn(sklearn.base.BaseEstimator):
    """A ranker by a column; it knows the queries that it was fitted to."""

    def fit(self, X: Any, y: Any, *, qid: Any) -> "ByColumn":  # noqa: ARG002
        self.queries_ = set(qid.compute())
        return self

    def predict(self, X: Any) -> Any:
        return X["a"]


def test_folds_of_a_ranker_keep_queries_whole_and_are_judged_by_them(table) -> None:
    rows = lazy(table.assign(grade=(table["number"] > 0.5).astype(int)))
    given = {"params": {"qid": rows["patient"]}, "scoring": ["ndcg", "r2"], "cv": 3}
    found = cross_validate(
        ByColumn(), rows[FEATURES], rows["grade"], return_estimator=True, **given
    )
    of_query = table.assign(grade=(table["number"] > 0.5).astype(int))
    for model, ndcg, (_, test) in zip(
        found["estimator"],
        found["test_ndcg"],
        GroupKFold(3).split(of_query, "patient"),
        strict=True,
    ):
        assert model.queries_ == set(of_query["patient"]) - set(test["patient"])
        assert ndcg == pytest.approx(ndcg_score(test["grade"], test["a"], test["patient"]))
    with pytest.raises(ConfigurationError, match=r"KFold.* would cut queries"):
        cross_validate(ByColumn(), rows[FEATURES], rows["grade"], **given | {"cv": KFold(3)})
    with pytest.raises(ConfigurationError, match="groups was given, but a ranker's folds"):
        cross_validate(ByColumn(), rows[FEATURES], rows["grade"], groups=rows["patient"], **given)


def test_a_number_of_folds_keeps_classes_of_classifiers(table) -> None:
    assert check_cv(4, classifier=True) == StratifiedKFold(4)
    assert check_cv() == KFold(5)
    assert check_cv(GroupKFold(2)) == GroupKFold(2)
    ours = cross_val_score(LogisticRegression(), table[FEATURES], table["label"], cv=4)
    given = {"cv": StratifiedKFold(4)}
    assert (
        ours.tolist()
        == cross_val_score(LogisticRegression(), table[FEATURES], table["label"], **given).tolist()
    )


def test_mistakes_are_told(table) -> None:
    X, y = table[FEATURES], table["number"]
    with pytest.raises(ConfigurationError, match=r"cv is sklearn's KFold; .* which split frames"):
        cross_validate(Ridge(), X, y, cv=sklearn.model_selection.KFold(3))
    with pytest.raises(ConfigurationError, match="GroupKFold needs groups: a Series like y"):
        cross_validate(Ridge(), X, y, cv=GroupKFold(3))
    with pytest.raises(ConfigurationError, match="groups was given, but KFold"):
        cross_validate(Ridge(), X, y, groups=table["patient"])
    with pytest.raises(InputError, match="groups is str, but a dask or pandas Series"):
        cross_validate(Ridge(), X, y, cv=GroupKFold(3), groups="patient")
    with pytest.raises(InputError, match="groups does not have the rows of y"):
        cross_validate(Ridge(), X, y, cv=GroupKFold(3), groups=table["patient"][:9])
    with pytest.raises(InputError, match="180 rows are tested in no fold, and 0 in several"):
        split = TimeSeriesSplit(3, test_size=40)
        cross_val_predict(Ridge(), X, y, cv=split, time=table["hour"])
    with pytest.raises(ConfigurationError, match="For several use cross_validate"):
        cross_val_score(Ridge(), X, y, scoring=["r2", "neg_max_error"])
    with pytest.raises(ConfigurationError, match="nearest: 'roc_auc'"):
        cross_val_score(Ridge(), X, y, scoring="roc_auk")


class Picky(Ridge):
    """Refuses to be trained without row 0."""

    def fit(self, X: Any, y: Any, **options: Any) -> Any:
        if 0 not in X.index:
            raise ValueError("row 0 is missing")
        return super().fit(X, y, **options)


def refuse_row_0(model: Any, X: Any, y: Any) -> float:
    if 0 in X.index:
        raise ValueError("row 0 is there")
    return 1.0


def test_a_fold_that_cannot_be_trained_has_the_error_score_as_in_scikit_learn(table) -> None:
    table = table.reset_index(drop=True)
    X, y, folds = table[FEATURES], table["number"], KFold(4)
    with pytest.warns(sklearn.exceptions.FitFailedWarning) as warned:
        found = cross_validate(Picky(), X, y, cv=folds, return_train_score=True)
    assert "1 of 4 fits failed, and their score is nan: 1 with ValueError: row 0 is missing" in str(
        warned[0].message
    )
    whole = cross_validate(Ridge(), X, y, cv=folds, return_train_score=True)
    failed = np.isnan(found["test_score"])
    assert failed.sum() == 1
    for name in ("test_score", "train_score"):
        assert (np.isnan(found[name]) == failed).all()
        assert found[name][~failed].tolist() == whole[name][~failed].tolist()
    with pytest.warns(sklearn.exceptions.FitFailedWarning, match="their score is -1"):
        scores = cross_val_score(Picky(), X, y, cv=folds, error_score=-1)
    assert scores[failed].tolist() == [-1]
    with pytest.raises(ValueError, match=r"^row 0 is missing$"):
        cross_val_score(Picky(), X, y, cv=folds, error_score="raise")


def test_a_fold_that_cannot_be_judged_has_the_error_score_and_others_keep_theirs(table) -> None:
    table = table.reset_index(drop=True)
    X, y = table[FEATURES], table["number"]
    scoring = {"r2": "r2", "picky": refuse_row_0}
    with pytest.warns(UserWarning, match=r"Scoring failed \(picky\).* row 0 is there"):
        found = cross_validate(Ridge(), X, y, cv=KFold(4), scoring=scoring)
    assert np.isnan(found["test_picky"]).sum() == 1
    assert np.isfinite(found["test_r2"]).all()
    with pytest.raises(ValueError, match="row 0 is there"):
        cross_validate(Ridge(), X, y, cv=KFold(4), scoring=scoring, error_score="raise")


def test_that_no_fold_can_be_trained_is_an_error(table) -> None:
    table = table.reset_index(drop=True)[1:]
    X, y = table[FEATURES], table["number"]
    with pytest.raises(TrainingError, match="All 3 fits failed: 3 with ValueError: row 0 is mis"):
        cross_val_score(Picky(), X, y, cv=3)
    with pytest.raises(ConfigurationError, match="error_score is 'nan'"):
        cross_val_score(Ridge(), X, y, cv=3, error_score="nan")


def test_a_fold_without_a_group_is_told(table) -> None:
    table = table.reset_index(drop=True)
    X, y, groups = table[FEATURES], table["number"], pd.Series(table.index % 2, name="half")
    told = r"[34] of the 5 folds of GroupKFold\(n_splits=5, seed=0\) have no group"
    with pytest.raises(InputError, match=told):
        cross_val_score(Ridge(), X, y, groups=groups, cv=GroupKFold(5))


class Counting(Ridge):
    """Sees whether what is given beside the rows has as many."""

    def fit(self, X: Any, y: Any, *, margins: Any = None) -> Any:
        assert len(margins) == len(X)
        return super().fit(X, y)


def test_frames_beside_the_rows_are_cut_to_the_fold(table) -> None:
    table = table.reset_index(drop=True)
    X, y, margins = table[FEATURES], table["number"], table[FEATURES]
    found = cross_val_score(
        Counting(), X, y, cv=3, params={"margins": margins}, error_score="raise"
    )
    assert np.isfinite(found).all()
