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

from dmlkit.errors import DmlkitError
from dmlkit.search.legs import Leg
from dmlkit.search.running import Run
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
    """

    study: optuna.Study
    space: Mapping[str, BaseDistribution]
    plan_of: Callable[[Mapping[str, Any]], Any]
    rungs: Sequence[int]
    wanted: int
    until: float = math.inf
    metric: str = "score"
    _interrupted: list[optuna.trial.Trial] = field(init=False)
    _started: int = field(init=False)

    def __post_init__(self) -> None:
        there = self.study.get_trials(deepcopy=False)
        # Those of a client that died are begun anew.
        running = [trial for trial in there if trial.state == TrialState.RUNNING]
        self._interrupted = [optuna.trial.Trial(self.study, each._trial_id) for each in running]
        self._started = sum(trial.state != TrialState.WAITING for trial in there)

    def next(self) -> Run | None:
        """Return a trial to start, or None when there are enough or time is up."""
        while time.monotonic() < self.until:
            if self._interrupted:
                trial = self._interrupted.pop()
            elif self._started < self.wanted:
                trial = self.study.ask(dict(self.space))
                self._started += 1
            else:
                return None
            try:
                plan = self.plan_of(trial.params)
            except DmlkitError as error:
                self._give_up(trial, str(error))
                continue
            return Run(trial.number, trial, _up_to(plan, self.rungs[0]))
        return None

    def after(self, run: Run, leg: Leg) -> Run | None:
        """Tell Optuna of a leg; return the next one if it is worth it."""
        if not math.isfinite(leg.score):
            self.failed(run, f"the metric is {leg.score} after {leg.rounds} rounds")
            return None
        run.trial.report(leg.score, leg.rounds)
        run.trial.set_user_attr(BEST, leg.best_iteration)
        if leg.folds:
            run.trial.set_user_attr(FOLDS, list(leg.folds))
        stopped = leg.rounds < run.plan.rounds
        if stopped or run.plan.rounds == self.rungs[-1]:
            self.study.tell(run.trial, leg.score)
            return None
        if run.trial.should_prune():
            self.study.tell(run.trial, state=TrialState.PRUNED)
            return None
        further = self.rungs[self.rungs.index(run.plan.rounds) + 1]
        return replace(run, plan=_up_to(run.plan, further), checkpoint=leg.checkpoint)

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
            "running": counts[TrialState.RUNNING],
            "metric": self.metric,
            "best": float(self.study.best_value) if complete else None,
        }

    def failed(self, run: Run, reason: str) -> None:
        """Tell Optuna that a trial cannot be trained."""
        self._give_up(run.trial, reason)

    def _give_up(self, trial: optuna.trial.Trial, reason: str) -> None:
        trial.set_user_attr(ERROR, reason)
        self.study.tell(trial, state=TrialState.FAIL)


def _up_to(plan: Any, rounds: int) -> Any:
    """Return a plan that ends, with a checkpoint, after so many rounds."""
    return replace(plan, rounds=rounds, checkpoint_every=rounds)
