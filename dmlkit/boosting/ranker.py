"""`XGBRanker`: XGBoost's ranker under its own names, trained and applied on Dask frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from dmlkit.boosting.given_table import GivenTable
from dmlkit.boosting.model import XGBModel, evaluation_tables
from dmlkit.boosting.objectives import RANKING
from dmlkit.boosting.planning import Trainable
from dmlkit.boosting.roles import LABEL, QUERY, WEIGHT
from dmlkit.boosting.training_data import TrainingData

__all__ = ["XGBRanker"]


class XGBRanker(XGBModel):
    """Gradient-boosted trees that order the rows of each query, such as offers for a customer.

    Parameters
    ----------
    n_estimators : int
        Boosting rounds, at most.
    objective : str, optional
        ``"rank:ndcg"`` where it is left out, ``"rank:map"`` (labels 0 and 1) or
        ``"rank:pairwise"``.
    **parameters
        As in `XGBClassifier`, which also tells how a training outlives its workers; and those of
        ranking, such as ``lambdarank_pair_method``.

    Attributes
    ----------
    feature_names_in_ : (features,) object array
    best_iteration : int
    device_, device_reason_ : str
    restarts_ : tuple of Restart

    Notes
    -----
    Rows of a query need not lie together: where they do not, they are brought together first. No
    query is cut between workers.

    References
    ----------
    Burges: *From RankNet to LambdaRank to LambdaMART: An Overview*. 2010.

    Examples
    --------
    >>> import dask.dataframe as dd, pandas as pd
    >>> from dmlkit import connect
    >>> from dmlkit.boosting import XGBRanker
    >>> frame = pd.DataFrame(
    ...     {"price": [1.0, 2.0, 3.0, 4.0], "bought": [1, 0, 1, 0], "visit": ["a", "a", "b", "b"]}
    ... )
    >>> table = dd.from_pandas(frame, npartitions=2)
    >>> model = XGBRanker(n_estimators=5, min_child_weight=0)
    >>> with connect(workers=1, threads=1, memory="1GiB"):
    ...     _ = model.fit(table[["price"]], table["bought"], qid=table["visit"])
    ...     scores = model.predict(table[["price"]]).compute()
    >>> bool(scores[0] > scores[1] and scores[2] > scores[3])
    True
    """

    kind = "ranker"
    default_objective = "rank:ndcg"
    objectives = RANKING

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        qid: Any,
        sample_weight: Any = None,
        eval_set: Sequence[tuple[Any, Any]] | None = None,
        eval_qid: Sequence[Any] | None = None,
        sample_weight_eval_set: Sequence[Any] | None = None,
        xgb_model: Any = None,
        resume_from: str | Path | None = None,
    ) -> Self:
        """Train on the current client's workers.

        Parameters
        ----------
        X : (n, features) dask or pandas DataFrame
            Numbers (missing values allowed), booleans, and categoricals with known categories.
        y : (n,) Series like X
            How relevant a row is to its query: from 0 on, the higher the better.
        qid : (n,) Series like X
            The query of each row: numbers or text.
        sample_weight : (n,) Series like X, optional
            A query has the weight of its first row.
        eval_set : sequence of (X, y), optional
            Tables that are evaluated in each round, called ``validation_0`` and so on.
        eval_qid : sequence of Series
            The queries of each of them.
        sample_weight_eval_set : sequence, optional
            An entry for each of them, None where it has none.
        xgb_model : XGBRanker, xgboost.Booster or path, optional
            A model to whose trees `n_estimators` more are added.
        resume_from : str or Path, optional
            A checkpoint of a training with the same tables and parameters, to go on from.

        Raises
        ------
        InputError
            Labels, weights, queries or features cannot be trained on.
        TrainingError
            As in `XGBClassifier.fit`.
        """
        table = GivenTable("training", X, {LABEL: y, QUERY: qid, WEIGHT: sample_weight})
        watched = evaluation_tables(
            eval_set,
            (LABEL, QUERY, WEIGHT),
            eval_qid=eval_qid,
            sample_weight_eval_set=sample_weight_eval_set,
        )
        for other in watched:
            other.need(QUERY, "eval_qid")
        return self._fit(table, watched, self.trainable, None, resume_from, xgb_model)

    def predict(self, X: Any) -> Any:
        """Return scores, lazily: a float32 Series like `X`; the higher, the better in its query.

        Raises
        ------
        NotFittedError, MissingColumnError, InputError
        """
        return self._predict(X, None)

    def trainable(self, data: TrainingData) -> Trainable:  # noqa: ARG002
        """Return the objective, the metric and the native parameters for some data."""
        objective = self._parameters["objective"] or self.default_objective
        native = objective if isinstance(objective, str) else self.default_objective
        return Trainable(objective, RANKING[native], {"objective": native})
