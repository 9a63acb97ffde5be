"""A prefix of an object store as the output of a job: one at a time, whole, and cleared up."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmlkit.errors import OutputError
from dmlkit.tables.folders import StoreFolder, find_folder
from dmlkit.workflow import destination, store_lock, store_output
from dmlkit.workflow.destination import find_destination
from dmlkit.workflow.store_lock import LOCK
from tests.tables.stores import make_bucket, s3_server, variables

pytest.importorskip("moto.server")
pytest.importorskip("s3fs")

#: The content of all artefacts: that of a manifest tells that a job wrote it.
OLD, NEW = (json.dumps({"workflow": "w", "artefacts": {}, "of": job}) for job in ("old", "new"))


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with s3_server() as found, variables(found):
        make_bucket(found, "jobs")
        yield found


@pytest.fixture
def out(environment: dict[str, str], request: pytest.FixtureRequest) -> str:
    """A prefix for each test."""
    return f"s3://jobs/{request.node.name[:50]}/out"


def put(out: str, **objects: str) -> StoreFolder:
    folder = StoreFolder(out)
    for name, content in objects.items():
        folder.write(name.replace("__", "/").replace("_json", ".json"), content.encode())
    return folder


def contents(out: str) -> dict[str, str]:
    folder = find_folder(out)
    return {path: folder.read(path).decode() for path in folder.files()}


def publish(out: str, content: str, *names: str) -> None:
    """Publish files of the client, and one that a worker wrote beside them."""
    with find_destination(out).claimed() as staging:
        for name in ("manifest.json", *names):
            (staging.folder / name).write_text(content)
        StoreFolder(f"{staging.tables}/scores").write("part", content.encode())
        staging.publish("manifest.json")


def test_artefacts_replace_earlier_ones_and_nothing_else_stays(out: str) -> None:
    put(out, manifest_json=OLD, scores__old=OLD, quarantine__bad="bad")
    publish(out, NEW, "report")
    assert contents(out) == {
        "manifest.json": NEW,
        "report": NEW,
        "scores/part": NEW,
        "quarantine/bad": "bad",
    }


def test_a_job_that_fails_leaves_what_was_there(out: str) -> None:
    put(out, manifest_json=OLD, scores__old=OLD)
    before = contents(out)
    with pytest.raises(RuntimeError), find_destination(out).claimed() as staging:
        (staging.folder / "report").write_text(NEW)
        StoreFolder(f"{staging.tables}/scores").write("part", b"new")
        raise RuntimeError
    assert contents(out) == before
    assert not staging.folder.exists()


def test_a_reader_never_sees_the_manifest_with_artefacts_of_another_job(
    out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(out, OLD, "report")
    seen: list[dict[str, str]] = []
    copy = store_output.copy_objects

    def watched(source: StoreFolder, target: StoreFolder, paths: list[str]) -> None:
        for path in paths:
            seen.append(contents(out))
            copy(source, target, [path])

    monkeypatch.setattr(store_output, "copy_objects", watched)
    publish(out, NEW, "report")
    now = [{name: each[name] for name in each if not name.startswith(".")} for each in seen]
    assert [sorted(each) for each in now] == [[], ["report"], ["report", "scores/part"]]
    assert all("manifest.json" not in each for each in now)


def test_a_store_that_fails_is_told_with_what_is_there_now(
    out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ConnectionError("the store went away")

    publish(out, OLD, "report")
    before = contents(out)
    with monkeypatch.context() as patched:
        patched.setattr(store_lock, "_check_ours", failing)
        with pytest.raises(OutputError, match=r"(?s)the store went away.*is as it was.*--resume"):
            publish(out, NEW, "report")
    assert contents(out) == before
    with monkeypatch.context() as patched:
        patched.setattr(store_output, "copy_objects", failing)
        with pytest.raises(OutputError, match=r"(?s)went away.*manifest.json is missing until"):
            publish(out, NEW, "report")
    assert contents(out) == {".publishing": '["report", "scores"]'}
    publish(out, NEW, "report")
    assert set(contents(out)) == set(before)


def test_two_jobs_are_kept_apart(out: str) -> None:
    message = rf"Another job.*process {os.getpid()} on {socket.gethostname()}.*another --out"
    with find_destination(out).claimed():
        with pytest.raises(OutputError, match=message), find_destination(out).claimed():
            pass
        assert LOCK in contents(out)
    assert contents(out) == {}


def test_what_no_job_wrote_is_left_alone(out: str) -> None:
    put(out, photo="mine")
    with pytest.raises(OutputError, match=r"holds 1 objects.*'photo'.*new prefix"):
        find_destination(out).check()
    assert contents(out) == {"photo": "mine"}


KILLED = """
import sys, time
from pathlib import Path
from dmlkit.tables.folders import StoreFolder
from dmlkit.workflow.destination import find_destination
with find_destination(sys.argv[1]).claimed() as staging:
    StoreFolder(f"{staging.tables}/scores").write("part", b"half")
    StoreFolder(f"{sys.argv[1]}/.quarantine-0").write("bad", b"half")
    StoreFolder(sys.argv[1]).write("_writing-0/owner.json", b"[]")
    print("there", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_job_left_is_cleared_up_by_the_next(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(store_output, "JUST_NOW", 0.0)
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    job = subprocess.Popen(
        [sys.executable, script, out],
        stdout=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(temporary)},
    )
    assert job.stdout is not None and job.stdout.readline() == b"there\n"
    (folder,) = temporary.iterdir()
    with find_destination(f"{out}-2").claimed():
        assert folder.exists()  # in use
    job.send_signal(signal.SIGKILL)
    job.wait()
    owner = [socket.gethostname(), job.pid]
    StoreFolder(out).write("_writing-0/owner.json", json.dumps(owner).encode())
    left = {path.split("/")[0].split("-")[0] for path in contents(out)}
    assert left == {".lock", ".staging", ".quarantine", "_writing"}
    publish(out, NEW)
    assert not list(temporary.iterdir())
    assert contents(out) == {"manifest.json": NEW, "scores/part": NEW}


def of_another_host(out: str) -> None:
    held = {"host": "elsewhere", "process": 1, "token": "another's"}
    StoreFolder(out).write(LOCK, json.dumps(held).encode())


def test_a_job_of_another_host_is_given_up_when_it_gives_no_sign_of_life(
    out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_another_host(out)
    refused = pytest.raises(OutputError, match=r"elsewhere.*sign of life")
    with refused, find_destination(out).claimed():
        pass
    monkeypatch.setattr(store_lock, "ABANDONED", -1.0)
    publish(out, NEW)
    assert contents(out) == {"manifest.json": NEW, "scores/part": NEW}


def test_a_job_lives_by_the_clock_of_the_store_where_that_of_a_machine_is_wrong(
    out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_another_host(out)
    an_hour_late = time.time() + 3600
    monkeypatch.setattr("dmlkit.tables.folders.time.time", lambda: an_hour_late)
    refused = pytest.raises(OutputError, match=r"elsewhere.*sign of life [0-9] s ago")
    with refused, find_destination(out).claimed():
        pass
    assert list(contents(out)) == [LOCK]


def test_a_job_that_was_taken_for_dead_publishes_nothing(out: str) -> None:
    put(out, manifest_json=OLD)
    refused = pytest.raises(OutputError, match=r"Another job has taken over.*Nothing was published")
    with refused, find_destination(out).claimed() as staging:
        of_another_host(out)
        (staging.folder / "manifest.json").write_text(NEW)
        staging.publish("manifest.json")
    assert sorted(contents(out)) == [LOCK, "manifest.json"]


def test_a_job_gives_signs_of_life(out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_lock, "BEAT", 0.05)
    written: list[str] = []
    write = StoreFolder.write
    monkeypatch.setattr(
        StoreFolder,
        "write",
        lambda self, path, content: (written.append(path), write(self, path, content)),
    )
    with find_destination(out).claimed() as staging:
        for _ in range(200):
            if written.count(LOCK) >= 2:
                break
            time.sleep(0.05)
        (staging.folder / "manifest.json").write_text(NEW)
        staging.publish("manifest.json")
    assert written.count(LOCK) >= 2
    assert contents(out) == {"manifest.json": NEW}


def test_an_address_with_credentials_is_refused_without_telling_them() -> None:
    with pytest.raises(OutputError, match="taken from the environment") as caught:
        destination.find_destination("s3://somebody:hush@jobs/out")
    assert "hush" not in str(caught.value)
