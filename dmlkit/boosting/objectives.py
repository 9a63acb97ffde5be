"""What XGBoost's objectives ask of labels, and what they are judged by where nothing is said."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["CLASSIFICATION", "RANKING", "REGRESSION", "LabelRule", "Objective", "label_rule"]

Objective = str | Callable[..., Any]


@dataclass(frozen=True)
class LabelRule:
    """What labels must be.

    Attributes
    ----------
    counted : bool
        Whether there are few different ones, which are counted: classes and grades.
    lowest, highest : float
        Labels beyond are refused.
    open : bool
        Whether the lowest one is refused too.
    """

    counted: bool = False
    lowest: float = float("-inf")
    highest: float = float("inf")
    open: bool = False

    @property
    def words(self) -> str:
        """Say it, for messages.

        Examples
        --------
        >>> LabelRule(lowest=0, open=True).words, LabelRule(lowest=0, highest=1).words
        ('labels above 0', 'labels from 0 to 1')
        """
        if self.highest != float("inf"):
            return f"labels from {self.lowest:g} to {self.highest:g}"
        return f"labels {'above' if self.open else 'from'} {self.lowest:g}" + (
            "" if self.open else " on"
        )


#: Metric by objective, as XGBoost chooses it where none is named.
CLASSIFICATION: Mapping[str, str] = {"binary:logistic": "logloss", "multi:softprob": "mlogloss"}
RANKING: Mapping[str, str] = {"rank:ndcg": "ndcg", "rank:map": "map", "rank:pairwise": "ndcg"}
REGRESSION: Mapping[str, str] = {
    "reg:squarederror": "rmse",
    "reg:squaredlogerror": "rmsle",
    "reg:absoluteerror": "mae",
    "reg:pseudohubererror": "mphe",
    "reg:logistic": "rmse",
    "reg:gamma": "gamma-deviance",
    "reg:tweedie": "tweedie-nloglik",
    "reg:quantileerror": "quantile",
    "count:poisson": "poisson-nloglik",
    "survival:aft": "aft-nloglik",
}

RULES = {
    "reg:squaredlogerror": LabelRule(lowest=-1, open=True),
    "reg:logistic": LabelRule(lowest=0, highest=1),
    "reg:gamma": LabelRule(lowest=0, open=True),
    "reg:tweedie": LabelRule(lowest=0),
    "count:poisson": LabelRule(lowest=0),
    **dict.fromkeys(CLASSIFICATION, LabelRule(counted=True)),
    "rank:ndcg": LabelRule(lowest=0),
    "rank:map": LabelRule(lowest=0, highest=1),
    "rank:pairwise": LabelRule(lowest=0),
}


def label_rule(objective: Objective | None) -> LabelRule:
    """Return what an objective asks of labels.

    Examples
    --------
    >>> label_rule("count:poisson").lowest
    0
    """
    return RULES.get(objective, LabelRule()) if isinstance(objective, str) else LabelRule()
