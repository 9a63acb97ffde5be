"""Optuna's study: where it is kept, what draws parameters, and what gives up on trials early."""

import contextlib
import fcntl
import itertools
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from dmlkit.boosting.parameters import HANDLED, check_names
from dmlkit.errors import ConfigurationError, InputError, OutputError

__all__ = [
    "BEST",
    "ERROR",
    "FOLDS",
    "as_frame",
    "checked_space",
    "distribution_of",
    "grid_of",
    "held_alone",
    "open_study",
    "pruner_of",
    "quietly",
]

#: Of the study and its trials: what it searches, why a trial failed, its best round, and the scores
#: of its folds.
MADE_FOR, ERROR, BEST, FOLDS = "made_for", "error", "best_iteration", "folds"

#: What all trials share, so that it cannot differ between them.
SHARED = HANDLED | {"max_bin", "objective", "tree_method", "booster"}

STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}

SAMPLERS = ("tpe", "random", "grid")
PRUNERS = ("asha", "hyperband")


def checked_space(space: Mapping[str, Any]) -> dict[str, BaseDistribution]:
    """Return a distribution for each parameter; a list is one of its values.

    Raises
    ------
    ConfigurationError

    Examples
    --------
    >>> checked_space({"max_depth": [4, 6]})
    {'max_depth': CategoricalDistribution(choices=(4, 6))}
    """
    if not space:
        raise ConfigurationError("space is empty: name parameters and what they may be.")
    check_names(name for name in space if name not in SHARED)
    for name in space:
        if name in SHARED:
            raise ConfigurationError(
                f"{name!r} is the same for all trials, which share their rows and rounds. Set it "
                "in the estimator (early_stopping_rounds finds n_estimators)."
            )
    return {name: distribution_of(name, given) for name, given in space.items()}


def grid_of(space: Mapping[str, BaseDistribution]) -> list[dict[str, Any]]:
    """Return all combinations of values.

    Raises
    ------
    ConfigurationError
        A parameter has no list of values.
    """
    values: list[Sequence[Any]] = []
    for name, distribution in space.items():
        if not isinstance(distribution, CategoricalDistribution):
            raise ConfigurationError(f"sampler='grid' needs a list of values for {name!r}.")
        values.append(distribution.choices)
    return [dict(zip(space, chosen, strict=True)) for chosen in itertools.product(*values)]


def pruner_of(
    pruner: str | None, rounds: int, min_rounds: int, reduction_factor: int
) -> optuna.pruners.BasePruner:
    """Return what gives up on trials."""
    if pruner is None:
        return optuna.pruners.NopPruner()
    if pruner == "asha":
        return optuna.pruners.SuccessiveHalvingPruner(min_rounds, reduction_factor)
    if pruner == "hyperband":
        return optuna.pruners.HyperbandPruner(min_rounds, rounds, reduction_factor)
    raise ConfigurationError(f"pruner is {pruner!r}; it must be one of {PRUNERS} or None.")


def open_study(
    storage: str | Path | None,
    sampler: str,
    pruner: optuna.pruners.BasePruner,
    direction: Literal["minimize", "maximize"],
    seed: int,
    made_for: str,
) -> optuna.Study:
    """Make a study, or go on with the one that a file holds.

    Raises
    ------
    ConfigurationError
    OutputError
        The file's folder is missing.
    InputError
        The file holds something else, or the study of another search.
    """
    if sampler not in SAMPLERS:
        raise ConfigurationError(f"sampler is {sampler!r}; it must be one of {SAMPLERS}.")
    study = optuna.create_study(
        storage=None if storage is None else _journal(Path(storage).expanduser()),
        pruner=pruner,
        study_name="search",
        direction=direction,
        load_if_exists=True,
    )
    before = study.user_attrs.get(MADE_FOR, made_for)
    if before != made_for:
        raise InputError(
            f"{str(storage)!r} holds a search with other parameters, columns or rows. "
            "Name another file, or give the same ones."
        )
    study.set_user_attr(MADE_FOR, made_for)
    # Else a search that goes on would draw the same parameters again.
    seed += len(study.trials)
    study.sampler = (
        optuna.samplers.TPESampler(seed=seed)
        if sampler == "tpe"
        else optuna.samplers.RandomSampler(seed=seed)
    )
    return study


@contextlib.contextmanager
def held_alone(storage: str | Path | None) -> Iterator[None]:
    """Keep other searches from a file: each would take the trials of the other for left behind.

    Raises
    ------
    InputError
        Another search has it.
    """
    with contextlib.ExitStack() as stack:
        if storage is not None:
            # What cannot be opened, `open_study` tells.
            with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
                handle = stack.enter_context(Path(storage).expanduser().open("ab"))
                _lock(handle, storage)
        yield


def _lock(handle: IO[bytes], storage: str | Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InputError(
            f"Another search is keeping its trials in {str(storage)!r}. Wait for it, or name "
            "another file."
        ) from error


def as_frame(study: optuna.Study, error_score: float = math.nan) -> pd.DataFrame:
    """Return a row for each trial: number, state, score, rounds, seconds, error, parameters.

    Of a search over folds, the standard deviation over them and the score of each, too. A trial
    that failed has `error_score`.
    """
    return pd.DataFrame([_row(trial, error_score) for trial in study.trials])


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Let Optuna tell warnings only."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(before, logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def distribution_of(name: str, given: Any) -> BaseDistribution:
    """Return a distribution of Optuna; a list is one of its values."""
    if isinstance(given, BaseDistribution):
        return given
    if not isinstance(given, (list, tuple)) or not given:
        raise ConfigurationError(
            f"space[{name!r}] is {given!r}; it must be a list of values or one of "
            "optuna.distributions, such as FloatDistribution(0.01, 0.3, log=True)."
        )
    plain = [each.item() if isinstance(each, np.generic) else each for each in given]
    # One that is there twice is one: a grid has each combination once.
    return CategoricalDistribution([each for n, each in enumerate(plain) if each not in plain[:n]])


def _journal(path: Path) -> Any:
    if not path.parent.is_dir():
        raise OutputError(f"There is no folder {str(path.parent)!r} to keep the search in.")
    try:
        return optuna.storages.JournalStorage(JournalFileBackend(str(path)))
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise InputError(f"{str(path)!r} is no file of a search. Name another one.") from error


def _row(trial: FrozenTrial, error_score: float) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": STATES.get(trial.state, "running"),
        "score": _score(trial, error_score),
        **_by_fold(trial.user_attrs.get(FOLDS)),
        "rounds": trial.last_step,
        "best_iteration": trial.user_attrs.get(BEST),
        "seconds": trial.duration.total_seconds() if trial.duration else None,
        "error": trial.user_attrs.get(ERROR),
        **trial.params,
    }


def _score(trial: FrozenTrial, error_score: float) -> float | None:
    if trial.state == TrialState.FAIL:
        return error_score
    return trial.value if trial.state in STATES else None


def _by_fold(scores: Sequence[float] | None) -> dict[str, float]:
    if scores is None:
        return {}
    each = {f"split{number}_score": score for number, score in enumerate(scores)}
    return {"std": float(np.std(scores)), **each}
