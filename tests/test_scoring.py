"""Scoring new rows: the scores of the training, bit for bit, whatever the file they come in."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable

from tests.jobs import Outcome, dmlkit


@pytest.fixture
def score(scheduler: str, finished_job: Path, tmp_path: Path) -> Callable[..., Outcome]:
    """Score with the finished job's model into tmp_path/scores."""

    def score_(*arguments: str | Path, model: Path = finished_job / "model") -> Outcome:
        out = ("--out", tmp_path / "scores")
        return dmlkit("score", model, "--scheduler", scheduler, *out, *arguments)

    return score_


@pytest.fixture
def known(finished_job: Path) -> pd.Series:
    """The scores that the job itself gave, by transaction."""
    return scores_in(finished_job / "scores")["score"]


@pytest.fixture
def latest(transactions: pd.DataFrame) -> pd.DataFrame:
    """The transactions of the last three days."""
    return transactions[transactions["time"] >= transactions["time"].max() - pd.Timedelta(days=3)]


def scores_in(folder: Path) -> pd.DataFrame:
    table = DeltaTable(str(folder)).to_pandas()
    return table.set_index("transaction_id").sort_index()


def same_bits(left: pd.Series, right: pd.Series) -> bool:
    return bool((left.to_numpy().view(np.uint32) == right.to_numpy().view(np.uint32)).all())


def test_scores_of_the_whole_table_are_those_of_the_training(
    score: Callable[..., Outcome], transactions_path: Path, known: pd.Series, tmp_path: Path
) -> None:
    outcome = score("--data", transactions_path)
    assert outcome.code == 0, outcome.stderr
    found = scores_in(tmp_path / "scores")["score"]
    assert len(found) > len(known)
    assert same_bits(found[known.index], known)


def test_scores_of_new_rows_with_their_history_are_those_of_the_whole_table(
    score: Callable[..., Outcome],
    transactions: pd.DataFrame,
    latest: pd.DataFrame,
    known: pd.Series,
    tmp_path: Path,
) -> None:
    """The history reaches back as far as windows look, and the new rows have no label yet."""
    latest.drop(columns="fraud").to_parquet(tmp_path / "new.parquet")
    past = transactions[transactions["time"] < latest["time"].min()]
    past.to_parquet(tmp_path / "past.parquet")
    outcome = score("--data", tmp_path / "new.parquet", "--history", tmp_path / "past.parquet")
    assert outcome.code == 0, outcome.stderr
    found = scores_in(tmp_path / "scores")
    assert list(found.index) == sorted(latest["transaction_id"])
    judged = known.index.intersection(found.index)
    assert len(judged) > 500
    assert same_bits(found.loc[judged, "score"], known[judged])
    assert "Traceback" not in outcome.stderr


def test_a_history_may_overlap_with_the_new_rows_and_text_gives_the_same_scores(
    score: Callable[..., Outcome],
    transactions: pd.DataFrame,
    latest: pd.DataFrame,
    known: pd.Series,
    tmp_path: Path,
) -> None:
    latest.to_csv(tmp_path / "new.csv", index=False)
    transactions.to_csv(tmp_path / "all.csv", index=False)
    outcome = score("--data", tmp_path / "new.csv", "--history", tmp_path / "all.csv")
    assert outcome.code == 0, outcome.stderr
    found = scores_in(tmp_path / "scores")
    judged = known.index.intersection(found.index)
    assert len(found) == len(latest)
    assert same_bits(found.loc[judged, "score"], known[judged])


def test_new_rows_without_a_history_are_scored_with_a_warning(
    score: Callable[..., Outcome], latest: pd.DataFrame, tmp_path: Path
) -> None:
    latest.to_parquet(tmp_path / "new.parquet")
    outcome = score("--data", tmp_path / "new.parquet", "--json")
    assert outcome.code == 0
    assert "No --history" in outcome.stderr
    document = json.loads(outcome.stdout)
    assert (document["rows"], document["bad_rows"]) == (len(latest), 0)
    found = scores_in(tmp_path / "scores")
    assert set(found) == {"time", "customer_id", "terminal_id", "amount", "score", "flagged"}
    assert found["score"].between(0, 1).all()


def test_a_history_from_long_ago_changes_nothing(
    score: Callable[..., Outcome], latest: pd.DataFrame, tmp_path: Path
) -> None:
    latest.to_parquet(tmp_path / "new.parquet")
    assert score("--data", tmp_path / "new.parquet").code == 0
    alone = scores_in(tmp_path / "scores")
    shutil.rmtree(tmp_path / "scores")
    old = latest.assign(
        time=latest["time"] - pd.Timedelta(days=400),
        transaction_id=latest["transaction_id"] + 10**6,
    )
    old.to_parquet(tmp_path / "old.parquet")
    outcome = score("--data", tmp_path / "new.parquet", "--history", tmp_path / "old.parquet")
    assert outcome.code == 0, outcome.stderr
    assert "old.parquet' has no rows from 2025-" in outcome.stderr
    assert same_bits(scores_in(tmp_path / "scores")["score"], alone["score"])


def test_bad_new_rows_are_put_aside_and_counted(
    score: Callable[..., Outcome], latest: pd.DataFrame, tmp_path: Path
) -> None:
    bad = latest.reset_index(drop=True)
    bad.loc[:4, "amount"] = -1.0
    bad.to_parquet(tmp_path / "new.parquet")
    outcome = score("--data", tmp_path / "new.parquet")
    assert outcome.code == 0
    assert "5 bad rows" in outcome.stdout
    assert len(pd.read_parquet(tmp_path / "scores-quarantine")) == 5
    assert len(scores_in(tmp_path / "scores")) == len(latest) - 5


def test_scores_are_not_written_over_others(
    score: Callable[..., Outcome], latest: pd.DataFrame, tmp_path: Path
) -> None:
    latest.to_parquet(tmp_path / "new.parquet")
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "mine.txt").write_text("mine")
    outcome = score("--data", tmp_path / "new.parquet")
    assert outcome.code == 1
    assert "scores" in outcome.stderr
    assert [path.name for path in (tmp_path / "scores").iterdir()] == ["mine.txt"]


def test_new_rows_that_lack_a_column_are_refused(
    score: Callable[..., Outcome], latest: pd.DataFrame, tmp_path: Path
) -> None:
    latest.drop(columns="terminal_id").to_parquet(tmp_path / "new.parquet")
    outcome = score("--data", tmp_path / "new.parquet")
    assert outcome.code == 1
    assert "new.parquet' has no column 'terminal_id'" in outcome.stderr
    assert not (tmp_path / "scores").exists()


def damage(model: Path) -> None:
    (model / "model.ubj").write_bytes((model / "model.ubj").read_bytes()[:-10])


def tamper(model: Path) -> None:
    head = (model / "bundle.json").read_text()
    (model / "bundle.json").write_text(head.replace('"threshold": 0.', '"threshold": 9.'))


def cut(model: Path) -> None:
    (model / "features.json").unlink()


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        (damage, "model.ubj in the bundle .* is damaged or was altered"),
        (tamper, "bundle.json in the bundle .* is damaged or was altered"),
        (cut, "not whole: features.json is missing"),
    ],
)
def test_a_bundle_that_is_not_as_it_was_is_refused(
    finished_job: Path, tmp_path: Path, change: Callable[[Path], None], fact: str
) -> None:
    model = tmp_path / "model"
    shutil.copytree(finished_job / "model", model)
    change(model)
    outcome = dmlkit("score", model, "--data", "none", "--out", tmp_path / "scores")
    assert outcome.code == 1
    assert re.search(fact, outcome.stderr)
    assert "Traceback" not in outcome.stderr


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    for model, fact in ((tmp_path, "is no model bundle"), (tmp_path / "none", "no model bundle")):
        outcome = dmlkit("score", model, "--data", "none", "--out", tmp_path / "scores")
        assert (outcome.code, fact in outcome.stderr) == (1, True)
