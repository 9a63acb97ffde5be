"""What earlier runs took is remembered by workflow, whatever folder they wrote to."""

import json
from pathlib import Path

import pytest

from dmlkit.workflow.durations import KEPT, earlier_runs, input_size, remember_run
from dmlkit.workflow.store import StageRecord

FILES = [{"path": "a", "bytes": 60}, {"path": "b", "bytes": 40}]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("DMLKIT_CACHE", str(folder))
    return folder


def records(seconds: float, state: str = "done") -> list[StageRecord]:
    return [
        StageRecord("read", "f", state, rows=10, seconds=seconds),
        StageRecord("split", "f", seconds=1.0),
    ]


def test_finished_runs_are_remembered_the_newest_last(tmp_path: Path) -> None:
    for seconds in (3.0, 4.0):
        remember_run("fraud/detection", records(seconds), FILES)
    remember_run("other", records(9.0), FILES)
    told = earlier_runs(tmp_path / "out", "fraud/detection")
    assert [each["seconds"]["read"] for each in told] == [3.0, 4.0]
    assert told[0] == {"seconds": {"read": 3.0, "split": 1.0}, "rows": {"read": 10}, "size": 100}


def test_only_the_last_ones_are_kept(tmp_path: Path) -> None:
    for seconds in range(KEPT + 3):
        remember_run("w", records(seconds), FILES)
    assert [each["seconds"]["read"] for each in earlier_runs(tmp_path, "w")] == list(
        range(3, KEPT + 3)
    )


def test_a_run_that_took_stages_over_tells_nothing_of_them(tmp_path: Path) -> None:
    remember_run("w", records(0.0, state="resumed"), FILES)
    assert earlier_runs(tmp_path, "w") == []


def test_the_manifest_of_the_folder_counts_most(tmp_path: Path) -> None:
    stages = [{"name": "read", "seconds": 7.0, "rows": 10}]
    manifest = {"workflow": "w", "stages": stages, "inputs": FILES, "input_files": 2}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    remember_run("w", records(3.0), FILES)
    told = earlier_runs(tmp_path, "w")
    assert [each["seconds"]["read"] for each in told] == [3.0, 7.0]
    assert told[-1]["size"] == 100
    assert len(earlier_runs(tmp_path, "other")) == 0


def test_a_run_elsewhere_counts_until_there_is_one_here(tmp_path: Path) -> None:
    there = {"seconds": {"read": 9.0, "split": 1.0}}
    assert earlier_runs(tmp_path, "w", there) == [{**there, "elsewhere": True}]
    remember_run("w", records(3.0), FILES)
    assert [each["seconds"]["read"] for each in earlier_runs(tmp_path, "w", there)] == [3.0]


def test_a_cache_that_cannot_be_written_or_read_harms_nothing(tmp_path: Path, cache: Path) -> None:
    cache.write_text("a file, no folder")
    remember_run("w", records(3.0), FILES)
    assert earlier_runs(tmp_path, "w") == []
    cache.unlink()
    cache.mkdir()
    (cache / "durations-w.jsonl").write_text('{"seconds": {"read": 3')
    assert earlier_runs(tmp_path, "w") == []


@pytest.mark.parametrize(
    ("files", "size"), [(FILES, 100), ([], None), ([*FILES, {"path": "c", "bytes": None}], None)]
)
def test_the_size_of_the_input_is_known_or_not(files: list[dict], size: int | None) -> None:
    assert input_size(files) == size
