"""The plugin that keeps the story where it happens: on the scheduler, which outlives clients.

A client installs it on any running scheduler (see `asking`); ``--preload dmlkit.observe`` does it
when a scheduler starts.
"""

import json
import logging
import time
from asyncio import to_thread
from collections.abc import Mapping
from typing import Any

from distributed import SchedulerPlugin
from distributed.core import Status
from distributed.scheduler import Scheduler, heartbeat_interval
from distributed.versions import get_versions
from tornado.ioloop import PeriodicCallback

from dmlkit.cluster import PROGRESS
from dmlkit.observe import cautions, clues, sampling, schema, seams
from dmlkit.observe.diary import open_diary
from dmlkit.observe.failures import Failures
from dmlkit.observe.masking import masked
from dmlkit.observe.story import Story

__all__ = ["NAME", "StoryPlugin", "dask_setup"]

#: Seconds between two looks at the scheduler, and for which a snapshot is not made anew.
INTERVAL, FRESH = 1.0, 0.8

#: Looks between two at what changes slowly (versions, sizes of results).
SELDOM = 5

#: Seconds after a loss of unknown cause at which its nanny is looked for.
NANNY_AFTER = 1.5

NAME = "dmlkit-story"

logger = logging.getLogger("dmlkit.observe")


class StoryPlugin(SchedulerPlugin):
    """Tells a `Story` what happens on a scheduler, and serves it as page, JSON and metrics."""

    name = NAME
    idempotent = True

    async def start(self, scheduler: Any) -> None:
        """Begin the story on a scheduler."""
        from dmlkit.observe.page import serve
        from dmlkit.observe.pane import serve_pane
        from dmlkit.observe.prometheus import export

        self.scheduler = scheduler
        self.story = Story(time.time())
        self._awaited = self.story.losses.awaited
        self.diary = open_diary()
        if self.diary is not None:
            self.story.past = self.diary.read()
        self.groups = sampling.Groups()
        self.exit_codes = False
        self._kept: tuple[float, bytes] = (0.0, b"")
        self._looks = 0
        self._failures = Failures()
        self._fatal: set[str] = set()
        self._amiss: set[str] = set()
        self._slow: dict[tuple[str, str], str] = {}
        self._packages = get_versions()["packages"]
        for worker in scheduler.workers:
            self.add_worker(scheduler, worker)
        seams.watch_failures(scheduler, self._tried)
        seams.look_often_for_silent(scheduler)
        serve(self)
        serve_pane(self)
        export(self)
        self._timer = PeriodicCallback(self._look, INTERVAL * 1000)
        self._timer.start()
        scheduler._ongoing_background_tasks.call_soon(self._watch_exits)

    async def close(self) -> None:
        """Stop looking."""
        self._timer.stop()
        if self.diary is not None:
            self.story.note(time.time(), self.diary)
            await to_thread(self.diary.close)

    def snapshot(self) -> schema.Snapshot:
        """Return the story as it stands."""
        return self.story.snapshot(time.time(), self._cluster())

    def snapshot_json(self) -> bytes:
        """Return it as JSON, made at most about once a second however many look at it."""
        made, kept = self._kept
        if time.monotonic() - made > FRESH:
            kept = json.dumps(self.snapshot(), separators=(",", ":")).encode()
            self._kept = (time.monotonic(), kept)
        return kept

    def log_event(self, topic: str, msg: Any) -> None:
        """Take in an event: one of dmlkit's own, or a fact of a worker's end."""
        now = time.time()
        if topic == "dmlkit" and isinstance(msg, Mapping):
            if msg.get("kind") == "stage" and msg["state"] == "started":
                self._begin_stage(str(msg["run"]))
            self.story.hear(now, msg)
        elif topic == "all" and isinstance(msg, Mapping) and msg.get("action") == "remove-worker":
            self._lose(now, msg)
            return
        elif topic == PROGRESS and isinstance(msg, Mapping):
            if msg["kind"] == "rows":
                self._flow(msg)
            else:
                self.story.trainings.effort(msg)
            return
        clues.learn(self.story.losses, topic, msg)

    def _flow(self, told: Mapping[str, Any]) -> None:
        """Take in that a task has read or written rows, for the stage that it is of."""
        key = told["key"]
        task = self.scheduler.tasks.get(key)
        if task is None:
            return
        for client in self.groups.clients_of(task.group):
            for run in self.story.runs.of_client(client):
                if run.current is not None:
                    flow = run.current.flow(told["what"])
                    flow.add(key, task.group.name, int(told["rows"]), int(told["bytes"]))

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Take in a worker."""
        state = scheduler.workers[worker]
        self.story.join(
            time.time(),
            worker,
            nanny=state.nanny or "",
            name=str(state.name),
            threads=state.nthreads,
            memory_limit=state.memory_limit,
        )

    def remove_client(self, scheduler: Any, client: str) -> None:  # noqa: ARG002
        """Take in that a client is gone."""
        self.story.part_client(time.time(), client)
        self.groups.forget(client)

    def update_graph(
        self,
        scheduler: Any,
        *,
        client: str,
        tasks: Any,
        **kwargs: Any,  # noqa: ARG002
    ) -> None:
        """Take in which tasks a stage consists of."""
        known = scheduler.tasks
        self.groups.add(client, {known[key].group for key in tasks if key in known})

    def transition(self, key: Any, start: Any, finish: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Take in that a lost result is there again, or that a task failed."""
        # Called several times for each task: nothing is looked up that need not be.
        if self._awaited and key in self._awaited:
            self._follow(key, finish, kwargs.get("startstops") or ())
        if finish == "erred" and start == "processing":
            self._failed(key, kwargs.get("exception_text") or "", kwargs.get("worker") or "")

    def _follow(self, key: Any, finish: str, startstops: Any) -> None:
        losses, now = self.story.losses, time.time()
        if finish == "memory":
            spent = sum(
                each["stop"] - each["start"] for each in startstops if each["action"] == "compute"
            )
            losses.computed(now, key, spent)
        elif finish in ("forgotten", "erred"):
            losses.unwanted(now, key)

    def _failed(self, key: Any, text: str, worker: str) -> None:
        task = self.scheduler.tasks[key]
        name = task.prefix.name
        if worker and worker not in self.scheduler.workers:
            self._fatal.add(worker)  # that it is lost is told after this
        said = text or f"{task.suspicious} workers died, one after the other, while it ran"
        self.story.advice.tell(time.time(), "failed", name, f"A task of {name} failed: {said}")

    def _tried(self, key: Any, worker: str, exception_text: str) -> None:
        """Take in that a task failed on a worker, whether or not it is tried again."""
        task = self.scheduler.tasks.get(key)
        if task is not None:
            told = self._failures.add(key, task.prefix.name, worker, exception_text)
            if told:
                self.story.advice.tell(time.time(), "failing", str(key), told)

    def _lose(self, now: float, event: Mapping[str, Any]) -> None:
        worker = event["worker"]
        facts = self.story.losses.facts(worker)
        facts.stimulus, facts.expected = str(event["stimulus_id"]), bool(event["expected"])
        place = self.story.places.of(worker)
        facts.memory_limit = place.memory_limit if place is not None else 0
        self.story.losses.learn(worker, f"scheduler: removed ({facts.stimulus})")
        running = event["processing-tasks"]
        loss = self.story.lose(now, worker, event["lost-computed-tasks"], len(running))
        if loss is None or self.scheduler.status != Status.running:
            return
        loss.failed = worker in self._fatal
        self._fatal.discard(worker)
        self._suspect(now, running)
        if event["lost-scattered-tasks"]:
            self.story.advice.tell(
                now,
                "scattered",
                worker,
                f"With worker {loss.name}, {len(event['lost-scattered-tasks'])} pieces of data "
                "were lost that were put into the cluster by hand (`scatter`), and cannot be "
                "computed again.",
            )
        if place is not None and place.key != worker and not loss.planned:
            self.scheduler._ongoing_background_tasks.call_later(
                NANNY_AFTER, self._look_for_nanny, worker, place.key
            )

    def _suspect(self, now: float, running: Any) -> None:
        """Warn of tasks that were on several workers when they died."""
        allowed = self.scheduler.allowed_failures
        for key in running:
            task = self.scheduler.tasks.get(key)
            if task is not None and 2 <= task.suspicious <= allowed:
                self.story.advice.tell(
                    now,
                    "suspicious",
                    str(key),
                    f"{task.suspicious} workers died while a task of {task.prefix.name} ran there. "
                    f"If {allowed + 1 - task.suspicious} more do, the job fails: it may need more "
                    "memory than a worker has.",
                )

    async def _look_for_nanny(self, worker: str, nanny: str) -> None:
        losses = self.story.losses
        facts = losses.facts(worker)
        if facts.exit_code is None and not (facts.memory or facts.closing or facts.silence):
            found = await clues.look_for_nanny(nanny)
            losses.learn(worker, f"scheduler: its nanny {found or 'has no address'}", nanny=found)

    async def _watch_exits(self) -> None:
        self.exit_codes = await seams.watch_exits(self.scheduler)

    def _begin_stage(self, run: str) -> None:
        for each in self.story.runs.running():
            if each.id == run:
                self.groups.begin_stage(each.client)

    def _look(self) -> None:
        try:
            self._look_once(time.time())
        except Exception as error:  # what is shown must never harm what it shows
            told = type(error).__name__
            level = logging.DEBUG if told in self._amiss else logging.WARNING
            self._amiss.add(told)
            logger.log(level, "A look at the scheduler failed: %s", told, exc_info=True)

    def _look_once(self, now: float) -> None:
        scheduler, story = self.scheduler, self.story
        sampling.look_at_workers(story, scheduler, heartbeat_interval(len(scheduler.workers)))
        for run in story.runs.running():
            if run.current is not None:
                self.groups.count(now, run.client, run.current, scheduler.total_nthreads)
        story.tick(now)
        if self.diary is not None:
            story.note(now, self.diary)
        if self._looks % SELDOM == 0:
            amiss = cautions.versions_amiss(scheduler, self._packages)
            self._slow = amiss | cautions.skew(scheduler)
        self._looks += 1
        found = cautions.cautions(story, scheduler) | self._slow
        story.advice.now(now, found, next((run.id for run in story.runs.running()), ""))

    def _cluster(self) -> schema.Cluster:
        scheduler = self.scheduler
        places = [place for place in self.story.places if place.left is None]
        versions = {name: str(self._packages[name]) for name in ("python", "dask", "distributed")}
        return {
            "address": masked(scheduler.address),
            "started": scheduler.time_started,
            "workers": len(scheduler.workers),
            "threads": scheduler.total_nthreads,
            "memory": sum(place.memory for place in places),
            "memory_limit": scheduler.total_memory,
            "clients": sum(key != "fire-and-forget" for key in scheduler.clients),
            "processing": sum(place.processing for place in places),
            "waiting": len(scheduler.queued) + len(scheduler.unrunnable),
            "exit_codes": self.exit_codes,
            "versions": versions,
        }


def dask_setup(server: Any) -> None:
    """Install the plugin on a scheduler that starts with ``--preload dmlkit.observe``.

    Dask calls it of the module that is named; workers have no use for it.
    """
    if isinstance(server, Scheduler):
        server.add_plugin(StoryPlugin())
