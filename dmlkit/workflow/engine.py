"""Running a workflow: stages in order, resumed where they still hold, artefacts at the end."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dask
from distributed import Client
from pydantic import BaseModel

from dmlkit.cluster import connect, lost_workers
from dmlkit.errors import ConfigurationError, MissingFileError
from dmlkit.observe import Listener, Notice, StageEvent, WorkflowEvent
from dmlkit.observe.following import follow_run
from dmlkit.observe.watch import watch_cluster
from dmlkit.tables.folders import StoreFolder, find_folder
from dmlkit.workflow import manifest as manifests
from dmlkit.workflow.beforehand import check_beforehand
from dmlkit.workflow.destination import find_destination
from dmlkit.workflow.durations import earlier_runs, input_size, remember_run
from dmlkit.workflow.fingerprint import (
    fingerprint,
    fingerprint_code,
    fingerprint_package,
    input_files,
)
from dmlkit.workflow.guard import guarded
from dmlkit.workflow.job import Stage, Workflow
from dmlkit.workflow.run import Result, Run
from dmlkit.workflow.store import StageRecord, StageStore

__all__ = ["run_workflow"]

#: A model goes to workers in the graph of what it predicts, once and so that no lost worker takes
#: it along. From 10 MB on Dask warns of that, as if rows were in it; nobody could do anything.
MODELS_IN_GRAPHS = {"distributed.admin.large-graph-warning-threshold": "1 GiB"}


def run_workflow(
    workflow: Workflow,
    *,
    data: str | None = None,
    out: str | Path,
    configuration: BaseModel | None = None,
    resume: bool = False,
    anyway: bool = False,
    listeners: Sequence[Listener] = (),
) -> Result:
    """Run a workflow on the current client (a local cluster, if there is none).

    Parameters
    ----------
    workflow : Workflow
    data : str, optional
        The table: a file, folder, glob or URL.
    out : path
        The output folder, or an address in an object store such as ``s3://bucket/prefix``.
        Its artefacts are replaced when the job is done, not before.
    configuration : BaseModel, optional
        The settings; the defaults without.
    resume : bool
        Take over stages that an earlier run into `out` finished, where input, settings and code
        are the same; others are redone.
    anyway : bool
        Begin also where the plan says that it does not fit (see `Workflow.plan`).
    listeners : sequence of callables
        Told of each event (see `dmlkit.observe`).

    Returns
    -------
    Result

    Raises
    ------
    DmlkitError
        The input, the settings, the output folder or the cluster are not fit for the job.
    """
    destination = find_destination(out)
    out = destination.out
    configuration = configuration if configuration is not None else workflow.configuration()
    if data is None and not workflow.makes_data:
        raise ConfigurationError(
            f"The workflow {workflow.name!r} needs a table: name it with --data (data=...)."
        )
    files = input_files(data)
    if data is not None and not files:
        raise MissingFileError(f"There is no data at {data!r}. Check the path.")
    with destination.claimed() as staging, guarded(out):
        run = Run(workflow.name, configuration, data, out, staging.folder, staging.tables)
        store = StageStore(out)
        plan = _plan(workflow, configuration, files, store, resume)
        client = connect()
        foreseen = check_beforehand(
            workflow, client, data, out, configuration, size=input_size(files), anyway=anyway
        )
        began = time.time()
        start = WorkflowEvent(
            workflow.name,
            "started",
            stages=tuple(stage.name for stage in workflow.stages),
            data=data,
            out=str(out),
            earlier=tuple(earlier_runs(out, workflow.name, workflow.took)),
            size=input_size(files),
            planned=foreseen.rows,
        )
        with follow_run(client, start, listeners) as followed:
            run._listener, run._history = followed.tell, followed.history
            for text in foreseen.cautions:
                followed.tell(Notice(text))
            try:
                with dask.config.set(MODELS_IN_GRAPHS):
                    _run_stages(plan, run, client, followed.tell)
            finally:
                store.sweep()
            history = {"workers_lost": lost_workers(client, began), **followed.history()}
            document = _manifest(run, files, history)
            manifests.write_json(staging.folder / "manifest.json", document)
            staging.publish("manifest.json")
            remember_run(workflow.name, run.records.values(), files)
    return Result(out, document)


@dataclass
class _Plan:
    """Stages with their fingerprints, and the results that are there already."""

    workflow: Workflow
    store: StageStore
    fingerprints: dict[str, str]
    finished: dict[str, StageRecord]
    results: dict[str, Any] = field(default_factory=dict)


def _plan(
    workflow: Workflow,
    configuration: BaseModel,
    files: list[dict[str, Any]],
    store: StageStore,
    resume: bool,
) -> _Plan:
    settings = configuration.model_dump(mode="json")
    functions = [stage.function for stage in workflow.stages]
    fingerprints: dict[str, str] = {}
    for stage in workflow.stages:
        fingerprints[stage.name] = fingerprint(
            stage.name,
            fingerprint_code(stage.function, functions),
            fingerprint_package(),
            manifests.versions(),
            {section: settings[section] for section in stage.uses},
            [fingerprints[need] for need in stage.needs] or files,
        )
    finished = {}
    if resume:
        for stage in workflow.stages:
            if record := store.finished(stage, fingerprints[stage.name]):
                finished[stage.name] = record
    return _Plan(workflow, store, fingerprints, _still_of_use(workflow, finished))


def _still_of_use(workflow: Workflow, finished: dict[str, StageRecord]) -> dict[str, StageRecord]:
    """Leave out the finished stages whose result was not kept though a stage to come takes it."""
    of_use = dict(finished)
    for stage in reversed(workflow.stages):
        if stage.name in of_use:
            continue
        for need in stage.needs:
            needed = next(other for other in workflow.stages if other.name == need)
            if needed.keep is None:
                of_use.pop(need, None)
    return of_use


def _run_stages(plan: _Plan, run: Run, client: Client, tell: Listener) -> None:
    stages = plan.workflow.stages
    for number, stage in enumerate(stages, start=1):

        def event(state: Any, number: int = number, stage: Stage = stage, **facts: Any) -> None:
            tell(StageEvent(run.workflow, stage.name, number, len(stages), state, **facts))

        if stage.name in plan.finished:
            record = plan.finished[stage.name]
            run.records[stage.name] = record
            event("resumed", rows=record.rows, bytes=record.bytes, seconds=record.seconds)
            for text in record.warnings:
                tell(Notice(text))
            continue
        plan.store.begin(stage)
        event("started")
        with _failure_told(event), _watched(client, event, tell):
            record = _run_stage(stage, plan, run)
        event("done", rows=record.rows, bytes=record.bytes, seconds=record.seconds)


@contextlib.contextmanager
def _failure_told(event: Any) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    except BaseException:
        event("failed", seconds=time.monotonic() - began)
        raise


@contextlib.contextmanager
def _watched(client: Client, event: Any, tell: Listener) -> Iterator[None]:
    began = time.monotonic()

    def tasks(done: int, total: int) -> None:
        seconds = time.monotonic() - began
        event("running", tasks_done=done, tasks_total=total, seconds=seconds)

    with watch_cluster(client, tasks, tell, since=time.time()):
        yield


def _run_stage(stage: Stage, plan: _Plan, run: Run) -> StageRecord:
    record = StageRecord(stage.name, plan.fingerprints[stage.name])
    run._current = record
    began = time.monotonic()
    needed = {need: _result_of(need, plan) for need in stage.needs}
    result = stage.function(run, **needed)
    if stage.keep is not None:
        written = stage.keep.save(plan.store.result(stage), result)
        run.note(rows=getattr(written, "rows", None), bytes=getattr(written, "bytes", None))
        result = stage.keep.load(plan.store.result(stage))
    record.seconds = round(time.monotonic() - began, 3)
    plan.results[stage.name] = result
    run.records[stage.name] = record
    if stage is not plan.workflow.stages[-1]:  # the last one writes the artefacts: always redone
        plan.store.finish(stage, record)
    return record


def _result_of(name: str, plan: _Plan) -> Any:
    if name not in plan.results:
        stage = next(stage for stage in plan.workflow.stages if stage.name == name)
        assert stage.keep is not None  # see _still_of_use
        plan.results[name] = stage.keep.load(plan.store.result(stage))
    return plan.results[name]


def _manifest(run: Run, files: list[dict[str, Any]], history: dict[str, Any]) -> dict[str, Any]:
    in_store = isinstance(find_folder(run.tables), StoreFolder)
    tables = manifests.checksums_in_store(run.tables) if in_store else {}
    return {
        "workflow": run.workflow,
        "started": run.started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "data": run.data,
        "inputs": files[: manifests.LISTED_FILES],
        "input_files": len(files),
        "configuration": run.configuration.model_dump(mode="json"),
        "stages": manifests.stage_entries(run.records.values()),
        **history,
        "warnings": run.warnings,
        "versions": manifests.versions(),
        "artefacts": manifests.checksums(run.staging) | tables,
    }
