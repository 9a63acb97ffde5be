"""The story of a cluster in a notebook: a picture that lives, and that reads well when saved."""

import threading
from collections.abc import Callable
from html import escape
from typing import Any

from dmlkit.cluster import connect
from dmlkit.observe.asking import install, take_snapshot
from dmlkit.observe.schema import Loss, Snapshot, Stage, Training, Worker, Workflow
from dmlkit.observe.wording import (
    MARKS,
    clock,
    current_run,
    duration,
    facts_of,
    loss_in_words,
    training_in_words,
    workflow_in_words,
)

__all__ = ["Story", "live"]

#: Seconds between two pictures.
INTERVAL = 1.0

#: Colours of a lane that read well on light and dark pages.
COLOURS = {"i": "#9aa7b5", "b": "#4f97cf", "s": "#d99a1c", "p": "#8a5cb8", "f": "#777"}

WORKERS, LOSSES, WARNINGS = 24, 10, 5


class Story:
    """A story as it stands; a notebook shows it as HTML, with nothing that it would have to fetch.

    Parameters
    ----------
    snapshot : Snapshot
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def _repr_html_(self) -> str:
        run = current_run(self.snapshot)
        parts = ["<p>No workflow has run yet.</p>"] if run is None else _run(self.snapshot, run)
        parts += [_workers(self.snapshot), _losses(self.snapshot), _warnings(self.snapshot)]
        return f'<div style="max-width: 60em; line-height: 1.4">{"".join(parts)}</div>'

    def __repr__(self) -> str:
        run = current_run(self.snapshot)
        told = "no workflow" if run is None else f"{run['name']}, {workflow_in_words(run)}"
        return f"<Story: {told}, {self.snapshot['cluster']['workers']} workers>"


def live(stop: Callable[[], bool] = lambda: False) -> Any:
    """Show the story of the current client's cluster below a cell, renewed each second.

    Other cells go on meanwhile. It stops when the kernel does, when the scheduler is gone, or when
    `live` is called again; the last picture stays in the notebook.

    Parameters
    ----------
    stop : callable
        Asked each second whether to stop.

    Returns
    -------
    threading.Thread
        What renews it.

    Examples
    --------
    In the first cell of a notebook, before a job is run in the second::

        from dmlkit import connect
        from dmlkit.observe.notebook import live

        client = connect()
        live()
    """
    from IPython.display import display

    client = connect()
    install(client)
    shown = display(Story(take_snapshot(client)), display_id=True)
    over = threading.Event()
    if _running:
        _running.pop().set()
    _running.append(over)

    def renew() -> None:
        while not (over.wait(INTERVAL) or stop()):
            try:
                shown.update(Story(take_snapshot(client)))
            except Exception:  # the cluster is gone: the last picture stays
                return

    thread = threading.Thread(target=renew, name="dmlkit-live", daemon=True)
    thread.start()
    return thread


_running: list[threading.Event] = []


def _run(snapshot: Snapshot, run: Workflow) -> list[str]:
    told = f"<b>{escape(run['name'])}</b> {escape(workflow_in_words(run))}"
    rows = "".join(_stage(stage) for stage in run["stages"])
    parts = [f"<p>{told}</p>", f"<table>{rows}</table>"]
    for training in snapshot["trainings"]:
        if training["workflow"] == run["id"] and training["curves"]:
            parts.append(_training(training))
            break
    return parts


def _stage(stage: Stage) -> str:
    took = "" if stage["state"] == "waiting" else duration(stage["seconds"])
    bar = ""
    if stage["state"] in ("running", "stalled") and stage["tasks_total"]:
        done, total = stage["tasks_done"], stage["tasks_total"]
        bar = f'<progress value="{done}" max="{total}"></progress> '
    return (
        f"<tr><td>{MARKS[stage['state']]}</td>{_left(escape(stage['name']))}"
        f'<td style="text-align: right">{took}</td>{_left(bar + escape(facts_of(stage)))}</tr>'
    )


def _left(content: str) -> str:
    return f'<td style="text-align: left">{content}</td>'


def _training(training: Training) -> str:
    curve = training["curves"][-1]
    points = curve["points"]
    low = min(value for _, value in points)
    high = max(value for _, value in points)
    last = max(points[-1][0], 2)
    path = " ".join(
        f"{300 * (number - 1) / (last - 1):.1f},{58 - 54 * (value - low) / (high - low or 1):.1f}"
        for number, value in points
    )
    best = f"{escape(curve['metric'])} best {curve['best']:.4f} in round {curve['best_round']}"
    return (
        f"<p>Training: {escape(training_in_words(training))}; {best}</p>"
        f'<svg width="300" height="60" role="img" aria-label="{best}">'
        f'<polyline points="{path}" fill="none" stroke="#4f97cf" stroke-width="2"/></svg>'
    )


def _workers(snapshot: Snapshot) -> str:
    workers = sorted(snapshot["workers"], key=lambda each: (-each["losses"], each["id"]))
    rows = "".join(
        f"<tr>{_left(escape('worker ' + worker['name']))}<td>{_lane(snapshot, worker)}</td>"
        f"{_left(escape(worker['state']))}</tr>"
        for worker in workers[:WORKERS]
    )
    more = f"<p>and {len(workers) - WORKERS} more</p>" if len(workers) > WORKERS else ""
    return f"<table>{rows}</table>{more}" if rows else "<p>There are no workers.</p>"


def _lane(snapshot: Snapshot, worker: Worker) -> str:
    axis = snapshot["axis"]
    count = max(axis["count"], 1)
    drawn, start = [], 0
    lane = worker["lane"]
    for at in range(1, len(lane) + 1):
        if at == len(lane) or lane[at] != lane[start]:
            if lane[start] in COLOURS:
                left, width = 400 * start / count, 400 * (at - start) / count
                colour = COLOURS[lane[start]]
                drawn.append(
                    f'<rect x="{left:.1f}" width="{width:.1f}" height="14" fill="{colour}"/>'
                )
            start = at
    drawn += [
        _cross(400 * (loss["time"] - axis["start"]) / axis["step"] / count, loss)
        for loss in snapshot["losses"]
        if loss["place"] == worker["id"] and loss["time"] >= axis["start"]
    ]
    return f'<svg width="400" height="14">{"".join(drawn)}</svg>'


def _cross(at: float, loss: Loss) -> str:
    colour = "#777" if loss["expected"] else "#b3261e"
    x = min(max(at, 7.0), 393.0)
    return (
        f'<path d="M{x - 5:.1f} 2l10 10m0 -10l-10 10" stroke="{colour}" stroke-width="3">'
        f"<title>{escape(loss_in_words(loss))}</title></path>"
    )


def _losses(snapshot: Snapshot) -> str:
    lost = [loss for loss in snapshot["losses"] if not loss["expected"]][:LOSSES]
    items = "".join(
        f"<li>{clock(loss['time'])} {escape(loss_in_words(loss))}</li>" for loss in lost
    )
    return f"<p><b>Lost</b></p><ul>{items}</ul>" if items else ""


def _warnings(snapshot: Snapshot) -> str:
    told = snapshot["warnings"][:WARNINGS]
    items = "".join(f"<li>{clock(each['last'])} {escape(each['text'])}</li>" for each in told)
    return f"<p><b>Warnings</b></p><ul>{items}</ul>" if items else ""
