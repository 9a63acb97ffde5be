"""Bootstrap intervals draw whole blocks, and what their score bins leave out is bounded."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from dmlkit.errors import ConfigurationError
from dmlkit.metrics import evaluate_binary
from dmlkit.metrics.bootstrap import STEPS, Blocks, lazy_counts, metrics_of
from dmlkit.metrics.ranked import rank_rows
from dmlkit.metrics.rows import source_of

NAMES = {"label": "label", "score": "score"}


def counted(frame: pd.DataFrame, blocks: Blocks, threshold: float):
    source = source_of(frame, "label", "score", others=["card"])
    return source.compute(lazy_counts(source, rank_rows(source), blocks, threshold))[0]


def fine_scores(rows: int = 40_000) -> pd.DataFrame:
    random = np.random.default_rng(11)
    score = random.beta(0.3, 6, rows)
    return pd.DataFrame(
        {
            "label": (random.random(rows) < score**1.5).astype(int),
            "score": score,
            "card": random.integers(0, 100, rows),
        }
    )


def test_bins_change_the_area_by_less_than_their_bound():
    frame = fine_scores()
    counts = counted(frame, Blocks(), 0.5)
    binned = metrics_of(counts.sums, counts.cuts, 0.5)
    exact = roc_auc_score(frame["label"], frame["score"])
    assert binned["roc_auc"][0] != exact
    assert binned["roc_auc"][0] == pytest.approx(exact, abs=1 / STEPS)
    flagged = frame["score"] >= 0.5
    assert binned["precision"][0] == frame["label"][flagged].mean()
    assert binned["log_loss"][0] == pytest.approx(
        -np.log(np.where(frame["label"] == 1, frame["score"], 1 - frame["score"])).mean()
    )


def test_a_replicate_shifted_by_the_known_difference_is_the_metric_of_its_drawn_rows():
    """Draw cards, and compute the metrics from the rows themselves with their multiplicities."""
    frame = fine_scores()
    label, score = frame["label"], frame["score"]
    counts = counted(frame, Blocks(entity="card"), 0.5)
    times = np.random.default_rng(0).multinomial(200, np.full(200, 1 / 200), size=20)
    times[0] = 1  # the point itself
    drawn = metrics_of(np.tensordot(times.astype(float), counts.sums, axes=1), counts.cuts, 0.5)
    source = source_of(frame, "label", "score", others=["card"])
    block = Blocks(entity="card").of(frame, source.compute(source.rows)[0][0])
    for name, metric, bound in (
        ("roc_auc", roc_auc_score, 1e-4),
        ("average_precision", average_precision_score, 1e-3),
    ):
        exact = np.array([metric(label, score, sample_weight=time[block]) for time in times])
        shifted = drawn[name] + (exact[0] - drawn[name][0])
        np.testing.assert_allclose(shifted, exact, atol=bound)


def test_intervals_are_the_same_whatever_the_partitioning(scores, lay_out):
    expected = evaluate_binary(scores, **NAMES, entity="card", threshold=0.25).intervals
    found = evaluate_binary(lay_out(scores), **NAMES, entity="card", threshold=0.25).intervals
    assert found.keys() == expected.keys()
    for name, interval in found.items():
        assert interval == pytest.approx(expected[name], abs=1e-9)


def test_an_interval_holds_the_exact_value_and_follows_the_seed(scores):
    first, again, other = (
        evaluate_binary(scores, **NAMES, time="time", entity="card", k=10, seed=seed)
        for seed in (0, 0, 1)
    )
    assert first.intervals == again.intervals
    assert first.intervals != other.intervals
    for name, (low, high) in first.intervals.items():
        assert low < first.metrics[name] < high


def test_rows_drawn_alone_spread_as_much_as_theory_says(scores):
    """The error of a share of rows (recall) is that of a binomial."""
    evaluation = evaluate_binary(scores, **NAMES, threshold=0.25, replicates=2000)
    recall, positives = evaluation.metrics["recall"], evaluation.positives
    expected = 2 * 1.96 * np.sqrt(recall * (1 - recall) / positives)
    low, high = evaluation.intervals["recall"]
    assert high - low == pytest.approx(expected, rel=0.1)


def test_copies_within_an_entity_do_not_make_the_interval_narrower(scores):
    """Ten copies of each row tell nothing new; only drawing whole cards knows."""
    copies = pd.concat([scores] * 10, ignore_index=True)
    by_row, by_card, once = (
        evaluate_binary(frame, **NAMES, entity=entity, replicates=500).intervals["roc_auc"]
        for frame, entity in ((copies, None), (copies, "card"), (scores, "card"))
    )
    assert np.diff(by_card) == pytest.approx(np.diff(once), abs=1e-12)
    assert np.diff(by_row) < np.diff(by_card) / 2


@pytest.mark.parametrize(
    ("names", "drawn"),
    [({"entity": "card"}, "of a card"), ({"time": "time"}, "of a day"), ({}, "single rows")],
)
def test_the_method_says_what_is_drawn(scores, names, drawn):
    evaluation = evaluate_binary(scores, **NAMES, **names, replicates=5)
    assert drawn in evaluation.interval_method


def test_no_replicates_give_no_intervals(scores):
    evaluation = evaluate_binary(dd.from_pandas(scores, npartitions=2), **NAMES, replicates=0)
    assert evaluation.intervals == {}
    with pytest.raises(ConfigurationError, match="replicates is -1"):
        evaluate_binary(scores, **NAMES, replicates=-1)
