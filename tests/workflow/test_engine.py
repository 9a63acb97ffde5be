"""Running a workflow: order, resuming, redoing what changed, and what a failure leaves."""

import json
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from dmlkit.errors import ConfigurationError, InputError, MissingFileError
from dmlkit.observe import Event, StageEvent
from dmlkit.workflow import Keep, Run, Settings, Workflow, run_workflow

TEXT = Keep(save=lambda path, text: path.write_text(text), load=lambda path: path.read_text())


class Sizes(Settings):
    first: int = 1
    last: int = 2


def counting_job(calls: list[str], failing: str | None = None) -> Workflow:
    """A job of four stages that notes which of them were called."""
    job = Workflow("counting", Sizes, "Counts.")

    def enter(name: str) -> None:
        calls.append(name)
        if name == failing:
            raise InputError(f"{name} was told to fail")

    @job.stage
    def read(run: Run) -> str:
        enter("read")
        return run.data or ""

    @job.stage(uses=["first"], keep=TEXT)
    def first(run: Run, read: str) -> str:
        enter("first")
        run.note(rows=3, length=len(read))
        return f"{read} {run.configuration.first}"

    @job.stage(uses=["last"], keep=TEXT)
    def last(run: Run, first: str) -> str:
        enter("last")
        return f"{first} {run.configuration.last}"

    @job.stage
    def publish(run: Run, last: str) -> None:
        enter("publish")
        length = run.records["first"].notes["length"]
        (run.staging / "metrics.json").write_text(json.dumps({"text": last, "length": length}))

    return job


@pytest.fixture
def data(tmp_path: Path) -> str:
    path = tmp_path / "table.csv"
    path.write_text("a\n1\n")
    return str(path)


def run_counting(
    data: str, out: Path, failing: str | None = None, resume: bool = False, **sizes: int
) -> list[str]:
    calls: list[str] = []
    job = counting_job(calls, failing)
    run_workflow(job, data=data, out=out, configuration=Sizes(**sizes), resume=resume)
    return calls


def test_a_job_leaves_artefacts_and_a_manifest(client: Client, data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    events: list[Event] = []
    result = run_workflow(counting_job([]), data=data, out=out, listeners=[events.append])
    assert json.loads((out / "metrics.json").read_text()) == {
        "text": f"{data} 1 2",
        "length": len(data),
    }
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest == result.manifest
    assert [stage["name"] for stage in manifest["stages"]] == ["read", "first", "last", "publish"]
    assert manifest["inputs"][0]["path"] == data
    assert set(manifest["artefacts"]) == {"metrics.json"}
    states = [(e.stage, e.state) for e in events if isinstance(e, StageEvent)]
    assert [state for state in states if state[1] != "running"] == [
        (stage, state)
        for stage in ("read", "first", "last", "publish")
        for state in ("started", "done")
    ]


def test_a_finished_job_is_shown_in_a_notebook(client: Client, data: str, tmp_path: Path) -> None:
    result = run_workflow(counting_job([]), data=data, out=tmp_path / "<out>")
    (result.out / "metrics.json").write_text('{"auc": 0.91239, "auc.low": 0.9, "auc.high": 1}')
    page = result._repr_html_()
    for told in ("counting", "publish", "done", "0.9124", "0.9 to 1", "&lt;out&gt;"):
        assert told in page
    assert "<out>" not in page


def test_a_job_goes_on_after_the_last_finished_stage(
    client: Client, data: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="last was told to fail"):
        run_counting(data, out, failing="last")
    assert not (out / "manifest.json").exists()
    assert run_counting(data, out, resume=True) == ["last", "publish"]
    assert json.loads((out / "metrics.json").read_text())["length"] == len(data)


def test_a_stage_is_redone_when_its_settings_changed_and_so_are_those_after_it(
    client: Client, data: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_counting(data, out)
    assert run_counting(data, out, resume=True, last=5) == ["last", "publish"]
    assert run_counting(data, out, resume=True, first=7, last=5) == [
        "read",
        "first",
        "last",
        "publish",
    ]


def test_all_is_redone_when_the_input_changed(client: Client, data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_counting(data, out)
    Path(data).write_text("a\n1\n2\n")
    assert run_counting(data, out, resume=True) == ["read", "first", "last", "publish"]


@pytest.mark.parametrize("pattern", ["day=*", "day=?", "day=1/?.csv", "*/*.csv"])
def test_all_is_redone_when_a_file_changed_that_a_glob_matches_or_whose_folder(
    client: Client, tmp_path: Path, pattern: str
) -> None:
    out, file = tmp_path / "out", tmp_path / "t" / "day=1" / "x.csv"
    file.parent.mkdir(parents=True)
    file.write_text("a\n1\n")
    run_counting(f"{tmp_path}/t/{pattern}", out)
    manifest = json.loads((out / "manifest.json").read_text())
    assert [each["path"] for each in manifest["inputs"]] == [str(file)]
    assert run_counting(f"{tmp_path}/t/{pattern}", out, resume=True) == ["publish"]
    file.write_text("a\n1\n2\n")  # in place: the folder is as it was
    calls = run_counting(f"{tmp_path}/t/{pattern}", out, resume=True)
    assert calls == ["read", "first", "last", "publish"]


def test_a_kept_result_that_is_gone_is_made_again(
    client: Client, data: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_counting(data, out)
    (out / "stages" / "last").unlink()
    assert run_counting(data, out, resume=True) == ["last", "publish"]


def test_without_resume_nothing_is_taken_over(client: Client, data: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_counting(data, out)
    assert run_counting(data, out) == ["read", "first", "last", "publish"]


def test_a_job_that_fails_at_once_leaves_nothing(client: Client, data: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        run_counting(data, tmp_path / "out", failing="read")
    assert not (tmp_path / "out").exists()


def test_a_job_that_failed_as_it_kept_its_first_result_can_be_run_again(
    client: Client, data: str, tmp_path: Path
) -> None:
    broken = [True]

    def save(path: Path, text: str) -> None:
        path.write_text(text)
        if broken:
            raise InputError("half of it is written")

    job = Workflow("keeping", Sizes, "Keeps.")

    @job.stage(keep=Keep(save=save, load=Path.read_text))
    def kept(run: Run) -> str:
        return "whole"

    with pytest.raises(InputError, match="half of it"):
        run_workflow(job, data=data, out=tmp_path / "out")
    assert (tmp_path / "out" / "stages" / "kept").exists()
    broken.clear()
    result = run_workflow(job, data=data, out=tmp_path / "out", resume=True)
    assert [stage["state"] for stage in result.manifest["stages"]] == ["done"]


def test_an_earlier_result_outlives_a_failing_job(
    client: Client, data: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_counting(data, out)
    before = (out / "metrics.json").read_text()
    with pytest.raises(InputError):
        run_counting(data, out, failing="publish", last=9)
    assert (out / "metrics.json").read_text() == before
    assert json.loads((out / "manifest.json").read_text())["configuration"]["last"] == 2


def test_data_that_is_not_there_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="no data at"):
        run_workflow(counting_job([]), data=str(tmp_path / "none"), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_stage_that_takes_what_no_earlier_one_gives_is_refused() -> None:
    job = Workflow("wrong", Sizes, "Wrong.")

    def stage(run: Run, missing: Any) -> None: ...

    with pytest.raises(ConfigurationError, match="takes 'missing', which no earlier stage"):
        job.stage(stage)


def test_a_stage_that_uses_settings_that_are_not_there_is_refused() -> None:
    job = Workflow("wrong", Sizes, "Wrong.")

    def stage(run: Run) -> None: ...

    with pytest.raises(ConfigurationError, match="uses the settings 'middle'"):
        job.stage(uses=["middle"])(stage)


def test_a_job_that_makes_no_table_asks_for_one(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'counting' needs a table: name it with --data"):
        run_workflow(counting_job([]), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
