"""The story on disk, so that it outlives the scheduler: lines of JSON, a few for each thing told.

A scheduler keeps one where Dask's setting ``dmlkit.history`` names a folder (in the environment,
``DASK_DMLKIT__HISTORY``). The last line about a run, a training or a loss counts. A run that went
on when the scheduler ended is told to have ended with it.
"""

import contextlib
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import dask.config

from dmlkit.observe import schema

__all__ = ["Diary", "Past", "open_diary"]

#: Of each kind, what is kept on disk; the newest stay.
KEPT = {"workflow": 30, "training": 5, "loss": 100}

#: Lines of the file after which what is not kept any more goes.
LONGEST = 5000

#: Bytes of lines that wait for a slow disk; more are dropped.
WAITING = 2**24

logger = logging.getLogger("dmlkit.observe")

View = Mapping[str, Any]


@dataclass
class Past:
    """What an earlier scheduler told, the newest first."""

    workflows: list[schema.Workflow] = field(default_factory=list)
    trainings: list[schema.Training] = field(default_factory=list)
    losses: list[schema.Loss] = field(default_factory=list)


class Diary:
    """A file of what was told.

    Parameters
    ----------
    file : Path
        Its folder is made if need be.

    Examples
    --------
    >>> import tempfile
    >>> diary = Diary(Path(tempfile.mkdtemp()) / "history.jsonl")
    >>> diary.read().workflows
    []
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._known: dict[tuple[str, str], Any] = {}
        self._lines = 0
        self._waiting: list[str] = []
        self._pool = ThreadPoolExecutor(1, "dmlkit-diary")
        self._writing: Future[None] | None = None

    def read(self) -> Past:
        """Return what earlier schedulers told; lines that were cut short are left out."""
        entries = self._entries()
        kept = {
            kind: [view for (of, _), view in entries.items() if of == kind][-KEPT[kind] :]
            for kind in KEPT
        }
        self._rewrite(kept)
        losses = [
            {**view, "id": -number} for number, view in enumerate(reversed(kept["loss"]), start=1)
        ]
        return Past(
            cast("list[schema.Workflow]", [_ended(view) for view in reversed(kept["workflow"])]),
            cast("list[schema.Training]", [_stopped(view) for view in reversed(kept["training"])]),
            cast("list[schema.Loss]", losses),
        )

    def write(
        self,
        workflows: Iterable[schema.Workflow],
        trainings: Iterable[schema.Training],
        losses: Iterable[schema.Loss],
    ) -> None:
        """Note what has changed since the last call; the disk is written to by another thread."""
        told: tuple[tuple[str, Iterable[Any], Callable[[Any], Any]], ...] = (
            ("workflow", workflows, _state_of_run),
            ("training", trainings, lambda view: (view["state"], len(view["restarts"]))),
            ("loss", losses, lambda view: (view["cause"], view["outcome"])),
        )
        for kind, views, state in told:
            for view in views:
                key = kind, _identity(kind, view)
                if self._known.get(key) != state(view):
                    self._known[key] = state(view)
                    self._waiting.append(json.dumps({"kind": kind, "view": view}))
        while len(self._known) > LONGEST:
            del self._known[next(iter(self._known))]
        if self._writing is None or self._writing.done():
            lines, self._waiting = self._waiting, []
            if lines:
                self._writing = self._pool.submit(self._append, lines)
        elif sum(map(len, self._waiting)) > WAITING:
            self._waiting.clear()

    def close(self) -> None:
        """Wait until all is written."""
        if self._waiting:
            self._pool.submit(self._append, self._waiting)
        self._pool.shutdown(wait=True)

    def _append(self, lines: Sequence[str]) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in lines))
            self._lines += len(lines)
            if self._lines > LONGEST:
                self._shorten()
        except OSError as error:
            logger.warning("The story cannot be kept in %s: %s", self.file, error)

    def _shorten(self) -> None:
        entries = self._entries()
        self._rewrite(
            {
                kind: [view for (of, _), view in entries.items() if of == kind][-most:]
                for kind, most in KEPT.items()
            }
        )

    def _entries(self) -> dict[tuple[str, str], View]:
        entries: dict[tuple[str, str], View] = {}
        with contextlib.suppress(OSError), self.file.open(encoding="utf-8") as file:
            for line in file:
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    entry = json.loads(line)
                    key = entry["kind"], _identity(entry["kind"], entry["view"])
                    entries[key] = entry["view"]
        return entries

    def _rewrite(self, kept: Mapping[str, Sequence[View]]) -> None:
        lines = [json.dumps({"kind": kind, "view": view}) for kind in kept for view in kept[kind]]
        if not lines:
            return
        temporary = self.file.with_name(f".{self.file.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            temporary.replace(self.file)
            self._lines = len(lines)


def open_diary() -> Diary | None:
    """Return the diary that Dask's settings ask for, if they do."""
    folder = dask.config.get("dmlkit.history", None)
    return Diary(Path(str(folder)).expanduser() / "history.jsonl") if folder else None


def _identity(kind: str, view: View) -> str:
    return f"{view['time']} {view['worker']}" if kind == "loss" else str(view["id"])


def _state_of_run(view: schema.Workflow) -> Any:
    return view["state"], [stage["state"] for stage in view["stages"]]


def _ended(view: View) -> View:
    """Return a run as it stands now that its scheduler is gone."""
    if view["state"] != "running":
        return view
    stages = [
        {**stage, "state": "failed" if stage["state"] in ("running", "stalled") else stage["state"],
         "left": None}
        for stage in view["stages"]
    ]  # fmt: skip
    error = "The scheduler ended while it ran: what came later is not known."
    ended = {"ended": view["started"] + view["seconds"], "share": None, "left": None}
    return {**view, **ended, "state": "abandoned", "stages": stages, "error": error}


def _stopped(view: View) -> View:
    going = view["state"] in ("running", "restarting")
    return {**view, "state": "ended", "left": None} if going else view
