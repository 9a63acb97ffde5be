"""What earlier runs of a workflow say of one that goes on: how long its stages will take.

Runs differ: in rows, in what else the machine does, in whether workers have compiled and cached
already. So each earlier run counts by how well the stages of this one that are done fit it, and
what then is left of a difference is taken to last.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dmlkit.observe.runs import RunRecord, StageProgress

__all__ = ["EarlierRun", "expected_seconds"]

#: Seconds of each stage that do not depend on the rows.
FIXED = 1.0

#: How far apart, as a logarithm, two runs are whose finished stages hardly fit each other; and the
#: seconds by which any two may differ.
APART, ANYHOW = 0.3, 3.0

#: The least that an earlier run counts, and what each newer one counts more than the one before:
#: the first ones compiled, and other things went on.
LEAST, NEWER = 0.02, 2.0

#: How much of the whole run, and seconds, count as run at the expected pace already: one stage of a
#: few moments says little of the others.
TRUST, TRUST_SECONDS = 0.12, 4.0


@dataclass(frozen=True)
class EarlierRun:
    """How long the stages of an earlier run took, and how many rows they had where that is known.

    Attributes
    ----------
    seconds, rows : mapping of str to number
        By stage.
    size : int or None
        Bytes of its input.
    elsewhere : bool
        It comes with the workflow, and says how its stages compare more than how long they take.
    """

    seconds: Mapping[str, float]
    rows: Mapping[str, int]
    size: int | None = None
    elsewhere: bool = False

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> EarlierRun:
        """Return it from what a client tells, or a file has."""
        return cls(
            {str(name): float(value) for name, value in told["seconds"].items()},
            {str(name): int(value) for name, value in (told.get("rows") or {}).items()},
            told.get("size"),
            bool(told.get("elsewhere")),
        )


def expected_seconds(run: RunRecord) -> dict[str, float]:
    """Return how long each stage of a run is expected to take in all.

    Empty where no earlier run had all the stages that are still to come.
    """
    to_come = [stage for stage in run.stages if stage.state in ("waiting", "running", "stalled")]
    known = [each for each in run.earlier if all(stage.name in each.seconds for stage in to_come)]
    if not known:
        return {}
    done = [stage for stage in run.stages if stage.state == "done"]
    told = [_scaled(each, run, done) for each in known]
    weights = [
        NEWER**place * _fit(seconds, done) for place, seconds in enumerate(told)
    ]  # the newest comes last
    names = [stage.name for stage in run.stages if all(stage.name in each for each in told)]
    total = sum(weights)
    mean = {
        name: sum(weight * each[name] for weight, each in zip(weights, told, strict=True)) / total
        for name in names
    }
    pace = _pace(mean, done)
    return {name: seconds * pace for name, seconds in mean.items()}


def _scaled(each: EarlierRun, run: RunRecord, done: Sequence[StageProgress]) -> dict[str, float]:
    """Return the seconds of an earlier run as if it had had the rows of this one."""
    ratio = 1.0
    if each.size and run.size:
        ratio = run.size / each.size
    elif known := [name for name in run.planned if each.rows.get(name)]:
        ratio = run.planned[known[0]] / each.rows[known[0]]
    for stage in done:  # rows that are counted say more than bytes
        if stage.rows and each.rows.get(stage.name):
            ratio = stage.rows / each.rows[stage.name]
    return {
        name: min(seconds, FIXED) + max(seconds - FIXED, 0.0) * ratio
        for name, seconds in each.seconds.items()
    }


def _fit(expected: Mapping[str, float], done: Sequence[StageProgress]) -> float:
    """Return how well finished stages fit what was expected of them, from nearly 0 to 1."""
    both = [stage for stage in done if stage.name in expected]
    taken = ANYHOW + sum(stage.seconds for stage in both)
    before = ANYHOW + sum(expected[stage.name] for stage in both)
    return LEAST + math.exp(-0.5 * (math.log(taken / before) / APART) ** 2)


def _pace(expected: Mapping[str, float], done: Sequence[StageProgress]) -> float:
    """Return how many times as long as expected the finished stages took."""
    both = [stage for stage in done if stage.name in expected]
    trust = TRUST * sum(expected.values()) + TRUST_SECONDS
    taken = sum(stage.seconds for stage in both)
    return (taken + trust) / (sum(expected[stage.name] for stage in both) + trust)
