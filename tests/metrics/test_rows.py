"""Rows that no metric can take are told of with their number and an example."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import InputError, MissingColumnError
from dmlkit.metrics import Costs, best_threshold, evaluate_binary, roc_auc_score


def frame_of(**changes: object) -> pd.DataFrame:
    rows = {"label": np.arange(100.0) % 2, "score": np.linspace(0.01, 0.99, 100)}
    return pd.DataFrame(rows | changes)


def bad_at(places: list[int], value: float, column: str) -> pd.DataFrame:
    frame = frame_of()
    frame.loc[places, column] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (bad_at([3, 50, 99], np.nan, "score"), r"3 rows have a score \('score'\) of nan"),
        (bad_at([3, 50], np.inf, "score"), r"2 rows have a score \('score'\) of inf"),
        (bad_at([0, 98], np.nan, "label"), r"2 rows have no label \('label'\)"),
        (bad_at([0, 98], 2, "label"), r"2 rows have a label \('label'\) of 2"),
    ],
)
@pytest.mark.parametrize("partitions", [1, 7])
def test_bad_rows_are_counted_over_all_partitions(frame, message, partitions):
    laid_out = dd.from_pandas(frame, npartitions=partitions)
    with pytest.raises(InputError, match=message):
        roc_auc_score(laid_out["label"], laid_out["score"])


def test_a_bad_weight_is_told_of():
    with pytest.raises(InputError, match=r"1 rows have a weight \('weight'\) of -1"):
        roc_auc_score([0, 1, 1], [0.1, 0.2, 0.3], sample_weight=[1, -1, 2])


def test_a_positive_without_a_loss_is_told_of_and_a_negative_may_be():
    frame = pd.DataFrame({"y": [0, 1], "s": [0.1, 0.9], "loss": [np.nan, 5.0]})
    assert best_threshold(frame, label="y", score="s", costs=Costs(1, "loss")) == 0.9
    with pytest.raises(InputError, match=r"1 positives have a loss \('loss'\) of nan"):
        best_threshold(frame.assign(y=1), label="y", score="s", costs=Costs(1, "loss"))


def test_an_error_on_a_worker_process_reaches_the_user_as_it_is(client):
    frame = dd.from_pandas(bad_at([7], np.nan, "score"), npartitions=3)
    with pytest.raises(InputError, match="1 rows have a score"):
        roc_auc_score(frame["label"], frame["score"])


@pytest.mark.parametrize("partitions", [1, 4])
def test_no_rows_at_all_are_an_error(partitions):
    frame = dd.from_pandas(frame_of(), npartitions=partitions)
    none = frame[frame["score"] > 5]
    with pytest.raises(InputError, match="no row to judge"):
        roc_auc_score(none["label"], none["score"])


def test_series_of_different_partitions_are_refused():
    frame = frame_of()
    label = dd.from_pandas(frame["label"], npartitions=2)
    score = dd.from_pandas(frame["score"], npartitions=3)
    with pytest.raises(InputError, match="'label': 2, 'score': 3"):
        roc_auc_score(label, score)
    with pytest.raises(InputError, match="partitioned alike"):
        roc_auc_score(label, frame["score"])


def test_partitions_of_different_length_are_refused():
    frame = dd.from_pandas(frame_of(), npartitions=2)
    with pytest.raises(InputError, match="do not belong to the same rows"):
        roc_auc_score(frame["label"], frame["score"][frame["score"] > 0.2])


def test_text_labels_are_refused_with_an_example():
    with pytest.raises(InputError, match="such as 'yes'"):
        roc_auc_score(pd.Series(["yes", "no"]), [0.1, 0.2])


def test_both_columns_of_predict_proba_are_refused():
    with pytest.raises(InputError, match="take the column of class 1"):
        roc_auc_score([0, 1], np.array([[0.9, 0.1], [0.2, 0.8]]))


def test_a_missing_column_is_named_with_the_nearest():
    with pytest.raises(MissingColumnError, match="nearest: 'score'"):
        evaluate_binary(frame_of(), label="label", score="scores")
