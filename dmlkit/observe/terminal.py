"""The story of a cluster in a terminal: a picture that is drawn anew, or lines as things happen."""

import time
from collections.abc import Callable, Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from dmlkit.observe.lanes import CODES
from dmlkit.observe.schema import Curve, Loss, Snapshot, Stage, Worker, Workflow
from dmlkit.observe.wording import (
    MARKS,
    clock,
    current_run,
    duration,
    efforts_in_words,
    facts_of,
    loss_in_words,
    training_in_words,
    workflow_in_words,
)

__all__ = ["draw", "news", "watch"]

#: Seconds between two looks, and between two lines that only say that it goes on.
INTERVAL, PLAIN_INTERVAL = 1.0, 10.0

#: Workers, losses, warnings and workers that train that a picture has.
WORKERS, LOSSES, WARNINGS, EFFORTS = 12, 5, 3, 4

STYLES = {
    "done": "green",
    "resumed": "cyan",
    "running": "blue",
    "stalled": "yellow",
    "failed": "red",
    "waiting": "dim",
}

#: How a lane is drawn, by its letters.
BLOCKS = {".": " ", "i": "·", "b": "█", "s": "▒", "p": "‖", "f": "?"}

#: Characters of a lane and of a curve.
LANE, SPARK = 40, 24


def watch(take: Callable[[], Snapshot], console: Console, *, once: bool = False) -> None:
    """Show a story until it is interrupted.

    Parameters
    ----------
    take : callable
        Gives the story as it stands.
    console : rich.console.Console
        On a terminal there is a picture, elsewhere a line for each thing that happens.
    once : bool
        Show how it stands, and end.
    """
    if once:
        console.print(draw(take()))
    elif console.is_terminal:
        with Live(draw(take()), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(INTERVAL)
                live.update(draw(take()), refresh=True)
    else:
        _print_news(take, console)


def draw(snapshot: Snapshot) -> RenderableType:
    """Return a picture of a story that fits 80 columns."""
    return Group(*_parts(snapshot))


def news(before: Snapshot | None, now: Snapshot) -> Iterator[str]:
    """Give a line for each thing that happened between two snapshots."""
    stages = {} if before is None else _stages(before)
    for key, (run, stage) in _stages(now).items():
        known = stages.get(key)
        if stage["state"] in ("done", "resumed", "failed", "stalled") and (
            known is None or known[1]["state"] != stage["state"]
        ):
            yield _stage_line(run, stage, len(run["stages"]))
    yield from _ends(before, now)
    known_losses = {} if before is None else {loss["id"]: loss for loss in before["losses"]}
    for loss in reversed(now["losses"]):
        was = known_losses.get(loss["id"])
        if was is None or (was["cause"], was["outcome"]) != (loss["cause"], loss["outcome"]):
            yield f"{'-' if loss['expected'] else '!'} {clock(loss['time'])} {loss_in_words(loss)}"
    told = {} if before is None else {each["text"]: each["count"] for each in before["warnings"]}
    for warning in reversed(now["warnings"]):
        if told.get(warning["text"]) != warning["count"]:
            yield f"! {clock(warning['last'])} {warning['text']}"


def _print_news(take: Callable[[], Snapshot], console: Console) -> None:
    before, spoke = None, time.monotonic()
    while True:
        now = take()
        lines = list(news(before, now))
        if not lines and time.monotonic() - spoke > PLAIN_INTERVAL:
            lines = [_going_on(now)]
        for line in lines:
            console.print(Text(line), soft_wrap=True)
            spoke = time.monotonic()
        before = now
        time.sleep(INTERVAL)


def _parts(snapshot: Snapshot) -> Iterator[RenderableType]:
    run = current_run(snapshot)
    if run is None:
        yield Text("No workflow has run yet.")
    else:
        yield Text.assemble((run["name"], "bold"), "  ", workflow_in_words(run))
        yield _stage_table(run)
        for training in snapshot["trainings"][:1]:
            if training["workflow"] == run["id"] and training["curves"]:
                spark = _spark(training["curves"][-1])
                yield Text.assemble(f"training  {training_in_words(training)}  ", (spark, "blue"))
                names = {worker["address"]: worker["name"] for worker in snapshot["workers"]}
                for line in efforts_in_words(training, names)[:EFFORTS]:
                    yield Text(f"          {line}", "dim")
    if snapshot["workers"]:
        yield _worker_table(snapshot)
    lost = [loss for loss in snapshot["losses"] if not loss["expected"]]
    for loss in lost[:LOSSES]:
        yield Text.assemble(("✗ ", "bold red"), f"{clock(loss['time'])} {loss_in_words(loss)}")
    for warning in snapshot["warnings"][:WARNINGS]:
        yield Text.assemble(("! ", "bold yellow"), f"{clock(warning['last'])} {warning['text']}")


def _stage_table(run: Workflow) -> Table:
    table = Table.grid(padding=(0, 1))
    for stage in run["stages"]:
        style = STYLES[stage["state"]]
        bar: RenderableType = ""
        if stage["state"] in ("running", "stalled") and stage["tasks_total"]:
            bar = ProgressBar(stage["tasks_total"], stage["tasks_done"], width=16)
        took = "" if stage["state"] == "waiting" else duration(stage["seconds"])
        table.add_row(
            Text(MARKS[stage["state"]], style),
            Text(stage["name"], "dim" if stage["state"] == "waiting" else ""),
            Text(took, justify="right"),
            bar,
            Text(facts_of(stage), "dim"),
        )
    return table


def _worker_table(snapshot: Snapshot) -> Table:
    table = Table.grid(padding=(0, 1))
    workers = sorted(snapshot["workers"], key=lambda each: (-each["losses"], each["id"]))
    for worker in workers[:WORKERS]:
        losses = [loss for loss in snapshot["losses"] if loss["place"] == worker["id"]]
        table.add_row(
            Text(f"worker {worker['name']}"[-18:], no_wrap=True),
            _lane(worker, losses, snapshot),
            Text(worker["state"], "red" if worker["state"] == "away" else ""),
            Text(_memory(worker), "dim"),
        )
    if len(workers) > WORKERS:
        table.add_row("", Text(f"and {len(workers) - WORKERS} more workers", "dim"))
    return table


def _lane(worker: Worker, losses: list[Loss], snapshot: Snapshot) -> Text:
    """Draw a lane; a cross stands where a worker was lost."""
    axis = snapshot["axis"]
    count = max(axis["count"], 1)
    lane = worker["lane"].ljust(count, ".")
    width = min(LANE, count)
    parts = (lane[at * count // width : (at + 1) * count // width] for at in range(width))
    drawn = Text("".join(BLOCKS[max(part, key=CODES.index)] for part in parts), "blue")
    for loss in losses:
        at = int((loss["time"] - axis["start"]) / axis["step"] / count * width)
        if 0 <= at <= width:
            at = min(at, width - 1)
            mark = Text("-" if loss["expected"] else "✗", "bold red")
            drawn = drawn[:at] + mark + drawn[at + 1 :]
    return drawn


def _spark(curve: Curve) -> str:
    values = [value for _, value in curve["points"]]
    picked = [values[at * len(values) // SPARK] for at in range(min(SPARK, len(values)))]
    low, high = min(picked), max(picked)
    return "".join("▁▂▃▄▅▆▇█"[int(7 * (value - low) / (high - low or 1))] for value in picked)


def _memory(worker: Worker) -> str:
    if worker["state"] in ("away", "gone") or not worker["memory_limit"]:
        return ""
    return f"{worker['memory'] / worker['memory_limit']:.0%} of memory"


def _stages(snapshot: Snapshot) -> dict[tuple[str, str], tuple[Workflow, Stage]]:
    return {
        (run["id"], stage["name"]): (run, stage)
        for run in reversed(snapshot["workflows"])
        for stage in run["stages"]
    }


def _stage_line(run: Workflow, stage: Stage, of: int) -> str:
    mark, place = MARKS[stage["state"]], f"{stage['number']}/{of}"
    told = f"{mark} {run['name']} {place} {stage['name']}  {duration(stage['seconds'])}"
    return f"{told}  {facts_of(stage)}".rstrip()


def _ends(before: Snapshot | None, now: Snapshot) -> Iterator[str]:
    known = {} if before is None else {run["id"]: run["state"] for run in before["workflows"]}
    for run in reversed(now["workflows"]):
        if known.get(run["id"]) != run["state"]:
            told = workflow_in_words(run) if run["state"] != "running" else "started"
            yield f"  {run['name']} {told}. {run['error']}".rstrip()


def _going_on(snapshot: Snapshot) -> str:
    run = current_run(snapshot)
    if run is None or run["state"] != "running":
        return f"  {snapshot['cluster']['workers']} workers, no workflow runs"
    stage = next((each for each in run["stages"] if each["state"] in ("running", "stalled")), None)
    told = f"  {run['name']}: {workflow_in_words(run)}"
    return told if stage is None else f"{told}; {stage['name']}: {facts_of(stage)}"
