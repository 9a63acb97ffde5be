"""Which trials there are and which go on: asked of Optuna, told to Optuna."""

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState

from dmlkit.errors import DmlkitError, TrainingError
from dmlkit.search.legs import Leg
from dmlkit.search.running import Run
from dmlkit.search.standings import Standings
from dmlkit.search.studies import BEST, ERROR, FOLDS

__all__ = ["StudyTrials", "rungs_of"]


def rungs_of(rounds: int, min_rounds: int, reduction_factor: int) -> list[int]:
    """Return the rounds at which trials are compared, and the last one.

    Examples
    --------
    >>> rungs_of(200, 10, 3)
    [10, 30, 90, 200]
    """
    rungs = []
    while min_rounds < rounds:
        rungs.append(min_rounds)
        min_rounds *= reduction_factor
    return [*rungs, rounds]


@dataclass
class StudyTrials:
    """The trials of a study.

    Attributes
    ----------
    study : optuna.Study
    space : mapping of str to distribution
    plan_of : callable
        From parameters to a plan.
    rungs : sequence of int
        The rounds at which legs end.
    wanted : int
        Trials in all, with those that the study has already.
    until : float
        None is started after this time, of `time.monotonic`.
    metric : str
        What trials are compared by.
    standings : Standings, optional
        Who goes on at a rung; without, Optuna's pruner says so at once.
    raises : bool
        Whether the first trial that cannot be trained ends the search.
    """

    study: optuna.Study
    space: Mapping[str, BaseDistribution]
    plan_of: Callable[[Mapping[str, Any]], Any]
    rungs: Sequence[int]
    wanted: int
    until: float = math.inf
    metric: str = "score"
    standings: Standings | None = None
    raises: bool = False
    _interrupted: list[optuna.trial.Trial] = field(init=False)
    _started: int = field(init=False)
    _waiting: dict[int, Run] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        there = self.study.get_trials(deepcopy=False)
        self._started = sum(trial.state != TrialState.WAITING for trial in there)
        # Those of a client that died are begun anew, unless they only waited at a rung.
        running = [trial for trial in there if trial.state == TrialState.RUNNING]
        waited = {trial.number for trial in there if self._recall(trial)}
        again = [trial for trial in running if trial.number not in waited]
        self._interrupted = [optuna.trial.Trial(self.study, each._trial_id) for each in again]

    def next(self) -> Run | None:
        """Return a trial to train, or None when there are enough, time is up or others are due."""
        if self.standings is not None:
            self._give_up_the_worse(self.standings)
            found = self.standings.going_on(self._to_begin())
            if found is not None:
                return self._further(self._waiting.pop(found[0]))
        run = self._new()
        if run is not None and self.standings is not None:
            self.standings.begin(0)
        return run

    def after(self, run: Run, leg: Leg) -> Run | None:
        """Tell Optuna of a leg; return the next one if it is worth it."""
        if not math.isfinite(leg.score):
            self.failed(run, f"the metric is {leg.score} after {leg.rounds} rounds")
            return None
        run.trial.report(leg.score, leg.rounds)
        run.trial.set_user_attr(BEST, leg.best_iteration)
        if leg.folds:
            run.trial.set_user_attr(FOLDS, list(leg.folds))
        stopped = leg.rounds < run.plan.rounds or not leg.checkpoint
        if stopped or run.plan.rounds == self.rungs[-1]:
            self._left(run)
            self.study.tell(run.trial, leg.score)
            return None
        run = replace(run, checkpoint=leg.checkpoint)
        if self.standings is not None:
            self.standings.arrive(run.number, self._rung(run), leg.score)
            self._waiting[run.number] = run
            return None
        if run.trial.should_prune():
            self.study.tell(run.trial, state=TrialState.PRUNED)
            return None
        return self._further(run)

    def failed(self, run: Run, reason: str) -> None:
        """Tell Optuna that a trial cannot be trained."""
        self._left(run)
        self._give_up(run.trial, reason)

    def _new(self) -> Run | None:
        while self._to_begin():
            if self._interrupted:
                trial = self._interrupted.pop()
            else:
                trial = self.study.ask(dict(self.space))
                self._started += 1
            try:
                plan = self.plan_of(trial.params)
            except DmlkitError as error:
                self._give_up(trial, str(error))
                continue
            return Run(trial.number, trial, _up_to(plan, self.rungs[0]))
        return None

    def _to_begin(self) -> int:
        if time.monotonic() >= self.until:
            return 0
        return len(self._interrupted) + max(0, self.wanted - self._started)

    def _further(self, run: Run) -> Run:
        """Return a trial with its next leg."""
        rung = self._rung(run) + 1
        if self.standings is not None:
            self.standings.begin(rung)
        return replace(run, plan=_up_to(run.plan, self.rungs[rung]))

    def _rung(self, run: Run) -> int:
        return self.rungs.index(run.plan.rounds)

    def _left(self, run: Run) -> None:
        if self.standings is not None:
            self.standings.leave(self._rung(run))

    def _give_up_the_worse(self, standings: Standings) -> None:
        for number in standings.given_up(self._to_begin()):
            self.study.tell(self._waiting.pop(number).trial, state=TrialState.PRUNED)

    def _recall(self, trial: optuna.trial.FrozenTrial) -> bool:
        """Put a trial of a search that was stopped where it stood; tell whether it waits there."""
        scores = trial.intermediate_values
        reached = [rung for rung, rounds in enumerate(self.rungs[:-1]) if rounds in scores]
        waits = trial.state == TrialState.RUNNING
        if self.standings is None or not reached:
            return False
        if waits and max(scores) != self.rungs[reached[-1]]:  # other rungs than now
            return False
        for rung in reached:
            over = rung < reached[-1] or not waits
            self.standings.recall(trial.number, rung, scores[self.rungs[rung]], settled=over)
        if waits:
            same = optuna.trial.Trial(self.study, trial._trial_id)
            plan = _up_to(self.plan_of(trial.params), self.rungs[reached[-1]])
            self._waiting[trial.number] = Run(trial.number, same, plan)
        return waits

    def progress(self) -> dict[str, Any]:
        """Tell how many trials are done of how many, and the best so far."""
        trials = self.study.get_trials(deepcopy=False)
        counts = Counter(trial.state for trial in trials)
        complete = counts[TrialState.COMPLETE]
        pruned, failed = counts[TrialState.PRUNED], counts[TrialState.FAIL]
        return {
            "done": complete + pruned + failed,
            "total": max(self.wanted, len(trials)),
            "pruned": pruned,
            "failed": failed,
            "running": counts[TrialState.RUNNING] - len(self._waiting),
            "metric": self.metric,
            "best": float(self.study.best_value) if complete else None,
        }

    def _give_up(self, trial: optuna.trial.Trial, reason: str) -> None:
        trial.set_user_attr(ERROR, reason)
        self.study.tell(trial, state=TrialState.FAIL)
        if self.raises:
            raise TrainingError(f"Trial {trial.number} with {trial.params} failed: {reason}.")


def _up_to(plan: Any, rounds: int) -> Any:
    """Return a plan that ends, with a checkpoint, after so many rounds."""
    return replace(plan, rounds=rounds, checkpoint_every=rounds)
