"""Probabilities of several classes are judged as scikit-learn does, on any partitions."""

from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics import log_loss, roc_auc_score
from tests.frames import with_an_empty_part as lazy

pytestmark = pytest.mark.usefixtures("in_this_process")

CLASSES = ["high", "low", "mid"]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Labels, a weight (of some rows 0), and probabilities with many ties."""
    random = np.random.default_rng(4)
    label = random.choice(CLASSES, 700, p=[0.1, 0.6, 0.3])
    margin = random.normal(size=(700, 3)).round(1) + (label[:, None] == CLASSES)
    chance = np.exp(margin) / np.exp(margin).sum(axis=1, keepdims=True)
    weight = random.random(700) * (random.random(700) < 0.9)
    frame = pd.DataFrame(chance.round(2), columns=CLASSES)
    frame["mid"] = 1 - frame["high"] - frame["low"]
    return frame.clip(0, 1).assign(label=label, weight=weight)


@pytest.mark.parametrize("partitions", [0, 1, 3, 16])
@pytest.mark.parametrize("average", ["macro", "weighted"])
@pytest.mark.parametrize("multi_class", ["ovr", "ovr weighted", "ovo"])
def test_areas_are_those_of_scikit_learn(rows, partitions, average, multi_class) -> None:
    frame: Any = lazy(rows, partitions) if partitions else rows
    weighted = "weighted" in multi_class
    settings = {"multi_class": multi_class.split()[0], "average": average}
    weights = [each["weight"] if weighted else None for each in (frame, rows)]
    found = roc_auc_score(frame["label"], frame[CLASSES], sample_weight=weights[0], **settings)
    chance = rows[CLASSES].to_numpy()
    expected = sklearn.metrics.roc_auc_score(
        rows["label"], chance, sample_weight=weights[1], **settings
    )
    assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("partitions", [0, 1, 3, 16])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["float64", "float32"])
def test_log_loss_is_that_of_scikit_learn(rows, partitions, weighted, kind) -> None:
    rows = rows.astype(dict.fromkeys(CLASSES, kind))
    frame: Any = lazy(rows, partitions) if partitions else rows
    weights = [each["weight"] if weighted else None for each in (frame, rows)]
    found = log_loss(frame["label"], frame[CLASSES], sample_weight=weights[0])
    expected = sklearn.metrics.log_loss(
        rows["label"], rows[CLASSES].to_numpy(), sample_weight=weights[1]
    )
    assert found == pytest.approx(expected, rel=1e-12 if kind == "float64" else 1e-6)


def test_columns_have_the_labels_that_are_given(rows) -> None:
    swapped = rows[["mid", "low", "high"]].to_numpy()
    labels = ["mid", "low", "high"]
    settings: dict[str, Any] = {"multi_class": "ovr", "labels": labels}
    expected = roc_auc_score(rows["label"], rows[CLASSES], multi_class="ovr")
    assert roc_auc_score(rows["label"], swapped, **settings) == pytest.approx(expected)
    lazily = da.from_array(swapped, chunks=(200, 3))
    label = da.from_array(rows["label"].to_numpy(dtype=object), chunks=200)
    assert roc_auc_score(label, lazily, **settings) == pytest.approx(expected)
    expected = log_loss(rows["label"], rows[CLASSES])
    assert log_loss(label, lazily, labels=labels) == pytest.approx(expected)
    numbered = rows["label"].map({"mid": 0, "low": 1, "high": 2})
    assert roc_auc_score(numbered, swapped, multi_class="ovo") > 0.6


def test_two_classes_have_two_columns_or_one(rows) -> None:
    label = (rows["label"] == "low").astype(int)
    both = pd.DataFrame({0: 1 - rows["low"], 1: rows["low"]})
    one = roc_auc_score(label, rows["low"])
    assert roc_auc_score(label, both, multi_class="ovr") == pytest.approx(one)
    assert log_loss(label, both) == pytest.approx(log_loss(label, rows["low"]))


def test_mistakes_are_told(rows) -> None:
    label, chance = rows["label"], rows[CLASSES]
    with pytest.raises(InputError, match="give multi_class='ovr' or 'ovo'"):
        roc_auc_score(label, chance)
    with pytest.raises(ConfigurationError, match="multi_class is 'all'"):
        roc_auc_score(label, chance, multi_class="all")
    with pytest.raises(ConfigurationError, match="average is 'micro'"):
        roc_auc_score(label, chance, multi_class="ovr", average="micro")
    with pytest.raises(ConfigurationError, match="Weights are not defined for pairs"):
        roc_auc_score(label, chance, multi_class="ovo", sample_weight=rows["weight"])
    with pytest.raises(ConfigurationError, match=r"labels are \['a', 'b'\], but there are 3"):
        log_loss(label, chance, labels=["a", "b"])
    with pytest.raises(InputError, match="have the label 'low', and the classes are"):
        log_loss(label, chance.rename(columns={"low": "lower"}))
    with pytest.raises(InputError, match="700 rows of a partition have no probabilities that add"):
        log_loss(label, chance * 2)
    with pytest.raises(InputError, match="No row is of the class 'mid'"):
        some = rows[rows["label"] != "mid"]
        roc_auc_score(some["label"], some[CLASSES], multi_class="ovr")
    with pytest.raises(InputError, match="no row to judge"):
        roc_auc_score(label[:0], chance[:0], multi_class="ovr")
    with pytest.raises(InputError, match="no row to judge"):
        log_loss(label[:0], chance[:0])
    with pytest.raises(InputError, match=r"have \[4, 17\] partitions"):
        log_loss(lazy(label, 3), lazy(chance, 16))
