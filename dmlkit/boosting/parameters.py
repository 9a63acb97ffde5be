"""XGBoost's parameters under their scikit-learn names: which there are, and how XGBoost wants them.

XGBoost's own estimator is asked for both, so that a new release brings its parameters along.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import xgboost

from dmlkit.errors import ConfigurationError, nearest

__all__ = ["HANDLED", "check_names", "eval_metrics", "native_parameters"]

#: Ours to decide: categories come from dtypes, threads from workers, and missing is NaN.
NOT_OURS = {
    "enable_categorical",
    "feature_types",
    "feature_weights",
    "importance_type",
    "missing",
    "n_jobs",
}

#: What the estimator itself acts on.
HANDLED = {
    "callbacks",
    "checkpoint_every",
    "checkpoint_path",
    "device",
    "early_stopping_rounds",
    "eval_metric",
    "external_memory",
    "max_restarts",
    "n_estimators",
    "shards",
    "worker_timeout",
}


#: Of objectives and boosters, which XGBoost's estimators take without listing them.
MORE = {
    "aft_loss_distribution",
    "aft_loss_distribution_scale",
    "huber_slope",
    "lambdarank_bias_norm",
    "lambdarank_normalization",
    "lambdarank_num_pair_per_sample",
    "lambdarank_pair_method",
    "lambdarank_score_normalization",
    "lambdarank_unbiased",
    "max_cached_hist_node",
    "ndcg_exp_gain",
    "normalize_type",
    "one_drop",
    "quantile_alpha",
    "rate_drop",
    "sample_type",
    "skip_drop",
    "tweedie_variance_power",
}


@cache
def known_names() -> tuple[str, ...]:
    """Return the names of all parameters that an estimator takes."""
    return tuple(sorted({*xgboost.XGBClassifier().get_params(), *MORE} - NOT_OURS))


def check_names(names: Iterable[str]) -> None:
    """Raise a ConfigurationError for the first name that is no parameter, with the nearest one.

    Examples
    --------
    >>> check_names(["maxdepth"])
    Traceback (most recent call last):
    ...
    dmlkit.errors.ConfigurationError: Unknown parameter 'maxdepth' (nearest: 'max_depth')...
    """
    for name in names:
        if name not in known_names():
            guess = nearest(name, known_names())
            hint = f" (nearest: {guess!r})" if guess else ""
            raise ConfigurationError(
                f"Unknown parameter {name!r}{hint}. Known: {', '.join(known_names())}."
            )


def native_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as `xgboost.train` takes them, without those that are not set."""
    passed = {
        name: value
        for name, value in parameters.items()
        if name not in HANDLED and not callable(value)
    }
    native = xgboost.XGBClassifier(**passed).get_xgb_params()
    native.pop("n_jobs", None)
    return {name: value for name, value in native.items() if value is not None}


def eval_metrics(eval_metric: Any) -> list[Any]:
    """Return the evaluation metrics as a list: names and functions.

    Examples
    --------
    >>> eval_metrics("auc"), eval_metrics(["logloss", "auc"]), eval_metrics(None)
    (['auc'], ['logloss', 'auc'], [])
    """
    if eval_metric is None:
        return []
    return (
        [eval_metric]
        if isinstance(eval_metric, str) or callable(eval_metric)
        else list(eval_metric)
    )
