"""What fitted linear models make of rows."""

from typing import Any

from dmlkit.errors import NotFittedError
from dmlkit.linear_model.blocks import map_rows

__all__ = ["fitted_features", "linear_prediction"]


def fitted_features(model: Any) -> list[str]:
    """Return the columns that a model was trained on.

    Raises
    ------
    NotFittedError
        It was not.
    """
    if not hasattr(model, "coef_"):
        raise NotFittedError(f"This {type(model).__name__} is not fitted yet: call fit first.")
    return [str(name) for name in model.feature_names_in_]


def linear_prediction(model: Any, X: Any) -> Any:
    """Return the sum of intercept and weighted columns, lazily: a Series like `X`."""
    names = fitted_features(model)
    coefficients, intercept = model.coef_, model.intercept_
    return map_rows(lambda design: design @ coefficients + intercept, X, names, "prediction")
