"""Callbacks of the user's, in every process of a training: of one mind, with a state that lasts."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cloudpickle
import numpy as np
from xgboost import collective
from xgboost.callback import EarlyStopping, TrainingCallback

from dmlkit.errors import ConfigurationError

__all__ = ["OwnCallbacks", "State", "check_callbacks", "packed_callbacks", "restore"]

#: The attributes of one callback that JSON gives back as they were.
State = dict[str, Any]


def check_callbacks(callbacks: Any) -> None:
    """Raise a ConfigurationError unless they are callbacks that a training takes.

    Examples
    --------
    >>> check_callbacks([EarlyStopping(rounds=5)])
    Traceback (most recent call last):
    ...
    dmlkit.errors.ConfigurationError: callbacks has an EarlyStopping; give early_...
    """
    if callbacks is None:
        return
    if not isinstance(callbacks, Sequence) or isinstance(callbacks, str):
        raise ConfigurationError("callbacks is no list of xgboost.callback.TrainingCallback.")
    for callback in callbacks:
        if isinstance(callback, EarlyStopping):
            raise ConfigurationError(
                f"callbacks has an EarlyStopping; give early_stopping_rounds={callback.rounds} to "
                "the estimator, which ends with the best round, also after a failure."
            )
        if not isinstance(callback, TrainingCallback):
            raise ConfigurationError(
                f"callbacks has {callback!r}, which is no xgboost.callback.TrainingCallback."
            )


def packed_callbacks(callbacks: Sequence[Any] | None) -> bytes:
    """Return callbacks as bytes, packed as Dask packs functions; no bytes where there are none.

    Raises
    ------
    ConfigurationError
        One holds what cannot go to another process, such as an open file.
    """
    for callback in callbacks or ():
        try:
            cloudpickle.dumps(callback)
        except Exception as error:
            raise ConfigurationError(
                f"The callback {type(callback).__name__} cannot be sent to the processes that "
                f"train ({error}). Let it open files and connections in before_training."
            ) from error
    return bytes(cloudpickle.dumps(tuple(callbacks))) if callbacks else b""


def restore(callbacks: Sequence[Any] | None, states: Sequence[State]) -> None:
    """Give callbacks the attributes that were kept of them."""
    for callback, state in zip(callbacks or (), states, strict=False):
        vars(callback).update(state)


class OwnCallbacks(TrainingCallback):
    """All callbacks of the user's as one, which ends the training in all processes or in none.

    Parameters
    ----------
    packed : bytes
        As `packed_callbacks` gave them.
    states : sequence of State
        What a checkpoint kept of them.
    """

    def __init__(self, packed: bytes, states: Sequence[State] = ()) -> None:
        self._callbacks: tuple[Any, ...] = cloudpickle.loads(packed) if packed else ()
        restore(self._callbacks, states)
        super().__init__()

    def states(self) -> list[State]:
        """Return what goes into a checkpoint.

        It may be kept in a file, so it is JSON and no pickle: what JSON does not give back as it
        was is left out, and is as it was given when a training goes on.
        """
        return [_state(vars(callback)) for callback in self._callbacks]

    def before_training(self, model: Any) -> Any:
        """Return the booster, or what a callback puts in its place."""
        for callback in self._callbacks:
            with _named(callback, "before the training"):
                model = callback.before_training(model)
        return model

    def after_training(self, model: Any) -> Any:
        """Return the booster, or what a callback puts in its place."""
        for callback in self._callbacks:
            with _named(callback, "after the training"):
                model = callback.after_training(model)
        return model

    def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Tell whether a callback of any process ends the training before a round."""
        return self._any("before_iteration", model, epoch, evals_log)

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Tell whether a callback of any process ends the training after a round."""
        return self._any("after_iteration", model, epoch, evals_log)

    def _any(self, what: str, model: Any, epoch: int, evals_log: Any) -> bool:
        """Ask all callbacks in all processes: one that stopped alone would have others wait."""
        stop = False
        for callback in self._callbacks:
            with _named(callback, f"in round {epoch}"):
                stop = bool(getattr(callback, what)(model, epoch, evals_log)) or stop
        if not self._callbacks or collective.get_world_size() == 1:
            return stop
        return bool(collective.allreduce(np.array([int(stop)]), collective.Op.MAX)[0])


@contextlib.contextmanager
def _named(callback: Any, when: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise RuntimeError(
            f"the callback {type(callback).__name__} failed {when} ({type(error).__name__}: "
            f"{error})"
        ) from error


def _state(attributes: Mapping[str, Any]) -> State:
    kept = {}
    for name, value in attributes.items():
        value = value.item() if isinstance(value, np.generic) else value
        with contextlib.suppress(TypeError, ValueError):
            if json.loads(json.dumps(value, allow_nan=False)) == value:
                kept[name] = value
    return kept
