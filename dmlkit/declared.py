"""Estimators that are declared as dataclasses: their fields are scikit-learn's parameters."""

import dataclasses
from typing import Any

import numpy as np

from dmlkit.errors import ConfigurationError, nearest

__all__ = ["parameters_of", "seed_of", "set_parameters", "tags_of"]

#: Between the name of an estimator within another one and that of a parameter of its.
WITHIN = "__"


def parameters_of(estimator: Any, *, deep: bool = False) -> dict[str, Any]:
    """Return the parameters of an estimator, as ``get_params`` does.

    Parameters
    ----------
    estimator : dataclass
    deep : bool
        Also those of estimators within it, as ``{name}__{parameter}``.

    Examples
    --------
    >>> from dmlkit.linear_model import Ridge
    >>> parameters_of(Ridge(alpha=2.0))
    {'alpha': 2.0, 'fit_intercept': True}
    >>> from dmlkit.preprocessing import MinMaxScaler, Pipeline
    >>> list(parameters_of(Pipeline([("scale", MinMaxScaler())]), deep=True))
    ['steps', 'scale', 'scale__feature_range', 'scale__clip']
    """
    own = _own(estimator)
    if not deep:
        return own
    within = _within(estimator)
    return {
        **own,
        **within,
        **{
            f"{name}{WITHIN}{parameter}": value
            for name, each in within.items()
            if hasattr(each, "get_params")
            for parameter, value in each.get_params(deep=True).items()
        },
    }


def _own(estimator: Any) -> dict[str, Any]:
    return {field.name: getattr(estimator, field.name) for field in dataclasses.fields(estimator)}


def _within(estimator: Any) -> dict[str, Any]:
    """Return the estimators within one, by name: parameters, and steps of a parameter."""
    found: dict[str, Any] = {}
    for name, value in _own(estimator).items():
        if _is_estimator(value):
            found[name] = value
        elif _are_steps(value):
            found |= {step[0]: step[1] for step in value}
    return found


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params") and not isinstance(value, type)


def _are_steps(value: Any) -> bool:
    """Tell whether it is a list of names with estimators, of which some may stand for others."""
    tuples = isinstance(value, (list, tuple)) and all(
        isinstance(each, (list, tuple)) and len(each) > 1 and isinstance(each[0], str)
        for each in value
    )
    return tuples and any(_is_estimator(each[1]) for each in value)


def set_parameters(estimator: Any, /, **parameters: Any) -> None:
    """Change parameters of an estimator, as ``set_params`` does.

    Raises
    ------
    ConfigurationError
        A name is no parameter; the nearest one is named.
    """
    known = list(_own(estimator))
    # Those of a whole first: what is set within it is set in the new one.
    for name, value in sorted(parameters.items(), key=lambda each: each[0].count(WITHIN)):
        first, _, rest = name.partition(WITHIN)
        within = _within(estimator)
        if rest and hasattr(within.get(first), "set_params"):
            within[first].set_params(**{rest: value})
            continue
        if name in within and name not in known:
            _replace_step(estimator, name, value)
            continue
        if name not in known:
            guess = nearest(name, known)
            hint = f" (nearest: {guess!r})" if guess else ""
            raise ConfigurationError(
                f"{type(estimator).__name__} has no parameter {name!r}{hint}. "
                f"Known: {', '.join(known)}."
            )
        setattr(estimator, name, value)


def _replace_step(estimator: Any, name: str, value: Any) -> None:
    for field, steps in _own(estimator).items():
        if _are_steps(steps) and any(step[0] == name for step in steps):
            new = [(name, value, *step[2:]) if step[0] == name else step for step in steps]
            setattr(estimator, field, new)


def seed_of(random_state: Any) -> int:
    """Return the number that a draw begins with, of what scikit-learn takes as `random_state`.

    Parameters
    ----------
    random_state : int, None, RandomState or Generator
        None is another draw each time.

    Examples
    --------
    >>> seed_of(7), 0 <= seed_of(None) < 2**31
    (7, True)

    Raises
    ------
    ConfigurationError
        It is something else, or below 0.
    """
    if isinstance(random_state, (int, np.integer)) and random_state >= 0:
        return int(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31))
    if random_state is None or isinstance(random_state, np.random.Generator):
        return int(np.random.default_rng(random_state).integers(2**31))
    raise ConfigurationError(
        f"random_state is {random_state!r}; it must be a number from 0 on, None, or a generator of "
        "numpy's."
    )


def tags_of(kind: str, *, allow_nan: bool = False) -> Any:
    """Return what scikit-learn's own tools want to know of an estimator, as ``__sklearn_tags__``.

    Parameters
    ----------
    kind : str
        "classifier", "regressor", "ranker", "clusterer", "density_estimator", "outlier_detector"
        or "transformer".
    allow_nan : bool
        Whether values may be missing.
    """
    from sklearn.utils import (
        ClassifierTags,
        InputTags,
        RegressorTags,
        Tags,
        TargetTags,
        TransformerTags,
    )

    return Tags(
        estimator_type=None if kind == "transformer" else kind,
        target_tags=TargetTags(required=kind in ("classifier", "regressor", "ranker")),
        transformer_tags=TransformerTags() if kind in ("transformer", "clusterer") else None,
        classifier_tags=ClassifierTags() if kind == "classifier" else None,
        regressor_tags=RegressorTags() if kind == "regressor" else None,
        # Columns are known by their names: a table is a frame.
        input_tags=InputTags(two_d_array=False, allow_nan=allow_nan),
    )
