"""Ranking metrics equal scikit-learn's on any partitioning."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.metrics import (
    average_precision_score,
    lift,
    precision_at_k,
    roc_auc_score,
)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["roc_auc_score", "average_precision_score"])
def test_the_area_is_scikit_learns_whatever_the_partitioning(scores, lay_out, name, weighted):
    ours = {"roc_auc_score": roc_auc_score, "average_precision_score": average_precision_score}
    frame = lay_out(scores)
    weights = scores["weight"] if weighted else None
    expected = getattr(reference, name)(scores["label"], scores["score"], sample_weight=weights)
    found = ours[name](
        frame["label"], frame["score"], sample_weight=frame["weight"] if weighted else None
    )
    assert type(found) is float
    assert found == pytest.approx(expected, abs=1e-12)


def test_scores_without_ties_give_scikit_learns_area(lay_out):
    random = np.random.default_rng(1)
    score = random.normal(size=3000)
    frame = pd.DataFrame({"label": random.random(3000) < 0.2, "score": score})
    laid_out = lay_out(frame)
    assert roc_auc_score(laid_out["label"], laid_out["score"]) == pytest.approx(
        reference.roc_auc_score(frame["label"], score), abs=1e-12
    )


def test_one_score_for_all_rows_is_worth_nothing(lay_out):
    frame = lay_out(pd.DataFrame({"label": [0, 1] * 500, "score": 0.25}))
    assert roc_auc_score(frame["label"], frame["score"]) == 0.5
    assert average_precision_score(frame["label"], frame["score"]) == 0.5


def test_a_heavy_tie_among_fine_scores_stays_together(lay_out):
    score = np.r_[np.full(2000, 0.5), np.linspace(0, 1, 500)]
    label = np.random.default_rng(2).random(2500) < score
    frame = lay_out(pd.DataFrame({"label": label, "score": score}))
    assert roc_auc_score(frame["label"], frame["score"]) == pytest.approx(
        reference.roc_auc_score(label, score), abs=1e-12
    )


def test_rows_are_ranked_on_worker_processes(client, scores):
    frame = dd.from_pandas(scores, npartitions=5, sort=False)
    expected = reference.roc_auc_score(scores["label"], scores["score"])
    assert roc_auc_score(frame["label"], frame["score"]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    "kind", ["float32", "double[pyarrow]", "Float64", "dask array", "numpy", "list"]
)
def test_kinds_of_columns_give_the_same_area(scores, kind):
    few = scores.head(500).assign(score=lambda frame: frame["score"].round(2))
    label, score = few["label"], few["score"]
    if kind == "dask array":
        label, score = (da.from_array(column.to_numpy(), chunks=100) for column in (label, score))
    elif kind in ("numpy", "list"):
        label, score = label.to_numpy(), score.to_numpy()
        label, score = (label, score) if kind == "numpy" else (label.tolist(), score.tolist())
    else:
        frame = dd.from_pandas(few.astype({"score": kind, "label": "int64[pyarrow]"}), 3)
        label, score = frame["label"], frame["score"]
    expected = reference.roc_auc_score(few["label"], few["score"])
    assert roc_auc_score(label, score) == pytest.approx(expected, abs=1e-12)


def test_labels_and_scores_of_different_frames_match_by_partition(scores):
    label = dd.from_pandas(scores[["label"]], npartitions=4)["label"]
    score = dd.from_pandas(scores[["score"]], npartitions=4).clear_divisions()["score"]
    expected = reference.roc_auc_score(scores["label"], scores["score"])
    assert roc_auc_score(label, score) == pytest.approx(expected, abs=1e-12)


def test_precision_at_k_counts_ties_at_the_cut_by_their_mean(scores, lay_out):
    k = 95
    frame = lay_out(scores)
    cut = scores["score"].nlargest(k).min()
    above, tied = scores[scores["score"] > cut], scores[scores["score"] == cut]
    expected = (above["label"].sum() + tied["label"].mean() * (k - len(above))) / k
    assert len(tied) > k - len(above)
    assert precision_at_k(frame["label"], frame["score"], k=k) == pytest.approx(expected, abs=1e-12)


def test_rows_that_are_missing_at_k_count_as_negatives():
    assert precision_at_k([1, 1, 0], [0.3, 0.2, 0.1], k=4) == 0.5


def test_lift_compares_the_top_to_all_rows(scores, lay_out):
    frame = lay_out(scores)
    k = 300
    at_top = precision_at_k(scores["label"], scores["score"], k=k)
    found = lift(frame["label"], frame["score"], share=k / len(scores))
    assert found == pytest.approx(at_top / scores["label"].mean(), abs=1e-12)
    assert lift(frame["label"], frame["score"], share=1) == pytest.approx(1, abs=1e-12)


def test_lift_with_weights_equals_lift_of_repeated_rows():
    label, score, times = [0, 1, 1, 0, 0], [0.9, 0.8, 0.7, 0.4, 0.1], [1, 2, 3, 1, 3]
    repeated = lift(np.repeat(label, times), np.repeat(score, times), share=0.4)
    assert lift(label, score, share=0.4, sample_weight=times) == pytest.approx(repeated, abs=1e-12)


@pytest.mark.parametrize(("label", "rows"), [(0, "1,200"), (1, "1,200")])
def test_one_class_only_is_named_with_its_rows(lay_out, label, rows):
    frame = lay_out(pd.DataFrame({"label": [label] * 1200, "score": np.linspace(0, 1, 1200)}))
    with pytest.raises(InputError, match=f"All {rows} rows have the label {label}"):
        roc_auc_score(frame["label"], frame["score"])


def test_average_precision_needs_a_positive():
    with pytest.raises(InputError, match="None of the 3 rows has the label 1"):
        average_precision_score([0, 0, 0], [0.1, 0.2, 0.3])


@pytest.mark.parametrize("share", [0, -0.1, 1.5])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(ConfigurationError, match="share"):
        lift([0, 1], [0.1, 0.2], share=share)


def test_k_of_nothing_is_refused():
    with pytest.raises(ConfigurationError, match="k is 0"):
        precision_at_k([0, 1], [0.1, 0.2], k=0)
