"""Metrics of several classes are scikit-learn's, on any partitions."""

from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
)
from tests.frames import with_an_empty_part as lazy

pytestmark = [
    pytest.mark.usefixtures("in_this_process"),
    pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true"),
]


@pytest.fixture(scope="module", params=["text", "category", "number"])
def rows(request: pytest.FixtureRequest) -> pd.DataFrame:
    """The class 5 is never predicted, and the class 4 never there."""
    random = np.random.default_rng(1)
    true = random.choice([1, 2, 3, 5], 500, p=[0.5, 0.3, 0.15, 0.05])
    found = np.where(random.random(500) < 0.6, np.minimum(true, 3), random.choice([1, 4], 500))
    frame = pd.DataFrame({"true": true, "found": found, "weight": random.random(500)})
    if request.param == "number":
        return frame
    kind = "str" if request.param == "text" else "category"
    texts = {name: frame[name].map("class {}".format).astype(kind) for name in ("true", "found")}
    return frame.assign(**texts)


@pytest.mark.parametrize("partitions", [0, 1, 3, 16])
@pytest.mark.parametrize("weighted", [False, True])
def test_metrics_are_those_of_scikit_learn(rows, partitions, weighted) -> None:
    frame: Any = lazy(rows, partitions) if partitions else rows
    ours = {"sample_weight": frame["weight"]} if weighted else {}
    theirs = {"sample_weight": rows["weight"]} if weighted else {}
    given = (frame["true"], frame["found"])
    truth = [np.array(rows[name].tolist()) for name in ("true", "found")]
    matrix = confusion_matrix(*given, **ours)
    np.testing.assert_allclose(matrix, sklearn.metrics.confusion_matrix(*truth, **theirs))
    assert matrix.index.tolist() == sorted({*truth[0], *truth[1]}) == matrix.columns.tolist()
    for mine, name in [
        (accuracy_score, "accuracy_score"),
        (balanced_accuracy_score, "balanced_accuracy_score"),
    ]:
        expected = getattr(sklearn.metrics, name)(*truth, **theirs)
        assert mine(*given, **ours) == pytest.approx(expected, abs=1e-12)
    for average in ("macro", "micro", "weighted"):
        expected = sklearn.metrics.f1_score(*truth, average=average, **theirs)
        assert f1_score(*given, average=average, **ours) == pytest.approx(expected, abs=1e-12)


def test_mistakes_are_told() -> None:
    labels = pd.Series([0, 1, None])
    with pytest.raises(InputError, match="1 rows of a partition have no label"):
        accuracy_score(labels, pd.Series([0, 1, 1]))
    with pytest.raises(InputError, match="no prediction"):
        accuracy_score(pd.Series([0, 1, 1]), labels)
    with pytest.raises(InputError, match="a weight of -1"):
        accuracy_score(labels[:2], labels[:2], sample_weight=pd.Series([1, -1]))
    with pytest.raises(InputError, match="3 labels stand beside 2 predictions"):
        confusion_matrix(pd.Series([1, 2, 3]), pd.Series([1, 2]))
    with pytest.raises(InputError, match=r"have \[2, 3\] partitions"):
        both = [dd.from_pandas(pd.Series(range(6)), npartitions=count) for count in (2, 3)]
        confusion_matrix(*both)
    with pytest.raises(InputError, match="no row to judge"):
        accuracy_score(labels[:0], labels[:0])
    with pytest.raises(ConfigurationError, match="average is 'samples'"):
        f1_score(labels[:2], labels[:2], average="samples")
    with pytest.raises(InputError, match="Labels and predictions are int and str, such as"):
        accuracy_score(pd.Series([0, 1]), pd.Series(["0", "1"]))


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        ([0, 1], {}),
        ([False, True], {}),
        ([0, 1], {"pos_label": 0}),
        (["no", "yes"], {"pos_label": "yes"}),
    ],
)
def test_f1_is_that_of_one_class_of_two_unless_told_otherwise(labels: list, options: dict) -> None:
    random = np.random.default_rng(1)
    truth, found = (pd.Series(random.choice(labels, 300)) for _ in range(2))
    expected = sklearn.metrics.f1_score(truth, found, **options)
    lazy = (dd.from_pandas(each, npartitions=3, sort=False) for each in (truth, found))
    assert f1_score(*lazy, **options) == pytest.approx(expected, abs=1e-12)


def test_f1_of_one_class_needs_two() -> None:
    several = pd.Series([0, 1, 2])
    with pytest.raises(ConfigurationError, match=r"3 classes, such as 0 and 2: average='binary'"):
        f1_score(several, several)
    with pytest.raises(ConfigurationError, match="pos_label is 1, but the classes are 'a' and"):
        f1_score(pd.Series(["a", "b"]), pd.Series(["a", "b"]))
    assert f1_score(pd.Series([0, 0]), pd.Series([0, 0])) == 0.0
