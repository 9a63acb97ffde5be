"""Durations, ranges, losses and stages in words, for terminals, notebooks and lines of text."""

from collections.abc import Mapping
from datetime import datetime

from dask.utils import format_bytes

from dmlkit.observe.schema import Flow, Loss, Range, Snapshot, Stage, Training, Workflow

__all__ = [
    "MARKS",
    "clock",
    "current_run",
    "duration",
    "efforts_in_words",
    "facts_of",
    "flow_in_words",
    "left_in_short",
    "left_in_words",
    "loss_in_words",
    "training_in_words",
    "workflow_in_words",
]

#: By the state of a stage.
MARKS = {
    "waiting": "○",
    "running": "●",
    "stalled": "‖",
    "done": "✓",
    "resumed": "↻",
    "failed": "✗",
}


def duration(seconds: float) -> str:
    """Return seconds as a person says them.

    Examples
    --------
    >>> duration(3.21), duration(75), duration(200), duration(7500)
    ('3.2 s', '75 s', '3 min 20 s', '2 h 5 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 10:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def clock(time: float) -> str:
    """Return the time of day here."""
    return datetime.fromtimestamp(time).strftime("%H:%M:%S")


def left_in_words(left: Range | None) -> str:
    """Return what is left as a range; nothing where it cannot be told.

    Examples
    --------
    >>> left_in_words({"low": 61.0, "high": 95.0})
    '61 s to 95 s left'
    """
    if left is None:
        return ""
    low, high = duration(left["low"]), duration(left["high"])
    return f"{high} left" if low == high else f"{low} to {high} left"


def left_in_short(low: float, high: float) -> str:
    """Return what is left as a range for a narrow place.

    Examples
    --------
    >>> left_in_short(20.2, 61.0), left_in_short(61.0, 190.0), left_in_short(30.0, 9000.0)
    ('20 to 61 s left', '1 to 3 min left', '0 to 2.5 h left')
    """
    unit, seconds = ("s", 1) if high < 100 else ("min", 60) if high < 6000 else ("h", 3600)
    digits = 1 if unit == "h" else 0
    told = [f"{value / seconds:.{digits}f}".removesuffix(".0") for value in (low, high)]
    return f"{' to '.join(dict.fromkeys(told))} {unit} left"


def loss_in_words(loss: Loss) -> str:
    """Return a loss as a sentence: who, why, what it cost."""
    return f"Worker {loss['name']}: {loss['text']}; {_outcome(loss)}."


def _outcome(loss: Loss) -> str:
    lost, again = loss["lost_tasks"], loss["recomputed"]
    if loss["outcome"] == "computing again":
        return f"{again} of {lost} lost results computed again so far"
    if loss["outcome"] == "failed":
        return "a task failed for it"
    if loss["outcome"] == "given up":
        return f"{lost} lost results, which nobody wanted any more"
    if lost:
        took = "" if loss["seconds"] is None else f" in {duration(loss['seconds'])}"
        return f"{again} results computed again{took}"
    running = loss["running_tasks"]
    return f"{running} running tasks started again" if running else "nothing was lost with it"


def rounded(count: float) -> str:
    """Return a count in three digits.

    Examples
    --------
    >>> rounded(17), rounded(52_300), rounded(1_234_567)
    ('17', '52.3k', '1.23M')
    """
    for unit in ("", "k", "M", "G"):
        if count < 999.5 or unit == "G":
            return f"{count:.0f}" if not unit else f"{count:.3g}{unit}"
        count /= 1000
    raise AssertionError


def flow_in_words(flow: Flow) -> str:
    """Return how many rows are through; what is taken to come is said to be about so many.

    Examples
    --------
    >>> flow_in_words({"what": "read", "rows": 52_300, "bytes": 10, "parts": 1, "parts_total": 2,
    ...                "rows_total": 104_600, "rows_per_second": 5000.0, "left": None})
    '52.3k of about 105k rows read, 5k a second'
    """
    told = f"{rounded(flow['rows'])} rows {flow['what']}"
    if flow["parts"] < flow["parts_total"] and flow["rows_total"] is not None:
        told = f"{rounded(flow['rows'])} of about {rounded(flow['rows_total'])} rows {flow['what']}"
        if flow["rows_per_second"]:
            told += f", {rounded(flow['rows_per_second'])} a second"
    return told


def facts_of(stage: Stage) -> str:
    """Return how far a stage is, or what it did."""
    told = []
    if stage["state"] in ("running", "stalled"):
        if stage["tasks_total"]:
            told.append(f"{stage['tasks_done']:,}/{stage['tasks_total']:,} tasks")
        told += [flow_in_words(flow) for flow in stage["flows"][-1:]]
        if stage["state"] == "stalled":
            told.append(f"nothing ended for {duration(stage['quiet'])}")
        elif stage["left"] is not None:
            told.append(left_in_words(stage["left"]))
    else:
        if stage["rows"] is not None:
            told.append(f"{stage['rows']:,} rows")
        if stage["bytes"] is not None:
            told.append(format_bytes(stage["bytes"]))
        if stage["state"] == "resumed":
            told.append("taken over")
    return ", ".join(told)


def workflow_in_words(run: Workflow) -> str:
    """Return how a run stands."""
    told = [run["state"], f"{duration(run['seconds'])} so far"]
    if run["state"] != "running":
        return f"{run['state']} after {duration(run['seconds'])}"
    if run["share"] is not None:
        told.append(f"{run['share']:.0%} done")
    return ", ".join([*told, left_in_words(run["left"])]).rstrip(", ")


def training_in_words(training: Training) -> str:
    """Return how a training stands."""
    told = [f"round {training['round']}/{training['total']}"]
    told += [f"{curve['metric']} {curve['last']:.4f}" for curve in training["curves"][:2]]
    if training["restarts"]:
        count = len(training["restarts"])
        told.append(f"{count} restart{'s' if count > 1 else ''}")
    return ", ".join(told)


def efforts_in_words(training: Training, names: Mapping[str, str]) -> list[str]:
    """Return who does how much of a training, the slowest worker first.

    Parameters
    ----------
    training : Training
    names : mapping of str to str
        What workers are called, by their addresses.
    """
    whole = training["seconds_per_round"]
    of = f" of {_moment(whole)}" if whole else ""
    lines = [
        f"worker {names.get(each['worker'], each['worker'])}: {each['share']:.0%} of the rows, "
        f"works {_moment(each['seconds'])}{of} a round"
        for each in training["efforts"]
    ]
    return [f"{line}{', the slowest' if not at else ''}" for at, line in enumerate(lines)]


def _moment(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 1 else duration(seconds)


def current_run(snapshot: Snapshot) -> Workflow | None:
    """Return the run that a short view tells of: one that goes on, else the last."""
    return next(iter(snapshot["workflows"]), None)
