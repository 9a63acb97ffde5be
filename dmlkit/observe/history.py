"""What is kept of a run's story when it is over, for the manifest."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from distributed import Client

from dmlkit.observe.asking import take_snapshot
from dmlkit.observe.events import Listener
from dmlkit.observe.schema import Snapshot

__all__ = ["Following", "history_in_words", "history_of"]

#: Of a loss, what a manifest has.
LOSS = (
    "time", "worker", "cause", "text", "stage", "lost_tasks", "running_tasks", "recomputed",
    "recompute_seconds", "seconds", "outcome",
)  # fmt: skip

#: Kinds of warnings that stages tell themselves.
TOLD_BY_STAGES = ("notice", "training-restart")


@dataclass(frozen=True)
class Following:
    """A run that is followed.

    Attributes
    ----------
    run : str
        By which the scheduler knows it.
    tell : callable
        Takes each of its events.
    """

    run: str
    tell: Listener
    _client: Client

    def history(self) -> dict[str, Any]:
        """Return what befell the run so far; empty where the scheduler keeps no story."""
        with contextlib.suppress(Exception):  # the scheduler may be gone; the run is done anyway
            return history_of(take_snapshot(self._client), self.run)
        return {}


def history_of(snapshot: Snapshot, run: str) -> dict[str, Any]:
    """Return the workers that a run lost, how its trainings went, and the cluster's warnings."""
    trainings = [each for each in snapshot["trainings"] if each["workflow"] == run]
    return {
        "workers_lost": [
            {name: loss[name] for name in LOSS}  # type: ignore[literal-required]
            for loss in reversed(snapshot["losses"])
            if loss["workflow"] == run and not loss["expected"]
        ],
        "trainings": [
            {
                "rounds": each["round"],
                "seconds": each["seconds"],
                "seconds_per_round": each["seconds_per_round"],
                "restarts": each["restarts"],
                "efforts": each["efforts"],
            }
            for each in trainings
        ],
        "cluster_warnings": _texts(snapshot, run),
    }


def history_in_words(history: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the losses and restarts of a history as facts; none where nothing befell.

    Examples
    --------
    >>> loss = {"stage": "train", "text": "killed with SIGKILL", "outcome": "went on"}
    >>> history_in_words({"workers_lost": [loss]})
    [('Workers lost', '1: in train, killed with SIGKILL (went on)')]
    """
    facts = []
    if lost := history.get("workers_lost"):
        each = [f"in {loss['stage'] or '?'}, {loss['text']} ({loss['outcome']})" for loss in lost]
        facts.append(("Workers lost", f"{len(lost)}: {'; '.join(each)}"))
    trainings = history.get("trainings", ())
    if restarts := [restart for training in trainings for restart in training["restarts"]]:
        seconds = sum(restart["seconds_lost"] or 0.0 for restart in restarts)
        facts.append(("Training restarts", f"{len(restarts)}, {seconds:.1f} s lost"))
    return facts


def _texts(snapshot: Snapshot, run: str) -> Sequence[str]:
    return [
        warning["text"]
        for warning in reversed(snapshot["warnings"])
        if warning["workflow"] == run and warning["kind"] not in TOLD_BY_STAGES
    ]
