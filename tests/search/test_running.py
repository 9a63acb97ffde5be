"""Which worker is given which trial."""

from typing import Any

from dmlkit.search.crew import Room
from dmlkit.search.running import Run, _Running

ROOMS = {"a": Room(threads=2, trials=2), "b": Room(threads=2, trials=2)}


class Others:
    """Trials without end."""

    def next(self) -> Run:
        return Run(99, None, None)


def running(legs: dict[Any, tuple[str, Run]], waiting: list[Run]) -> _Running:
    nothing: Any = None
    trials: Any = Others()
    of = _Running(trials, nothing, nothing, {}, nothing, 3, nothing)
    of.legs, of.waiting = legs, waiting
    return of


def leg(worker: str, losses: int = 0) -> tuple[str, Run]:
    return worker, Run(1, None, None, losses=losses)


def test_the_worker_with_the_fewest_trials_is_next() -> None:
    of = running({1: leg("a")}, [])
    assert of._next(ROOMS) == ("b", Run(99, None, None))
    assert running({1: leg("a"), 2: leg("a"), 3: leg("b"), 4: leg("b")}, [])._next(ROOMS) is None


def test_a_trial_that_may_kill_workers_is_trained_alone() -> None:
    suspect = Run(7, None, None, losses=1)
    of = running({1: leg("a")}, [suspect])
    assert of._next(ROOMS) == ("b", suspect)
    assert of.waiting == []
    of.legs[2] = leg("b", losses=1)
    assert of._next(ROOMS) == ("a", Run(99, None, None))  # and not b
    busy = running({1: leg("a"), 2: leg("b")}, [suspect])
    worker, run = busy._next(ROOMS) or ("", suspect)
    assert run.number == 99
    busy.legs[3] = worker, run
    assert busy._next(ROOMS) is None  # the other one is kept free until it is idle
