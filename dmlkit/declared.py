"""Estimators that are declared as dataclasses: their fields are scikit-learn's parameters."""

import dataclasses
from typing import Any

from dmlkit.errors import ConfigurationError, nearest

__all__ = ["parameters_of", "set_parameters"]


def parameters_of(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator, as ``get_params`` does.

    Examples
    --------
    >>> from dmlkit.linear_model import Ridge
    >>> parameters_of(Ridge(alpha=2.0))
    {'alpha': 2.0, 'fit_intercept': True}
    """
    return {field.name: getattr(estimator, field.name) for field in dataclasses.fields(estimator)}


def set_parameters(estimator: Any, /, **parameters: Any) -> None:
    """Change parameters of an estimator, as ``set_params`` does.

    Raises
    ------
    ConfigurationError
        A name is no parameter; the nearest one is named.
    """
    known = [field.name for field in dataclasses.fields(estimator)]
    for name, value in parameters.items():
        if name not in known:
            guess = nearest(name, known)
            hint = f" (nearest: {guess!r})" if guess else ""
            raise ConfigurationError(
                f"{type(estimator).__name__} has no parameter {name!r}{hint}. "
                f"Known: {', '.join(known)}."
            )
        setattr(estimator, name, value)
