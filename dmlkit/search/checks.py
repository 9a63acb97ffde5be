"""What a search for parameters must be, before anything is read."""

from collections.abc import Mapping
from typing import Any

from dmlkit.boosting import XGBClassifier, XGBRanker, XGBRegressor
from dmlkit.errors import ConfigurationError

__all__ = ["check_search"]


def check_search(search: Any, objective: str, queries: Mapping[str, Any]) -> None:
    """Raise a ConfigurationError unless a `ParameterSearch` can be.

    Parameters
    ----------
    search : ParameterSearch
    objective : str
        Of its estimator.
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
    if objective == "survival:aft":
        raise ConfigurationError("A search takes labels, not bounds: no 'survival:aft'.")
    least = {"n_trials": 1, "min_rounds": 1, "reduction_factor": 2, "max_losses": 1}
    for name, lowest in least.items():
        if not getattr(search, name) >= lowest:
            raise ConfigurationError(
                f"{name} is {getattr(search, name)}; it must be {lowest} or more."
            )
