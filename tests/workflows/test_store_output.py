"""The fraud job, and scoring with its model, where output and model are in an object store."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from distributed import Client, LocalCluster

from dmlkit import read_table
from dmlkit.tables.folders import StoreFolder
from tests import jobs
from tests.tables.stores import SECRET, make_bucket, s3_server, variables

pytest.importorskip("moto.server")
pytest.importorskip("s3fs")

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

OUT = "s3://jobs/fraud/out"


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Of workers with the credentials in their environment."""
    with s3_server() as found, variables(found):
        make_bucket(found, "jobs")
        with LocalCluster(
            n_workers=2, threads_per_worker=1, memory_limit="2GiB", dashboard_address=None
        ) as cluster:
            yield cluster.scheduler_address


def run(data: Path, scheduler: str, *more: str) -> jobs.Outcome:
    return jobs.dmlkit(
        *("run", "fraud-detection", "--data", data, "--out", OUT, "--json"),
        *("--scheduler", scheduler, *jobs.QUICK_OPTIONS, *more),
    )


@pytest.fixture(scope="module")
def outcome(scheduler: str, transactions: pd.DataFrame, tmp_path_factory) -> jobs.Outcome:
    table = transactions.copy()
    table.loc[5, "amount"] = -1.0
    data = tmp_path_factory.mktemp("tables") / "transactions"
    jobs.write_in_parts(table, data, files=3)
    found = run(data, scheduler)
    assert found.code == 0, found.stderr
    return found


@pytest.fixture(scope="module")
def data(outcome: jobs.Outcome) -> str:
    return str(json.loads(StoreFolder(OUT).read("manifest.json"))["data"])


def test_all_artefacts_are_under_the_prefix(outcome: jobs.Outcome, finished_job: Path) -> None:
    folder = StoreFolder(OUT)
    assert folder.names() == sorted([*(path.name for path in finished_job.iterdir()), "quarantine"])
    told = json.loads(outcome.stdout)
    assert told["report"] == f"{OUT}/report.html"
    assert told["metrics"] == json.loads(folder.read("metrics.json"))
    scores = read_table(f"{OUT}/scores").compute()
    assert (scores["part"] == "test").sum() == told["metrics"]["test.rows"]
    assert len(read_table(f"{OUT}/quarantine")) == 1
    assert json.loads(folder.read("manifest.json"))["configuration"]


def test_the_manifest_has_the_checksum_of_each_artefact(outcome: jobs.Outcome) -> None:
    folder = StoreFolder(OUT)
    told = json.loads(folder.read("manifest.json"))["artefacts"]
    assert {name.partition("/")[0] for name in told} >= {"scores", "model", "report.html"}
    made = [
        name
        for name in folder.files()
        if name.partition("/")[0] not in ("stages", "quarantine", "manifest.json")
    ]
    assert told == {name: hashlib.sha256(folder.read(name)).hexdigest() for name in made}


def test_no_object_and_no_output_tells_the_credentials(outcome: jobs.Outcome) -> None:
    assert SECRET not in outcome.stdout + outcome.stderr
    folder = StoreFolder(OUT)
    assert not [path for path in folder.files() if SECRET.encode() in folder.read(path)]


def test_a_job_goes_on_from_what_the_store_keeps(
    outcome: jobs.Outcome, data: str, scheduler: str
) -> None:
    before = json.loads(StoreFolder(OUT).read("metrics.json"))
    again = run(Path(data), scheduler, "--resume")
    assert again.code == 0, again.stderr
    stages = json.loads(StoreFolder(OUT).read("manifest.json"))["stages"]
    resumed = {stage["name"] for stage in stages if stage["state"] == "resumed"}
    assert {"features", "train", "score"} <= resumed
    assert json.loads(StoreFolder(OUT).read("metrics.json")) == before


def test_rows_are_scored_with_a_model_in_the_store(
    outcome: jobs.Outcome, data: str, scheduler: str
) -> None:
    path = "s3://jobs/fraud/scored"
    options = ("--history", data, "--scheduler", scheduler, "--json")
    found = jobs.dmlkit("score", f"{OUT}/model", "--data", data, "--out", path, *options)
    assert found.code == 0, found.stderr
    assert json.loads(found.stdout)["bad_rows"] == 1
    assert len(read_table(f"{path}-quarantine")) == 1
    key = "transaction_id"
    trained = read_table(f"{OUT}/scores").compute().set_index(key)["score"]
    scored = read_table(path).compute().set_index(key)["score"]
    pd.testing.assert_series_equal(scored.loc[trained.index], trained)


def test_a_worker_without_credentials_is_told_before_the_job(
    outcome: jobs.Outcome, data: str, scheduler: str
) -> None:
    def forget() -> None:
        import os

        import s3fs

        os.environ["AWS_SECRET_ACCESS_KEY"] = ""
        os.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:9"
        s3fs.S3FileSystem.clear_instance_cache()

        from dmlkit.tables import object_store

        object_store._probe.cache_clear()

    with Client(scheduler) as client:
        worker = sorted(client.scheduler_info(n_workers=-1)["workers"])[0]
        client.run(forget, workers=[worker])
    found = run(Path(data), scheduler)
    assert found.code != 0
    assert f"On the worker {worker}: Cannot write to '{OUT}'" in found.stderr
