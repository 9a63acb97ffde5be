"""What a search for parameters must be, before anything is read."""

from collections.abc import Mapping
from typing import Any

from dmlkit.boosting import XGBClassifier, XGBRanker, XGBRegressor
from dmlkit.errors import ConfigurationError

__all__ = ["check_search", "objective_of"]


def objective_of(estimator: Any) -> str:
    """Return the name of an estimator's objective, of a function that of its default."""
    given = estimator.get_params()["objective"]
    return given if isinstance(given, str) else str(estimator.default_objective)


def check_search(search: Any, queries: Mapping[str, Any]) -> None:
    """Raise a ConfigurationError unless a `ParameterSearch` can be.

    Parameters
    ----------
    search : ParameterSearch
    queries : mapping
        What `fit` was given of a ranker's queries.
    """
    if not isinstance(search.estimator, (XGBClassifier, XGBRegressor, XGBRanker)):
        raise ConfigurationError(
            f"estimator is {type(search.estimator).__name__}; it must be an XGBClassifier, "
            "XGBRegressor or XGBRanker of dmlkit.boosting."
        )
    of_ranker = {"qid"} if search.cv is not None else {"qid", "eval_qid"}
    needed = of_ranker if isinstance(search.estimator, XGBRanker) else set()
    if set(queries) != needed:
        raise ConfigurationError(
            f"fit was given {sorted(queries) or 'no queries'}; a search with a "
            f"{type(search.estimator).__name__} takes {sorted(needed) or 'none'} beside weights."
        )
    if objective_of(search.estimator) == "survival:aft":
        raise ConfigurationError("A search takes labels, not bounds: no 'survival:aft'.")
    least = {"n_trials": 1, "min_rounds": 1, "reduction_factor": 2, "max_losses": 1}
    for name, lowest in least.items():
        if not getattr(search, name) >= lowest:
            raise ConfigurationError(
                f"{name} is {getattr(search, name)}; it must be {lowest} or more."
            )
