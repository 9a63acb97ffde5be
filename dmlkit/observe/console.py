"""A job's story on a terminal: live bars where there is one, plain lines elsewhere."""

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

from dask.utils import format_bytes
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn
from rich.text import Text

from dmlkit.observe.events import (
    Event,
    Listener,
    Notice,
    Outlook,
    StageEvent,
    TrainingRestart,
    TrainingRound,
    WorkerLost,
    WorkflowEvent,
)
from dmlkit.observe.wording import left_in_short, rounded

__all__ = ["shortened", "show_progress"]

#: Seconds between two lines about the same stage where lines can't be redrawn.
PLAIN_INTERVAL = 10.0


@contextlib.contextmanager
def show_progress(console: Console) -> Iterator[Listener]:
    """Give a listener that shows a job's events on `console` until the block ends.

    Parameters
    ----------
    console : rich.console.Console
        On a terminal, the running stage has a bar; else each stage has a line when it ends, and
        one every ten seconds while it runs.
    """
    if console.is_terminal:
        with _LiveDisplay(console) as display:
            yield display.hear
    else:
        yield _PlainDisplay(console).hear


def shortened(text: str) -> str:
    """Return a message with the paths in the working directory relative to it.

    Examples
    --------
    >>> from pathlib import Path
    >>> shortened(f"Bad rows are in {Path.cwd() / 'out' / 'quarantine'}.")
    'Bad rows are in out/quarantine.'
    """
    here = f"{Path.cwd()}/"
    return text if here == "//" else re.sub(rf"(?<![\w./-]){re.escape(here)}(?=\w)", "", text)


class _LiveDisplay:
    """One bar for the running stage below the lines of those that are done."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[detail]}"),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._outlook = Outlook()

    def __enter__(self) -> "_LiveDisplay":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def hear(self, event: Event) -> None:
        if isinstance(event, Outlook):
            self._outlook = event
        elif isinstance(event, StageEvent):
            self._stage(event)
        elif isinstance(event, TrainingRound) and self._task is not None:
            self._progress.update(
                self._task,
                completed=event.round,
                total=event.total,
                detail=_round(event, self._outlook),
            )
        elif isinstance(event, Notice | TrainingRestart | WorkerLost):
            self._progress.console.print(Text(_sentence(event), style="yellow"))

    def _stage(self, event: StageEvent) -> None:
        if event.state == "started":
            name = f"{event.number}/{event.of} {event.stage:<9}"
            self._task = self._progress.add_task(name, total=None, detail="")
        elif event.state == "running" and self._task is not None:
            self._running(self._task, event)
        elif event.state in ("done", "resumed", "failed"):
            if self._task is not None:
                self._progress.remove_task(self._task)
                self._task = None
            self._progress.console.print(_finished_line(event))

    def _running(self, task: TaskID, event: StageEvent) -> None:
        if "round" in self._progress.tasks[-1].fields["detail"]:
            return  # rounds say more than tasks do
        self._progress.update(
            task,
            completed=event.tasks_done,
            total=event.tasks_total or None,
            detail=_how_far(event, self._outlook),
        )


class _PlainDisplay:
    """A line for each thing that happens, and now and then one while nothing does."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._spoke = time.monotonic()
        self._outlook = Outlook()

    def hear(self, event: Event) -> None:
        if isinstance(event, StageEvent) and event.state in ("done", "resumed", "failed"):
            self._say(_finished_line(event))
        elif isinstance(event, Notice | TrainingRestart | WorkerLost):
            self._say(Text(_sentence(event)))
        elif isinstance(event, Outlook):
            self._outlook = event
        elif isinstance(event, WorkflowEvent):
            return  # its stages tell
        elif time.monotonic() - self._spoke > PLAIN_INTERVAL:
            self._say(Text(_going_on(event, self._outlook)))

    def _say(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)
        self._spoke = time.monotonic()


def _finished_line(event: StageEvent) -> Text:
    mark, style = {"done": ("✓", "green"), "resumed": ("↻", "cyan"), "failed": ("✗", "red")}[
        event.state
    ]
    facts = f"{event.number}/{event.of} {event.stage:<9} {event.seconds:7.1f} s"
    if event.rows is not None:
        facts += f"  {event.rows:>13,} rows"
    if event.bytes is not None:
        facts += f"  {format_bytes(event.bytes):>10}"
    if event.state == "resumed":
        facts += "  taken over from an earlier run"
    return Text.assemble((f"{mark} ", style), facts)


def _going_on(event: StageEvent | TrainingRound, outlook: Outlook) -> str:
    if isinstance(event, TrainingRound):
        return f"  training: {_round(event, outlook)}"
    spent = "" if outlook.high is None else f"{event.seconds:.0f} s so far, "
    return f"  {event.stage}: {spent}{_how_far(event, outlook, so_far=' so far')}"


def _how_far(event: StageEvent, outlook: Outlook, so_far: str = "") -> str:
    """Return rows, or tasks, and what is left of the job, or the seconds of the stage so far."""
    told = []
    if outlook.rows is not None and outlook.rows_total:
        told.append(f"{rounded(outlook.rows)} of {rounded(outlook.rows_total)} rows {outlook.what}")
    elif event.tasks_total:
        told.append(f"{event.tasks_done:,}/{event.tasks_total:,} tasks")
    told.append(_left(outlook) or f"{event.seconds:.0f} s{so_far}")
    return ", ".join(told)


def _left(outlook: Outlook) -> str:
    if outlook.low is None or outlook.high is None:
        return ""
    return left_in_short(outlook.low, outlook.high)


def _round(event: TrainingRound, outlook: Outlook) -> str:
    # XGBoost's name for the first table that is watched: most often there is one only.
    metrics = {
        name.removeprefix("validation_0-"): f"{value:.4f}" for name, value in event.metrics.items()
    }
    told = [f"{name} {value}" for name, value in metrics.items()]
    if left := _left(outlook):  # all would not fit 80 columns
        told = [f"{name.rpartition('-')[2]} {value}" for name, value in metrics.items()][:1]
        told.append(left)
    return f"round {event.round}/{event.total}  {', '.join(told)}"


def _sentence(event: Notice | TrainingRestart | WorkerLost) -> str:
    if isinstance(event, Notice):
        return f"! {shortened(event.text)}"
    if isinstance(event, TrainingRestart):
        if event.seconds_lost is not None:
            return f"! Training is at round {event.round} again: {event.seconds_lost:.1f} s lost."
        return f"! {event.reason} Training goes on from round {event.resumed_round}."
    why = f": {event.cause}" if event.cause else " was lost"
    return f"! Worker {event.worker}{why}; {event.recomputed_tasks} results are computed again."
