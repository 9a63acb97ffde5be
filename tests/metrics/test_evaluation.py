"""An evaluation says in one pass what the single metrics say."""

import json

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dmlkit import metrics
from dmlkit.errors import InputError
from dmlkit.metrics import Costs, evaluate_binary

NAMES = {"label": "label", "score": "score", "time": "time", "entity": "card"}


def test_its_figures_are_those_of_the_single_metrics(scores, lay_out):
    label, score = scores["label"], scores["score"]
    found = evaluate_binary(lay_out(scores), **NAMES, threshold=0.25, k=20)
    assert found.metrics == pytest.approx(
        {
            "roc_auc": metrics.roc_auc_score(label, score),
            "average_precision": metrics.average_precision_score(label, score),
            "log_loss": metrics.log_loss(label, score),
            "brier": metrics.brier_score_loss(label, score),
            "precision": metrics.precision_score(label, score, threshold=0.25),
            "recall": metrics.recall_score(label, score, threshold=0.25),
            "precision_at_20": metrics.precision_at_k(label, score, k=20),
            "lift_at_1_percent": metrics.lift(label, score, share=0.01),
            "lift_at_5_percent": metrics.lift(label, score, share=0.05),
            "expected_calibration_error": metrics.expected_calibration_error(label, score),
            "card_precision_at_20": metrics.card_precision_at_k(
                scores, label="label", score="score", time="time", card="card", k=20
            ),
        },
        abs=1e-12,
    )
    assert (found.rows, found.positives) == (len(scores), scores["label"].sum())


def test_the_histogram_counts_each_class(scores, lay_out):
    histogram = evaluate_binary(lay_out(scores), **NAMES, replicates=0).histogram
    score, positive = scores["score"].to_numpy(), scores["label"].to_numpy() == 1
    bin_of = np.clip(np.searchsorted(histogram.edges, score, side="right") - 1, 0, 49)
    for counts, rows in ((histogram.positives, positive), (histogram.negatives, ~positive)):
        np.testing.assert_array_equal(counts, np.bincount(bin_of[rows], minlength=50))


def test_rows_are_read_once(scores):
    """The table behind a lazy frame may be large: all figures come from one pass over it."""
    reads = []

    def read(partition: int) -> pd.DataFrame:
        reads.append(partition)
        return scores.iloc[partition * 2000 : (partition + 1) * 2000]

    frame = dd.from_map(read, range(3), meta=scores.head(0))
    with dask.config.set(scheduler="synchronous"):
        evaluate_binary(frame, **NAMES, costs=Costs())
    assert sorted(reads) == [0, 1, 2]


def test_it_runs_on_worker_processes(client, scores):
    frame = dd.from_pandas(scores, npartitions=5, sort=False)
    here = evaluate_binary(scores, **NAMES, k=20)
    there = evaluate_binary(frame, **NAMES, k=20)
    assert there.metrics == pytest.approx(here.metrics, abs=1e-12)


def test_it_can_be_written_as_json(scores):
    evaluation = evaluate_binary(scores, **NAMES, costs=Costs())
    told = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert told["metrics"] == evaluation.metrics
    assert told["roc"]["threshold"][0] is None
    assert len(told["gain"]["checked"]) == len(evaluation.gain.checked)


def test_one_class_only_is_an_error(scores):
    with pytest.raises(InputError, match="All 6,000 rows have the label 0"):
        evaluate_binary(scores.assign(label=0), **NAMES)


def test_margins_are_an_error(scores):
    with pytest.raises(InputError, match="needs probabilities"):
        evaluate_binary(scores.assign(score=scores["score"] * 10), **NAMES)
