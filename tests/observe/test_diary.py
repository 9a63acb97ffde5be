"""The story outlives its scheduler where a folder is named for it."""

import json
import time
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster

from dmlkit.observe import diary as diaries
from dmlkit.observe import install, take_snapshot
from dmlkit.observe.diary import Diary, open_diary
from dmlkit.observe.story import Story
from tests.observe.test_losses_of_workers import until
from tests.observe.test_story import rounds, snapshot, story, tell

__all__ = ["story"]  # a fixture


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history" / "history.jsonl"


def kept(story: Story, file: Path, now: float) -> None:
    """Let a scheduler keep its story, and end."""
    diary = Diary(file)
    story.note(now, diary)
    diary.close()


def after(file: Path) -> Story:
    """The story of the next scheduler."""
    story = Story(100.0)
    story.past = Diary(file).read()
    return story


def test_runs_trainings_and_losses_are_there_after_the_schedulers_end(
    story: Story, file: Path
) -> None:
    rounds(story, 5, 10)
    story.losses.learn("tcp://a:0", "nanny: code -9", exit_code=-9)
    story.lose(10.0, "tcp://a:0", {"x-1"}, running=1)
    tell(story, 12.0, "workflow", state="done")
    kept(story, file, 12.0)
    told = snapshot(after(file), 100.0)
    assert (told["workflows"][0]["state"], told["workflows"][0]["seconds"]) == ("done", 11.0)
    assert (told["trainings"][0]["round"], told["losses"][0]["cause"]) == (9, "killed")
    assert told["loss_counts"] == {"killed": 1}


def test_a_run_that_went_on_is_told_to_have_ended_with_the_scheduler(
    story: Story, file: Path
) -> None:
    rounds(story, 5, 10)
    kept(story, file, 12.0)
    told = snapshot(after(file), 100.0)
    run = told["workflows"][0]
    assert (run["state"], run["ended"], run["left"]) == ("abandoned", 12.0, None)
    assert run["error"].startswith("The scheduler ended while it ran")
    assert [stage["state"] for stage in run["stages"]] == ["done", "failed"]
    assert told["trainings"][0]["state"] == "ended"


def test_only_what_changed_is_written_again(story: Story, file: Path) -> None:
    diary = Diary(file)
    for now in (10.0, 11.0, 12.0):
        story.note(now, diary)
    tell(story, 13.0, "workflow", state="failed", error="no")
    story.note(13.0, diary)
    diary.close()
    lines = [json.loads(line)["view"]["state"] for line in file.read_text().splitlines()]
    assert lines == ["running", "failed"]


def test_a_line_that_was_cut_short_costs_only_itself(story: Story, file: Path) -> None:
    kept(story, file, 12.0)
    with file.open("a") as cut:
        cut.write('{"kind": "workflow", "view": {"id": "r9", "sta')
    assert [run["id"] for run in Diary(file).read().workflows] == ["r1"]


def test_the_file_is_bounded(story: Story, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diaries, "LONGEST", 50)
    diary = Diary(file)
    for number in range(100):
        facts = {"run": f"n{number}", "workflow": "w", "stages": ["a"]}
        tell(story, 20.0 + number, "workflow", state="started", **facts)
        tell(story, 20.5 + number, "workflow", state="done", **facts)
        story.note(21.0 + number, diary)
        if diary._writing is not None:
            diary._writing.result(10)
    diary.close()
    assert len(file.read_text().splitlines()) <= 51
    newest = Diary(file).read().workflows
    assert (newest[0]["id"], len(newest)) == ("n99", diaries.KEPT["workflow"])


def test_a_folder_that_cannot_be_written_harms_nothing(story: Story, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    kept(story, tmp_path / "taken" / "history.jsonl", 12.0)
    assert Diary(tmp_path / "taken" / "history.jsonl").read().workflows == []


def test_without_the_setting_nothing_is_kept() -> None:
    assert open_diary() is None


def test_a_new_scheduler_with_the_same_folder_shows_the_run_of_the_old_one(tmp_path: Path) -> None:
    facts = {"workflow": "fraud", "stages": ["read"]}
    with dask.config.set({"dmlkit.history": str(tmp_path)}):
        for expected in (None, "abandoned"):
            with (
                LocalCluster(n_workers=0, dashboard_address=":0") as cluster,
                Client(cluster) as client,
            ):
                install(client)
                told = take_snapshot(client)["workflows"]
                assert (told[0]["state"] if told else None) == expected
                run = {"run": f"run-{time.time()}", "client": "nobody", "state": "started"}
                client.log_event("dmlkit", {"kind": "workflow", **facts, **run})
                assert until(lambda: (tmp_path / "history.jsonl").exists())
