"""What a training survived, and how much of it is put up with."""

import contextlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from distributed import Client

from dmlkit.boosting.attempts import TOPIC, Failure
from dmlkit.boosting.checkpoint import Checkpoint
from dmlkit.boosting.plan import Plan
from dmlkit.errors import TrainingError

__all__ = ["Endurance", "Restart", "Restarts"]

#: Attempts in a row that bring no new round: then whatever ends them ends the next one too.
MOST_IN_VAIN = 3


@dataclass(frozen=True)
class Endurance:
    """How much a training puts up with.

    Attributes
    ----------
    max_restarts : int
    worker_timeout : float
        Seconds without a sign of life after which a worker, or a process of it, counts as frozen.
    shards : int or None
        Into how many ranges the rows are cut; None lets their number and the workers decide.
    checkpoint_path : str, Path or None
        Where the last checkpoint is kept too, so that also the client may die.
    may_use_files : bool
        Whether rows and bins may go to files where memory does not suffice.
    """

    max_restarts: int = 10
    worker_timeout: float = 15.0
    shards: int | None = None
    checkpoint_path: str | Path | None = None
    may_use_files: bool = False


@dataclass(frozen=True)
class Restart:
    """A failure that a training survived.

    Attributes
    ----------
    time : float
        When it was noticed, in seconds since the epoch.
    worker : str
    reason : str
    round : int
        The last round that was heard of before it.
    resumed_round : int
        The rounds that the checkpoint had.
    seconds_lost : float or None
        From then until `round` was reached again; None while it is not.
    """

    time: float
    worker: str
    reason: str
    round: int
    resumed_round: int
    seconds_lost: float | None = None


class Restarts:
    """The failures of one training, told to the cluster as they come."""

    def __init__(self, client: Client, endurance: Endurance) -> None:
        self.client, self.endurance = client, endurance
        self._all: list[Restart] = []
        self._noticed = 0.0
        self._in_vain = 0
        self._kept = 0
        self._about = {"training": uuid.uuid4().hex[:12], "client": client.id}

    def all(self) -> tuple[Restart, ...]:
        """Return them in order; what was not made up for by the end is made up for now."""
        self._make_up()
        return tuple(self._all)

    def attempt(
        self, token: str, plan: Plan, shards: Mapping[str, int], lend: Sequence[str]
    ) -> None:
        """Tell the cluster that an attempt goes on.

        Parameters
        ----------
        token : str
        plan : Plan
        shards : mapping of str to int
            How many each worker trains on.
        lend : sequence of str
            Workers whose threads those have, too.
        """
        facts = {
            "attempt": token,
            "rounds": plan.rounds,
            "early_stopping_rounds": plan.early_stopping_rounds,
            "workers": dict(shards),
            "lend": list(lend),
        }
        self.client.log_event(TOPIC, {"kind": "training-attempt", **self._about, **facts})

    def round_reached(self, rounds: int) -> None:
        """Take in that so many rounds are done."""
        if self._all and rounds >= max(self._all[-1].round, 1):
            self._make_up()

    def add(self, failure: Failure, rounds: int, checkpoint: bytes | None) -> None:
        """Take in a failure.

        Raises
        ------
        TrainingError
            It is none that another attempt can help, or there were too many.
        """
        kept = 0 if checkpoint is None else Checkpoint.from_bytes(checkpoint).rounds
        self._in_vain = 0 if kept > self._kept else self._in_vain + 1
        self._kept = kept
        if failure.kind == "failed":
            raise TrainingError(f"XGBoost cannot train: {failure.reason}")
        said = _sentence(failure)
        if len(self._all) >= self.endurance.max_restarts:
            raise TrainingError(
                f"{said} It is the training's failure {len(self._all) + 1}, and max_restarts is "
                f"{self.endurance.max_restarts}. {self.advice()}"
            )
        if self._in_vain >= MOST_IN_VAIN:
            raise TrainingError(
                f"{said} {self._in_vain} attempts in a row brought no new round that could be "
                f"kept. {self.advice()}"
            )
        self._noticed = time.monotonic()
        restart = Restart(time.time(), failure.worker, said, max(rounds, kept), kept)
        self._all.append(restart)
        self._tell(restart)

    def end(self, *, done: bool) -> None:
        """Tell the cluster that it is over, well or not."""
        with contextlib.suppress(Exception):  # the scheduler may be gone
            self.client.log_event(TOPIC, {"kind": "training-end", **self._about, "done": done})

    def advice(self) -> str:
        """Say what can be done, and where the last checkpoint is."""
        advice = (
            "If workers are killed for memory, use larger ones or more of them, or a smaller "
            "max_bin. "
        )
        path = self.endurance.checkpoint_path
        if path is not None and Path(path).exists():
            return f"{advice}fit(..., resume_from={str(path)!r}) goes on where it was."
        return f"{advice}With checkpoint_path, a training can go on where it was."

    def _make_up(self) -> None:
        if self._all and self._all[-1].seconds_lost is None:
            lost = round(time.monotonic() - self._noticed, 2)
            self._all[-1] = replace(self._all[-1], seconds_lost=lost)
            self._tell(self._all[-1])

    def _tell(self, restart: Restart) -> None:
        self.client.log_event(TOPIC, {"kind": "training-restart", **self._about, **asdict(restart)})


def _sentence(failure: Failure) -> str:
    reason = failure.reason.rstrip(".")
    what = {
        "peer-lost": f"A process of the training on worker {failure.worker} lost another one",
        "memory": f"On worker {failure.worker}, {reason}",
        "died": f"On worker {failure.worker}, {reason}",
        "froze": f"Worker {failure.worker}: {reason}",
        "lost": f"Worker {failure.worker} was lost while training",
        "stalled": f"The training stood still: {reason}",
        "task": f"Worker {failure.worker} could not train: {reason}",
    }
    return f"{what.get(failure.kind, f'Worker {failure.worker}: {reason}')}."
