"""`XGBRegressor`: XGBoost's regressor under its own names, trained and applied on Dask frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from dmlkit.boosting.given_table import GivenTable
from dmlkit.boosting.model import XGBModel, evaluation_tables
from dmlkit.boosting.objectives import REGRESSION
from dmlkit.boosting.planning import Trainable
from dmlkit.boosting.roles import BOUNDS, LABEL, MARGIN, WEIGHT
from dmlkit.boosting.training_data import TrainingData
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.metrics.scorers import ScoredRegressor

__all__ = ["XGBRegressor"]

#: The columns of a survival table's `y`.
LOWER, UPPER = "label_lower_bound", "label_upper_bound"


class XGBRegressor(ScoredRegressor, XGBModel):
    """Gradient-boosted trees for numbers: means, quantiles, counts, amounts and times to an event.

    Parameters
    ----------
    n_estimators : int
        Boosting rounds, at most.
    objective : str or callable, optional
        ``"reg:squarederror"`` where it is left out; ``"reg:absoluteerror"``,
        ``"reg:squaredlogerror"``, ``"reg:pseudohubererror"``, ``"reg:logistic"`` (labels from 0
        to 1), ``"reg:quantileerror"`` (with `quantile_alpha`), ``"count:poisson"``,
        ``"reg:gamma"``, ``"reg:tweedie"`` (with `tweedie_variance_power`), ``"survival:aft"``; or
        a function of labels and predictions that returns gradient and Hessian.
    quantile_alpha : float or sequence of float, optional
        Which quantiles; with several, `predict` gives a column for each, and no row's higher
        quantile is below a lower one.
    **parameters
        As in `XGBClassifier`, which also tells how a training outlives its workers.

    Attributes
    ----------
    feature_names_in_ : (features,) object array
    best_iteration : int
    device_, device_reason_ : str
    restarts_ : tuple of Restart

    Notes
    -----
    The leaves of ``"reg:absoluteerror"`` and ``"reg:quantileerror"`` are quantiles. With several
    shards (more than 300,000 rows on more than one machine), XGBoost takes the mean of the shards'
    quantiles, which is close where each shard has rows like the others'; ``shards=1`` is exact.

    References
    ----------
    Chen, Guestrin: *XGBoost: A Scalable Tree Boosting System*. KDD 2016.
    Barnwal, Cho, Hocking: *Survival Regression with Accelerated Failure Time Model in XGBoost*.
    JCGS 2022.

    Examples
    --------
    >>> import dask.dataframe as dd, pandas as pd
    >>> from dmlkit import connect
    >>> from dmlkit.boosting import XGBRegressor
    >>> frame = pd.DataFrame({"price": [1.0, 2.0, 3.0, 4.0], "sold": [8, 8, 2, 2]})
    >>> table = dd.from_pandas(frame, npartitions=2)
    >>> model = XGBRegressor(n_estimators=50, min_child_weight=0)
    >>> with connect(workers=1, threads=1, memory="1GiB"):
    ...     _ = model.fit(table[["price"]], table["sold"])
    ...     model.predict(table[["price"]]).compute().round(2).tolist()
    [8.0, 8.0, 2.0, 2.0]
    """

    kind = "regressor"
    default_objective = "reg:squarederror"
    objectives = REGRESSION

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        base_margin: Any = None,
        eval_set: Sequence[tuple[Any, Any]] | None = None,
        sample_weight_eval_set: Sequence[Any] | None = None,
        base_margin_eval_set: Sequence[Any] | None = None,
        xgb_model: Any = None,
        resume_from: str | Path | None = None,
    ) -> Self:
        """Train on the current client's workers.

        Parameters
        ----------
        X : (n, features) dask or pandas DataFrame
            Numbers (missing values allowed), booleans, and categoricals with known categories.
        y : (n,) Series like X
            For ``"survival:aft"``, a frame with the columns ``label_lower_bound`` and
            ``label_upper_bound``: the times between which the event came; the upper one is infinite
            where it has not come yet.
        sample_weight, base_margin : (n,) Series like X, optional
            `base_margin` is where the trees start from; a frame where there are several quantiles.
        eval_set : sequence of (X, y), optional
            Tables that are evaluated in each round, called ``validation_0`` and so on.
        sample_weight_eval_set, base_margin_eval_set : sequence, optional
            An entry for each of these tables, None where it has none.
        xgb_model : XGBRegressor, xgboost.Booster or path, optional
            A model to whose trees `n_estimators` more are added.
        resume_from : str or Path, optional
            A checkpoint of a training with the same tables and parameters, to go on from.

        Raises
        ------
        InputError
            Labels, weights or features cannot be trained on.
        TrainingError
            As in `XGBClassifier.fit`.
        """
        role = BOUNDS if self._parameters["objective"] == "survival:aft" else LABEL
        table = GivenTable(
            "training",
            X,
            {role: _labels(y, role, "training"), WEIGHT: sample_weight, MARGIN: base_margin},
        )
        sets = [(of_X, _labels(of_y, role, "evaluation")) for of_X, of_y in eval_set or ()]
        watched = evaluation_tables(
            sets,
            (role, WEIGHT, MARGIN),
            sample_weight_eval_set=sample_weight_eval_set,
            base_margin_eval_set=base_margin_eval_set,
        )
        return self._fit(table, watched, self.trainable, None, resume_from, xgb_model)

    def predict(self, X: Any, *, base_margin: Any = None) -> Any:
        """Return predictions, lazily: a float32 Series like `X`, or a frame of several quantiles.

        The columns of the frame are those of `quantile_alpha`. For ``"survival:aft"`` a prediction
        is the time to the event.

        Raises
        ------
        NotFittedError, MissingColumnError, InputError
        """
        alphas = self._alphas()
        return self._predict(X, alphas if len(alphas) > 1 else None, base_margin)

    def _alphas(self) -> list[float]:
        given = self._parameters.get("quantile_alpha")
        if given is None:
            return []
        return [float(alpha) for alpha in (given if hasattr(given, "__iter__") else [given])]

    def trainable(self, data: TrainingData) -> Trainable:  # noqa: ARG002
        """Return the objective, the metric and the native parameters for some data."""
        objective = self._parameters["objective"] or self.default_objective
        native = objective if isinstance(objective, str) else self.default_objective
        alphas = self._alphas()
        if (native == "reg:quantileerror") != bool(alphas):
            raise ConfigurationError(
                "objective='reg:quantileerror' and quantile_alpha belong together, such as "
                "quantile_alpha=[0.1, 0.5, 0.9]."
            )
        if alphas != sorted(set(alphas)) or not all(0 < alpha < 1 for alpha in alphas):
            raise ConfigurationError(
                f"quantile_alpha is {alphas}; it must be between 0 and 1, in rising order."
            )
        power = self._parameters.get("tweedie_variance_power", 1.5)
        suffix = f"@{power:g}" if native == "reg:tweedie" else ""
        return Trainable(objective, REGRESSION[native] + suffix, {"objective": native})


def _labels(y: Any, role: str, name: str) -> Any:
    """Return what stands for labels: `y`, or the two bounds of a survival table in their order."""
    if role == LABEL:
        return y
    if not hasattr(y, "columns"):
        raise InputError(
            f"objective='survival:aft' needs y of the {name} table to be a DataFrame with the "
            f"columns {LOWER!r} and {UPPER!r}."
        )
    for column in (LOWER, UPPER):
        if column not in y.columns:
            raise MissingColumnError.of(f"{name} table's y", column, y.columns)
    return y if list(y.columns) == [LOWER, UPPER] else y[[LOWER, UPPER]]
