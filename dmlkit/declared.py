"""Estimators that are declared as dataclasses: their fields are scikit-learn's parameters."""

import dataclasses
from typing import Any

from dmlkit.errors import ConfigurationError, nearest

__all__ = ["parameters_of", "set_parameters", "tags_of"]


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
