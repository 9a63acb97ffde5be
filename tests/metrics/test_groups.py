"""Rates by group are those of the group's rows alone."""

import dask
import dask.dataframe as dd
import numpy as np
import pytest
import sklearn.metrics

from dmlkit.metrics import evaluate_groups, threshold_at_capacity


def test_rates_are_those_of_the_groups_rows(scores) -> None:
    ward = scores["card"].mod(3).map({0: "a", 1: "b"})  # the third has none
    frame = scores.assign(ward=ward, night=scores["time"].dt.hour < 6)
    lazy = dd.from_pandas(frame, npartitions=3)
    with dask.config.set(scheduler="synchronous"):
        found = evaluate_groups(
            lazy, label="label", score="score", groups=["ward", "night"], threshold=0.2
        )
    assert found["level"].tolist() == ["(missing)", "a", "b", "False", "True"]
    own = frame[frame["ward"] == "b"]
    flagged = own["score"] >= 0.2
    row = found.set_index("level").loc["b"]
    assert row["rows"] == len(own)
    assert row["observed"] == pytest.approx(own["label"].mean())
    assert row["expected"] == pytest.approx(own["score"].mean())
    assert row["roc_auc"] == pytest.approx(
        sklearn.metrics.roc_auc_score(own["label"], own["score"])
    )
    assert row["recall"] == pytest.approx(own["label"][flagged].sum() / own["label"].sum())
    assert row["precision"] == pytest.approx(own["label"][flagged].mean())
    assert row["false_positive_rate"] == pytest.approx(flagged[own["label"] == 0].mean())
    assert row["recall_low"] < row["recall"] < row["recall_high"]


def test_a_group_of_one_class_has_no_auc(scores) -> None:
    found = evaluate_groups(scores, label="label", score="score", groups=["label"])
    assert found["roc_auc"].isna().all()


@pytest.mark.parametrize("share", [0.001, 0.05, 1.0])
def test_no_more_rows_are_flagged_than_can_be_taken_care_of(share, scores, lay_out) -> None:
    frame = lay_out(scores)
    threshold = threshold_at_capacity(frame["label"], frame["score"], share=share)
    score = scores["score"].to_numpy()
    assert (score >= threshold).mean() <= share
    lower = score[score < threshold]
    assert not len(lower) or (score >= lower.max()).mean() > share
    assert np.isfinite(threshold)
