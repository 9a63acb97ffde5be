"""A job whose client was killed leaves no process, and nothing but what it can go on from."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from dmlkit.cluster.scratch import remove_scratch
from dmlkit.workflow import guard

JOB = """
import os, signal, sys, time
from pathlib import Path
from dmlkit.workflow.destination import find_destination
from dmlkit.workflow.guard import guarded

out = Path(sys.argv[1])
with find_destination(out).claimed() as staging, guarded(out):
    for name in ("a.json", "b.json", "manifest.json"):
        (staging.folder / name).write_text("new")
    if "publishing" in sys.argv:
        rename = Path.replace
        def replace(path, target):
            rename(path, target)
            if path.name == "a.json" and path.parent == staging.folder:
                os.kill(os.getpid(), signal.SIGKILL)
        Path.replace = replace
        staging.publish("manifest.json")
    os.kill(os.getpid(), signal.SIGKILL if "killed" in sys.argv else signal.SIGINT)
    time.sleep(60)
"""


def run_job(out: Path, *arguments: str) -> int:
    code = subprocess.run(
        [sys.executable, "-c", JOB, str(out), *arguments], check=False, capture_output=True
    ).returncode
    guards = [each for each in psutil.process_iter(["cmdline"]) if waits_for(each, out)]
    assert not guards or code == -signal.SIGKILL
    assert not psutil.wait_procs(guards, timeout=60)[1]
    return code


def waits_for(process: psutil.Process, out: Path) -> bool:
    return guard.WAITING in (process.info["cmdline"] or []) and process.info["cmdline"][-1] == str(
        out
    )


def content(out: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(out.iterdir())}


OLD = dict.fromkeys(("a.json", "b.json"), "old")
OLD["manifest.json"] = '{"workflow": "w", "artefacts": {}}'


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """What an earlier job has left."""
    for name, text in OLD.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_what_a_killed_job_left_is_removed_without_another_job(out: Path) -> None:
    assert run_job(out, "killed") == -signal.SIGKILL
    assert content(out) == OLD


def test_a_job_that_was_killed_as_it_published_is_published(out: Path) -> None:
    assert run_job(out, "publishing") == -signal.SIGKILL
    assert content(out) == dict.fromkeys(OLD, "new")


def test_a_stopped_job_clears_up_itself(out: Path) -> None:
    began = time.monotonic()
    assert run_job(out) == -signal.SIGINT
    assert time.monotonic() - began < 30
    assert content(out) == OLD


def test_another_job_that_writes_there_by_then_is_left_alone(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dmlkit.workflow.destination import find_destination

    monkeypatch.setattr(guard, "WORKERS_END", 0.0)
    with find_destination(out).claimed() as staging:
        (staging.folder / "a.json").write_text("newer")
        guard.clear_up_after(out)
        assert (staging.folder / "a.json").exists()
    assert content(out) == OLD


WORKER = """
import os, sys
from distributed.diskutils import WorkSpace
made = WorkSpace(sys.argv[1]).new_work_dir(prefix="worker-")
open(os.path.join(made.dir_path, "spilled"), "w").write("1")
print(flush=True)
sys.stdin.read()
os._exit(9)
"""


def test_what_workers_left_on_disk_is_removed_where_they_live_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dmlkit.cluster.scratch.temporary_folder", lambda: str(tmp_path))
    space = tmp_path / "dask-scratch-space"
    command = [sys.executable, "-c", WORKER, str(space)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        worker.stdout.readline()
        remove_scratch()
        assert len(list(space.glob("worker-*/spilled"))) == 1
        worker.communicate()
    assert len(list(space.glob("worker-*/spilled"))) == 1
    remove_scratch()
    assert {path.name for path in space.iterdir()} <= {"global.lock", "purge.lock"}
    assert os.access(space, os.W_OK)
