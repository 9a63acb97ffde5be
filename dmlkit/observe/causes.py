"""Why a worker was lost: judged from what its nanny, the scheduler and the worker itself told.

The facts come in any order, some after the worker has been removed: a loss is judged again with
each. Nothing is guessed; where the facts do not say, the cause is that the connection was lost.
"""

import signal
from dataclasses import dataclass

from dask.utils import format_bytes

from dmlkit.observe.schema import CauseKind

__all__ = ["PLANNED", "Cause", "Facts", "judge"]

#: Causes that somebody asked for.
PLANNED: frozenset[CauseKind] = frozenset({"retired", "restarted", "closed"})

#: Reasons that workers of Dask's give for closing, in words.
CLOSINGS = {
    "nanny-close": "closed, since its nanny was told to close",
    "worker-close": "closed itself",
    "scheduler-close-worker": "told by the scheduler to close",
    "scheduler-remove-worker": "told by the scheduler to close",
}

TERMINATING = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


@dataclass
class Facts:
    """What is known of a worker's end.

    Attributes
    ----------
    stimulus : str
        What let the scheduler remove it (Dask's name for it).
    expected : bool
        The scheduler was asked to let it go.
    closing : str
        The reason that the worker gave when it closed.
    memory, memory_limit : int
        What it held when its nanny killed it for memory.
    silence : float
        Seconds without a heartbeat, when the scheduler gave it up for that.
    exit_code : int or None
        Of its process, as its nanny saw it; negative for a signal.
    nanny : str
        ``"answers"``, ``"refuses"`` (nothing listens there) or ``"silent"``; empty where nobody
        looked.
    """

    stimulus: str = ""
    expected: bool = False
    closing: str = ""
    memory: int = 0
    memory_limit: int = 0
    silence: float = 0.0
    exit_code: int | None = None
    nanny: str = ""


@dataclass(frozen=True)
class Cause:
    """A cause, in a word and in a sentence."""

    kind: CauseKind
    text: str


def judge(facts: Facts) -> Cause:
    """Return the cause that the facts show.

    Examples
    --------
    >>> judge(Facts(stimulus="handle-worker-cleanup-1.5", exit_code=-11)).text
    'crashed with SIGSEGV'
    >>> judge(Facts(stimulus="handle-worker-cleanup-1.5")).kind
    'connection-lost'
    """
    return (
        _given_up(facts)
        or _let_go(facts)
        or _closed(facts)
        or _exited(facts)
        or _nobody_there(facts)
        or _broken(facts)
    )


def _given_up(facts: Facts) -> Cause | None:
    if facts.memory:
        of = f" of {format_bytes(facts.memory_limit)}" if facts.memory_limit else ""
        return Cause("memory", f"killed by its nanny for memory: {format_bytes(facts.memory)}{of}")
    if facts.silence:
        return Cause("heartbeat", f"gave no sign of life for {facts.silence:.0f} s")
    if facts.stimulus.startswith("dmlkit-frozen"):
        return Cause("frozen", "gave no sign of life while training, and was let go")
    return None


def _let_go(facts: Facts) -> Cause | None:
    if facts.closing.startswith("client-restart"):
        return Cause("restarted", "restarted by a client")
    if facts.closing == "worker-lifetime-reached":
        return Cause("retired", "retired: its lifetime was over")
    if facts.expected:
        return Cause("retired", "retired: its results were moved to other workers first")
    return None


def _closed(facts: Facts) -> Cause | None:
    reason = facts.closing
    if not reason:
        return None
    if reason.startswith("signal-"):
        return Cause("terminated", f"told to end by {_signal(int(reason[7:]))}")
    if reason in ("worker-handle-scheduler-connection-broken", "worker-heartbeat-error"):
        return Cause("connection-lost", "lost its connection to the scheduler, and closed")
    if reason == "worker-heartbeat-missing":
        return Cause("connection-lost", "the scheduler had given it up when it spoke again")
    told = CLOSINGS.get(reason, f"closed ({reason})")
    return Cause("closed", told)


def _exited(facts: Facts) -> Cause | None:
    code = facts.exit_code
    if code is None:
        return None
    if code == -signal.SIGKILL:
        return Cause("killed", "killed with SIGKILL, by hand or by the kernel for want of memory")
    if code < 0:
        if -code in TERMINATING:
            return Cause("terminated", f"its process was told to end by {_signal(-code)}")
        return Cause("crashed", f"crashed with {_signal(-code)}")
    return Cause("exited", f"its process ended with exit status {code}")


def _nobody_there(facts: Facts) -> Cause | None:
    if facts.nanny == "refuses":
        return Cause("nanny-lost", "its nanny is gone too: killed from outside, or restarted host")
    if facts.nanny == "silent":
        return Cause("host-lost", "neither it nor its nanny answers: its machine or network")
    return None


def _broken(facts: Facts) -> Cause:
    if facts.stimulus.startswith(("handle-worker-cleanup", "worker-send", "send-all")):
        return Cause("connection-lost", "its connection broke; no exit of its process was told")
    if facts.stimulus.startswith("nanny-close"):
        return Cause("connection-lost", "its nanny found it gone; how its process ended is unknown")
    return Cause("unknown", "left; nothing tells why")


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
