"""Runs of workflows and their stages, as the scheduler is told of them and sees their tasks."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from dmlkit.observe import schema
from dmlkit.observe.earlier import EarlierRun
from dmlkit.observe.flows import FlowRecord
from dmlkit.observe.left import stage_left, workflow_left
from dmlkit.observe.masking import masked

__all__ = ["RunRecord", "Runs", "StageProgress"]

#: Finished runs that are kept.
KEPT = 20

#: Seconds that the speed of a stage is measured over.
SPEED_OVER = 20.0

#: A stage with tasks to do of which none ended for so many seconds is stalled, or for so many
#: times as long as a task took on average so far.
STALLED, STALLED_TIMES = 20.0, 10.0


@dataclass
class StageProgress:
    """A stage: its state as told by the client, and its tasks as counted by the scheduler."""

    name: str
    number: int
    state: schema.StageState = "waiting"
    started: float | None = None
    ended: float | None = None
    seconds: float = 0.0
    rows: int | None = None
    bytes: int | None = None
    done: int = 0
    total: int = 0
    moved: float = 0.0
    hosts_training: bool = False
    work_left: float | None = None
    flows: dict[schema.FlowKind, FlowRecord] = field(default_factory=dict)
    counts: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=64))

    def count(self, now: float, done: int, total: int, work_left: float | None) -> None:
        """Take in how many tasks are done, and how many seconds of computing are left."""
        if done != self.done or total != self.total:
            self.moved = now
        self.done, self.total, self.work_left = done, total, work_left
        self.counts.append((now, done))
        while self.counts[0][0] < now - SPEED_OVER:
            self.counts.popleft()

    def stir(self, now: float) -> None:
        """Take in that a training in it moved."""
        self.moved, self.hosts_training = now, True

    def flow(self, what: schema.FlowKind) -> FlowRecord:
        """Return the rows that it reads, or writes."""
        return self.flows.setdefault(what, FlowRecord(what))

    def end(self, now: float, state: schema.StageState) -> None:
        """Take in that it is over."""
        self.state, self.ended, self.work_left = state, now, None
        for flow in self.flows.values():
            flow.end()

    @property
    def tasks_per_second(self) -> float | None:
        """The speed of the last seconds, None before it can be told."""
        if len(self.counts) < 2:
            return None
        (first, before), (last, after) = self.counts[0], self.counts[-1]
        return max(0.0, (after - before) / (last - first)) if last > first else None

    def quiet(self, now: float) -> float:
        """Return for how long nothing has ended."""
        return max(0.0, now - self.moved) if self.running else 0.0

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.state in ("running", "stalled")

    def judge(self, now: float) -> None:
        """Tell a stage that stands still from one that goes on."""
        if not self.running:
            return
        mean = (self.moved - (self.started or now)) / self.done if self.done else 0.0
        still = self.quiet(now) > max(STALLED, STALLED_TIMES * mean)
        self.state = "stalled" if still and self.done < self.total else "running"

    def view(self, now: float) -> schema.Stage:
        """Return it as a snapshot has it."""
        seconds = now - self.started if self.running and self.started is not None else self.seconds
        return {
            "name": self.name,
            "number": self.number,
            "state": self.state,
            "started": self.started,
            "seconds": round(seconds, 2),
            "tasks_done": self.done,
            "tasks_total": self.total,
            "tasks_per_second": self.tasks_per_second if self.running else None,
            "quiet": round(self.quiet(now), 1),
            "rows": self.rows,
            "bytes": self.bytes,
            "flows": [flow.view() for flow in self.flows.values()],
            "left": stage_left(self, now),
        }


@dataclass
class RunRecord:
    """A run of a workflow."""

    id: str
    name: str
    client: str
    started: float
    stages: list[StageProgress]
    user: str = ""
    host: str = ""
    data: str = ""
    out: str = ""
    state: schema.WorkflowState = "running"
    ended: float | None = None
    error: str = ""
    earlier: list[EarlierRun] = field(default_factory=list)
    size: int | None = None
    planned: Mapping[str, int] = field(default_factory=dict)

    @property
    def current(self) -> StageProgress | None:
        """The stage that goes on."""
        return next((stage for stage in self.stages if stage.running), None)

    def end(self, now: float, state: schema.WorkflowState, error: str = "") -> None:
        """Take in that it is over; a stage that still ran ends with it."""
        if (stage := self.current) is not None:
            stage.seconds = now - (stage.started or now)
            stage.end(now, "failed")
        self.state, self.ended, self.error = state, now, masked(error)

    def view(self, now: float, training: schema.Range | None = None) -> schema.Workflow:
        """Return it as a snapshot has it; `training` is what is left of one in its stage."""
        left, share = (
            workflow_left(self, now, training) if self.state == "running" else (None, None)
        )
        return {
            "id": self.id,
            "name": self.name,
            "state": self.state,
            "started": self.started,
            "ended": self.ended,
            "seconds": round((self.ended or now) - self.started, 2),
            "user": self.user,
            "host": self.host,
            "data": self.data,
            "out": self.out,
            "error": self.error,
            "stages": [stage.view(now) for stage in self.stages],
            "share": 1.0 if self.state == "done" else share,
            "left": left,
        }


class Runs:
    """The runs that go on, and the last that are over, by their ids."""

    def __init__(self) -> None:
        self._all: dict[str, RunRecord] = {}

    def __iter__(self) -> Any:
        return iter(self._all.values())

    def running(self) -> list[RunRecord]:
        """Return those that go on."""
        return [run for run in self._all.values() if run.state == "running"]

    def of_client(self, client: str) -> list[RunRecord]:
        """Return the running ones of a client."""
        return [run for run in self.running() if run.client == client]

    def begin(self, now: float, message: Mapping[str, Any]) -> RunRecord:
        """Take in that a run starts."""
        names = [masked(name) for name in message.get("stages", ())]
        run = RunRecord(
            id=str(message["run"]),
            name=masked(message.get("workflow", "")),
            client=str(message.get("client", "")),
            started=now,
            stages=[StageProgress(name, number) for number, name in enumerate(names, 1)],
            user=masked(message.get("user", "")),
            host=masked(message.get("host", "")),
            data=masked(message.get("data") or ""),
            out=masked(message.get("out") or ""),
            earlier=[EarlierRun.from_dict(each) for each in message.get("earlier") or ()],
            size=message.get("size"),
            planned=message.get("planned") or {},
        )
        self._all[run.id] = run
        self._drop()
        return run

    def end(self, now: float, message: Mapping[str, Any]) -> RunRecord | None:
        """Take in that a run is over."""
        run = self._all.get(str(message.get("run")))
        if run is not None and run.state == "running":
            run.end(now, message["state"], message.get("error") or "")
        return run

    def stage(self, now: float, message: Mapping[str, Any]) -> StageProgress | None:
        """Take in what a client tells of a stage; return the stage."""
        run = self._all.get(str(message.get("run")))
        named = masked(message.get("stage"))
        stage = next((each for each in run.stages if each.name == named), None) if run else None
        if stage is None:
            return None
        told = message["state"]
        stage.rows, stage.bytes = message.get("rows"), message.get("bytes")
        if told == "started":
            stage.state, stage.started, stage.moved = "running", now, now
        elif told in ("done", "resumed", "failed"):
            stage.end(now, told)
            stage.seconds = float(message.get("seconds") or 0.0)
            if told == "done":
                stage.done = stage.total  # the last look was before its last tasks
        return stage

    def abandon(self, now: float, client: str) -> list[RunRecord]:
        """Take in that a client is gone: nobody goes on with its runs."""
        runs = self.of_client(client)
        for run in runs:
            run.end(now, "abandoned", "Its client is gone: it was closed, or its process died.")
        return runs

    def views(
        self, now: float, trainings: Mapping[str, schema.Range | None] = MappingProxyType({})
    ) -> list[schema.Workflow]:
        """Return them as a snapshot has them: running ones first, then the newest.

        Parameters
        ----------
        now : float
        trainings : mapping of str to Range
            What is left of the training in the current stage of a run, by the run.
        """
        order: Iterable[RunRecord] = sorted(
            self._all.values(), key=lambda run: (run.state != "running", -run.started)
        )
        return [run.view(now, trainings.get(run.id)) for run in order]

    def _drop(self) -> None:
        over = [run.id for run in self._all.values() if run.state != "running"]
        for old in over[: max(0, len(over) - KEPT)]:
            del self._all[old]
