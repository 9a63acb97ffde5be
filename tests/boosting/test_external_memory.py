"""Rows and bins in files: the same model, little memory, nothing left behind."""

import errno
import gc
import pickle
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.dataframe as dd
import distributed
import numpy as np
import pandas as pd
import pytest
from distributed import Client
from pandas.testing import assert_frame_equal

from dmlkit.boosting import XGBClassifier, XGBRanker, elastic
from dmlkit.boosting.memory import MemoryPlan, TableSize, plan_memory
from dmlkit.boosting.plan import Plan
from dmlkit.boosting.stored_rows import StoredRows, rows_of, stored
from dmlkit.errors import ConfigurationError, OutputError, TrainingError

ROWS = 30_000


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Rows with all types that a model takes; some values are missing."""
    random = np.random.default_rng(0)
    amount = random.gamma(2.0, 25.0, ROWS).astype(np.float32)
    amount[::50] = np.nan
    count = random.integers(0, 9, ROWS)
    shop = pd.Categorical.from_codes(random.integers(-1, 3, ROWS), ["a", "b", "c"])
    score = np.nan_to_num(amount) / 50 + (count > 6) + random.normal(size=ROWS)
    return pd.DataFrame(
        {
            "amount": amount,
            "count": count,
            "night": random.random(ROWS) < 0.3,
            "shop": shop,
            "fraud": (score > 2.5).astype(int),
        }
    )


def fitted(table: pd.DataFrame, **parameters: object) -> XGBClassifier:
    frame = dd.from_pandas(table, npartitions=5)
    X, y = frame.drop(columns="fraud"), frame["fraud"]
    model = XGBClassifier(n_estimators=8, eval_metric=["logloss", "auc"], shards=2, **parameters)
    return model.fit(X, y, eval_set=[(X, y)])


def files_of_workers(client: Client) -> list[str]:
    def found(dask_worker: distributed.Worker) -> list[str]:
        folder = Path(dask_worker.local_directory)
        gc.collect()
        return [str(each) for kind in ("rows-*", "bins-*") for each in folder.glob(kind)]

    return [name for names in client.run(found).values() for name in names]


def test_the_model_is_the_same_and_no_file_is_left(table: pd.DataFrame, client: Client) -> None:
    in_memory = fitted(table, external_memory=False)
    in_files = fitted(table, external_memory=True)
    assert in_files.get_booster().save_raw() == in_memory.get_booster().save_raw()
    assert in_files.evals_result() == in_memory.evals_result()
    until = time.monotonic() + 10
    while (left := files_of_workers(client)) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []


def test_rows_of_another_worker_are_kept_in_the_folder_of_this_one(
    table: pd.DataFrame, client: Client
) -> None:
    def folder_of(rows: StoredRows) -> str:
        return str(rows.place.file.parent)

    here, there = client.scheduler_info()["workers"]
    rows = client.submit(stored, table, workers=[here], pure=False)
    own, moved = (
        client.submit(folder_of, rows, workers=[address], pure=False).result()
        for address in (here, there)
    )
    folders = client.run(lambda dask_worker: dask_worker.local_directory)
    assert (own, moved) == (folders[here], folders[there])


def test_what_does_not_fit_goes_to_files_by_itself(
    table: pd.DataFrame, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    external = []

    def train(plan: Plan, *others: Any) -> Any:
        external.append(plan.external_memory)
        return elastic.train(plan, *others)

    monkeypatch.setattr("dmlkit.boosting.model.train", train)
    in_memory = fitted(table)
    monkeypatch.setattr("dmlkit.cluster.sizes.limit_of_workers", lambda _: 2**20)
    in_files = fitted(table)
    assert external == [False, True]
    assert in_files.get_booster().save_raw() == in_memory.get_booster().save_raw()


def test_queries_are_ranked_from_files(client: Client) -> None:
    random = np.random.default_rng(1)
    offers = pd.DataFrame({"x": random.normal(size=3000), "query": np.repeat(range(300), 10)})
    offers["clicked"] = (offers["x"] + random.normal(size=3000) > 1).astype(int)
    frame = dd.from_pandas(offers, npartitions=3)
    models = [
        XGBRanker(n_estimators=4, external_memory=where).fit(
            frame[["x"]], frame["clicked"], qid=frame["query"]
        )
        for where in (True, False)
    ]
    assert models[0].get_booster().save_raw() == models[1].get_booster().save_raw()


def test_the_folder_of_a_worker_that_was_closed_is_not_used(
    monkeypatch: pytest.MonkeyPatch, table: pd.DataFrame, tmp_path: Path
) -> None:
    closed = SimpleNamespace(local_directory=str(tmp_path / "gone"))
    monkeypatch.setattr(distributed.Worker, "_instances", [closed])
    assert len(stored(table)) == len(table)


def test_stored_rows_are_the_rows_and_go_with_what_holds_them(table: pd.DataFrame) -> None:
    rows = stored(table)
    assert_frame_equal(rows_of(rows), table)
    assert_frame_equal(rows_of(rows, 10, 30), table.iloc[10:30].reset_index(drop=True))
    assert_frame_equal(rows_of(stored(table[:0])), table[:0])
    sent = pickle.loads(pickle.dumps(rows, protocol=5))
    assert sent.place.file != rows.place.file
    assert_frame_equal(rows_of(sent), table)
    file = rows.place.file
    del rows
    gc.collect()
    assert not file.exists()
    assert sent.place.file.exists()


def test_a_full_disk_is_told_and_half_a_file_is_not_left(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "no more")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("dmlkit.boosting.stored_rows.pa.ipc.new_file", full)
    with pytest.raises(OutputError, match=r"No space left.*temporary-directory"):
        stored(table)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_too_small_for_bins_is_told_at_once(table: pd.DataFrame, client: Client) -> None:
    client.run(lambda: setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000)))
    try:
        with pytest.raises(TrainingError, match=r"bins need about .* where 0.98 kiB are left"):
            fitted(table, external_memory=True)
    finally:
        client.restart()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"external_memory": "yes"}, "must be True, False or 'auto'"),
        ({"external_memory": True, "tree_method": "exact"}, "tree_method is 'exact'"),
    ],
)
def test_what_cannot_be_had_is_told(given: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigurationError, match=what):
        XGBClassifier(**given)


def plan(limit: int, **parameters: object) -> MemoryPlan:
    size = TableSize(10_000_000, 40)
    return plan_memory(size, [TableSize(1_000_000, 40)], parameters, processes=2, limit=limit)


def test_a_plan_tells_what_fits_and_what_to_do() -> None:
    roomy, tight, hopeless = plan(4 << 30), plan(1 << 30), plan(256 << 20)
    assert roomy.fits
    assert roomy.advice == "It fits."
    assert not tight.fits
    assert tight.in_files().fits
    assert "in files of the workers" in tight.advice
    assert "give each worker" in hopeless.advice
    assert plan(4 << 30, max_bin=1024).bins > 1.9 * roomy.bins
    assert plan(4 << 30, max_depth=10).histograms > 10 * roomy.histograms
    assert "10,000,000 x 40" in str(roomy)
    nothing = plan_memory(TableSize(0, 40), [], {}, processes=1, limit=0)
    assert nothing.advice == "There are no rows to train on."


def test_an_estimator_tells_its_plan(table: pd.DataFrame, client: Client) -> None:
    frame = dd.from_pandas(table, npartitions=3)
    found = XGBClassifier().plan(frame.drop(columns="fraud"))
    assert (found.rows, found.features, found.processes, found.limit) == (ROWS, 4, 1, 2 << 30)


@pytest.mark.parametrize(
    ("rows", "features", "partitions", "processes", "team", "measured"),
    [
        (250_000, 20, 4, 1, 1, 181),
        (300_000, 200, 8, 1, 1, 674),
        (1_000_000, 40, 8, 2, 1, 298),
        (2_000_000, 40, 12, 2, 1, 414),
        (4_000_000, 40, 24, 2, 1, 519),
        (6_000_000, 10, 12, 2, 1, 372),
        (1_000_000, 40, 8, 1, 2, 396),
        (4_000_000, 40, 32, 1, 2, 693),
        (6_000_000, 10, 48, 1, 2, 607),
    ],
)
def test_the_process_that_trains_takes_what_was_planned(
    rows, features, partitions, processes, team, measured
):
    """Its largest resident memory, in MiB, in trainings with workers of one thread."""
    size = TableSize(rows, features, partitions)
    plan = plan_memory(size, [], {}, processes=processes, team=team, limit=6 << 30)
    assert plan.of_process / (measured << 20) == pytest.approx(1.0, abs=0.25)
