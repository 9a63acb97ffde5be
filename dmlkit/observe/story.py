"""The story of a cluster: runs, trainings, workers and their ends, warnings; bounded in memory.

It knows nothing of Dask's objects: `plugin` and what it calls tell it what happens.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from dmlkit.observe import schema
from dmlkit.observe.advice import Advice
from dmlkit.observe.diary import Diary, Past
from dmlkit.observe.losses import SHOWN, Losses, LossRecord
from dmlkit.observe.masking import masked
from dmlkit.observe.places import Places
from dmlkit.observe.runs import Runs
from dmlkit.observe.searches import Searches
from dmlkit.observe.trainings import Trainings

__all__ = ["Story"]


class Story:
    """All that is told of one cluster.

    Examples
    --------
    >>> story = Story(now=0.0)
    >>> story.hear(1.0, {"kind": "workflow", "run": "1", "state": "started", "workflow": "fraud",
    ...                  "stages": ["read", "train"]})
    >>> [run.name for run in story.runs.running()]
    ['fraud']
    """

    def __init__(self, now: float) -> None:
        self.runs = Runs()
        self.trainings = Trainings()
        self.searches = Searches()
        self.places = Places(now)
        self.losses = Losses()
        self.advice = Advice()
        self.past = Past()

    def hear(self, now: float, message: Mapping[str, Any]) -> None:
        """Take in what a client or worker tells (an event of the topic ``dmlkit``)."""
        kind = str(message.get("kind"))
        if kind == "workflow":
            self._workflow(now, message)
        elif kind == "stage":
            self._stage(now, message)
        elif kind == "notice":
            self.advice.tell(now, "notice", message["text"], message["text"], message["run"])
        elif kind.startswith("training-"):
            self._training(now, message)
        elif kind == "search":
            run = self._run_of(message)
            self.searches.hear(now, message, "" if run is None else run.id)

    def join(self, now: float, worker: str, **facts: Any) -> None:
        """Take in a new worker."""
        self.losses.joined(worker)
        place = self.places.join(now, worker, **facts)
        self.losses.back(now, place.id)

    def lose(
        self, now: float, worker: str, lost: Iterable[Hashable], running: int
    ) -> LossRecord | None:
        """Take in that a worker went, with results that no other worker has."""
        place = self.places.leave(now, worker)
        if place is None:
            return None
        loss = self.losses.add(now, worker, place.name, place.id, lost, running)
        # What it held is from the last look, a second ago.
        loss.held_tasks, loss.held_bytes = max(place.held, loss.lost_tasks), place.held_bytes
        place.held = place.held_bytes = 0
        place.losses += 1
        place.planned = loss.planned
        run = next(iter(self.runs.running()), None)
        if run is not None:
            loss.workflow = run.id
            loss.stage = run.current.name if run.current is not None else ""
        return loss

    def part_client(self, now: float, client: str) -> None:
        """Take in that a client is gone."""
        for run in self.runs.abandon(now, client):
            self.trainings.end_of(now, run.id)

    def tick(self, now: float) -> None:
        """Take in that a second has gone by."""
        for run in self.runs.running():
            for stage in run.stages:
                stage.judge(now)
        self.places.tick(now)

    def snapshot(self, now: float, cluster: schema.Cluster) -> schema.Snapshot:
        """Return the story as it stands."""
        lanes = self.places.lanes
        return {
            "schema": schema.VERSION,
            "time": now,
            "cluster": cluster,
            "axis": {"start": lanes.start, "step": lanes.step, "count": lanes.count},
            "workflows": [*self.runs.views(now, self.trainings.left()), *self.past.workflows],
            "trainings": [*self.trainings.views(now), *self.past.trainings],
            "searches": self.searches.views(now),
            "workers": self.places.views(),
            "losses": [*self.losses.views(), *self.past.losses][:SHOWN],
            "loss_counts": self._loss_counts(),
            "warnings": self.advice.views(),
        }

    def run_of(self, now: float, client: str) -> schema.Workflow | None:
        """Return the run of a client that goes on, as a snapshot has it."""
        run = next(iter(self.runs.of_client(client)), None)
        return None if run is None else run.view(now, self.trainings.left().get(run.id))

    def note(self, now: float, diary: Diary) -> None:
        """Have a diary keep what is new."""
        diary.write(self.runs.views(now), self.trainings.views(now), self.losses.views())

    def outputs(self) -> dict[str, str]:
        """Return the output folders of runs."""
        past = {run["id"]: run["out"] for run in self.past.workflows}
        return past | {run.id: run.out for run in self.runs}

    def _loss_counts(self) -> dict[str, int]:
        counts = Counter(self.losses.counts())
        counts.update(loss["cause"] for loss in self.past.losses)
        return dict(counts)

    def _workflow(self, now: float, message: Mapping[str, Any]) -> None:
        if message["state"] == "started":
            if not self.runs.running():
                self.places.begin_axis(now)
            self.runs.begin(now, message)
            return
        run = self.runs.end(now, message)
        if run is not None:
            self.trainings.end_of(now, run.id)

    def _stage(self, now: float, message: Mapping[str, Any]) -> None:
        if message["state"] in ("done", "failed"):
            self.trainings.end_of(now, str(message["run"]))
        self.runs.stage(now, message)

    def _training(self, now: float, message: Mapping[str, Any]) -> None:
        run = self._run_of(message)
        self.trainings.hear(now, message, run.id if run is not None else "")
        if run is not None and run.current is not None:
            run.current.stir(now)
        if message["kind"] == "training-restart" and message["seconds_lost"] is None:
            text = masked(message["reason"])
            resumed = f"{text} Training goes on from round {message['resumed_round']}."
            self.advice.tell(now, "training-restart", str(message["time"]), resumed)

    def _run_of(self, message: Mapping[str, Any]) -> Any:
        """Return the run of the client that tells something, or any that goes on."""
        of_client = self.runs.of_client(str(message.get("client", "")))
        runs = of_client or self.runs.running()
        return runs[-1] if runs else None
