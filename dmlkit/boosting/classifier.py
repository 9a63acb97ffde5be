"""`XGBClassifier`: XGBoost's classifier under its own names, trained and applied on Dask frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import xgboost

from dmlkit.boosting.checkpoint import load_checkpoint
from dmlkit.boosting.device import choose_device
from dmlkit.boosting.elastic import train
from dmlkit.boosting.exact_metrics import EXACT
from dmlkit.boosting.parameters import HANDLED, check_names, eval_metrics, native_parameters
from dmlkit.boosting.plan import History, Plan
from dmlkit.boosting.prediction import booster_of, predict_lazily
from dmlkit.boosting.restarts import Endurance
from dmlkit.boosting.training_data import Summary, TrainingData, check_features, gather
from dmlkit.cluster import connect
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, NotFittedError

__all__ = ["XGBClassifier"]

#: What XGBoost itself evaluates when no metric is named.
DEFAULT_METRICS = {"binary:logistic": "logloss", "multi:softprob": "mlogloss"}

#: What `Endurance` is made of.
ENDURANCE = ("max_restarts", "worker_timeout", "shards", "checkpoint_path")

#: With any other, what is predicted is no probability.
OBJECTIVES = (None, "binary:logistic", "multi:softprob")


class XGBClassifier:
    """Gradient-boosted trees for two or more classes, trained by XGBoost on the current cluster.

    Parameters
    ----------
    n_estimators : int
        Boosting rounds, at most.
    early_stopping_rounds : int, optional
        Stop when the last metric on the last evaluation table has not improved for so many
        rounds; the model ends with the best one.
    eval_metric : str or sequence of str, optional
        XGBoost's names. ``auc`` and ``aucpr`` of two classes are exact whatever worker holds which
        rows, and ``aucpr`` is the average precision of `dmlkit.metrics`.
    device : {"auto", "cpu", "cuda"}
        With ``"auto"``, GPUs when every worker has one; `device_` and `device_reason_` tell.
    checkpoint_every : int, optional
        Rounds between two checkpoints; 0 for none. Left out, they come as often as costs under 1%
        of the time, from one a second to one in 30 seconds.
    checkpoint_path : str or Path, optional
        A file of the client's where the last checkpoint is kept too, so that a training can go on
        (``fit(..., resume_from=path)``) after the client or the scheduler died.
    max_restarts : int
        Failures that a training survives.
    worker_timeout : float
        Seconds without a sign of life after which a worker is taken for frozen or cut off.
    shards : int, optional
        Ranges that the rows are cut into, each trained on by a process of its own; left out, one
        for each worker. A number given makes the model the same on any number of workers.
    **parameters
        Any other of `xgboost.XGBClassifier`, such as ``max_depth``, ``learning_rate``,
        ``scale_pos_weight``, ``max_bin``, ``random_state``.

    Attributes
    ----------
    classes_ : (classes,) int64 array
    feature_names_in_ : (features,) object array
    best_iteration : int
        Counted from 0; that of the last round without early stopping.
    device_, device_reason_ : str
    restarts_ : tuple of Restart
        Failures that the training survived: when, which worker, why, the round, and seconds lost.

    Raises
    ------
    ConfigurationError
        A parameter is not known (the nearest one is named), or the objective gives no
        probabilities.

    Notes
    -----
    Up to 300,000 rows are trained on by one worker, so that the model does not depend on the
    cluster. Larger tables go to all workers in equal ranges of rows: for one number of workers the
    same rows in the same order give the same model, however they are partitioned.

    A worker that dies, freezes, is cut off or leaves costs the rounds since the last checkpoint
    and some seconds; the ranges of rows stay, so that the model is the same as without it.

    References
    ----------
    Chen, Guestrin: *XGBoost: A Scalable Tree Boosting System*. KDD 2016.

    Examples
    --------
    >>> import dask.dataframe as dd, pandas as pd
    >>> from dmlkit import connect
    >>> from dmlkit.boosting import XGBClassifier
    >>> frame = pd.DataFrame({"amount": [1.0, 2.0, 300.0, 400.0], "fraud": [0, 0, 1, 1]})
    >>> table = dd.from_pandas(frame, npartitions=2)
    >>> model = XGBClassifier(n_estimators=5, min_child_weight=0)
    >>> with connect(workers=1, threads=1, memory="1GiB"):
    ...     _ = model.fit(table[["amount"]], table["fraud"])
    ...     model.predict(table[["amount"]]).compute().tolist()
    [0, 0, 1, 1]
    """

    def __init__(
        self,
        *,
        n_estimators: int = 100,
        early_stopping_rounds: int | None = None,
        eval_metric: str | Sequence[str] | None = None,
        device: str = "auto",
        checkpoint_every: int | None = None,
        checkpoint_path: str | Path | None = None,
        max_restarts: int = 10,
        worker_timeout: float = 15.0,
        shards: int | None = None,
        **parameters: Any,
    ) -> None:
        self._parameters: dict[str, Any] = {
            "n_estimators": n_estimators,
            "early_stopping_rounds": early_stopping_rounds,
            "eval_metric": eval_metric,
            "device": device,
            "checkpoint_every": checkpoint_every,
            "checkpoint_path": checkpoint_path,
            "max_restarts": max_restarts,
            "worker_timeout": worker_timeout,
            "shards": shards,
            **parameters,
        }
        _check(self._parameters)
        self._raw: bytes | None = None
        self._history: History = {}
        self._best: int | None = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
        """Return the parameters that were given or have a default of ours."""
        return dict(self._parameters)

    def set_params(self, **parameters: Any) -> "XGBClassifier":
        """Change parameters; return itself."""
        _check(parameters)
        self._parameters |= parameters
        return self

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self._parameters.items())
        return f"XGBClassifier({given})"

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        eval_set: Sequence[tuple[Any, Any]] | None = None,
        sample_weight_eval_set: Sequence[Any] | None = None,
        resume_from: str | Path | None = None,
    ) -> "XGBClassifier":
        """Train on the current client's workers.

        Parameters
        ----------
        X : (n, features) dask or pandas DataFrame
            Numbers (missing values allowed), booleans, and categoricals with known categories.
        y : (n,) Series like X
            Whole numbers from 0, each class there.
        sample_weight : (n,) Series like X, optional
        eval_set : sequence of (X, y), optional
            Tables that are evaluated in each round, called ``validation_0`` and so on.
        sample_weight_eval_set : sequence of Series, optional
        resume_from : str or Path, optional
            A checkpoint of a training with the same tables and parameters, to go on from.

        Returns
        -------
        XGBClassifier
            Itself.

        Raises
        ------
        InputError
            Labels, weights or features cannot be trained on.
        TrainingError
            XGBoost refuses, more failed than `max_restarts`, no worker is left, or a GPU is asked
            for and missing.
        """
        client = connect()
        start = None if resume_from is None else load_checkpoint(resume_from)
        sets = list(eval_set or ())
        if self._parameters["early_stopping_rounds"] is not None and not sets:
            raise ConfigurationError("early_stopping_rounds needs an eval_set to watch.")
        patience = self._parameters["worker_timeout"]
        device = choose_device(self._parameters["device"], client, patience)
        data = gather(X, y, sample_weight, client, name="training", worker_timeout=patience)
        classes = _classes(data.summary)
        weights = list(sample_weight_eval_set or [None] * len(sets))
        if len(weights) != len(sets):
            raise InputError(
                f"sample_weight_eval_set has {len(weights)} entries for the {len(sets)} tables of "
                "eval_set. Give one for each table, None where it has no weights."
            )
        watched = {
            f"validation_{number}": data
            if (of_X is X and of_y is y and weight is sample_weight)
            else _evaluation(of_X, of_y, weight, data, classes, number, patience)
            for number, ((of_X, of_y), weight) in enumerate(zip(sets, weights, strict=True))
        }
        plan = self._plan(device.name, classes, data.features, tuple(watched))
        trained, self.restarts_ = train(plan, data, watched, client, self._endurance(), start)
        self._raw, self._history = trained.raw, trained.history
        self._best = trained.best_iteration
        self.device_, self.device_reason_ = device.name, device.reason
        self.classes_ = np.arange(len(classes))
        self.feature_names_in_ = np.array(data.features, dtype=object)
        return self

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, lazily: a frame like `X` with a column a class.

        Raises
        ------
        NotFittedError, MissingColumnError
        InputError
            `X` is no frame, or its columns have no names of their own.
        """
        raw = self._model()
        check_features(X, "prediction")
        names = [str(name) for name in self.feature_names_in_]
        for name in names:
            if name not in X.columns:
                raise MissingColumnError.of("frame", name, X.columns)
        return predict_lazily(raw, X[names], [int(label) for label in self.classes_])

    def predict(self, X: Any) -> Any:
        """Return the most probable class, lazily: a Series like `X`."""
        probabilities = self.predict_proba(X)
        if isinstance(probabilities, dd.DataFrame):
            meta = pd.Series([], dtype="int64", name="prediction")
            return probabilities.map_partitions(_most_probable, meta=meta)
        return _most_probable(probabilities)

    def get_booster(self) -> xgboost.Booster:
        """Return the trained booster, cut after the best round."""
        return booster_of(self._model())

    def evals_result(self) -> History:
        """Return the metrics of each evaluation table by round."""
        self._model()
        return self._history

    @property
    def best_iteration(self) -> int:
        """The best round, counted from 0; the last one without early stopping."""
        rounds = self.get_booster().num_boosted_rounds()
        return rounds - 1 if self._best is None else self._best

    @property
    def n_features_in_(self) -> int:
        """Number of features."""
        return len(self.get_booster().feature_names or ())

    @classmethod
    def from_raw(
        cls,
        raw: bytes,
        *,
        parameters: dict[str, Any],
        classes: int,
        history: History | None = None,
        device: tuple[str, str] = ("cpu", "loaded"),
    ) -> "XGBClassifier":
        """Make a fitted classifier from a booster as UBJ, such as one that was kept in a file."""
        model = cls(**parameters)
        model._raw, model._history = raw, history or {}
        model.device_, model.device_reason_ = device
        model.classes_ = np.arange(classes)
        model.feature_names_in_ = np.array(booster_of(raw).feature_names, dtype=object)
        return model

    def _model(self) -> bytes:
        if self._raw is None:
            raise NotFittedError("This XGBClassifier is not fitted yet: call fit first.")
        return self._raw

    def _endurance(self) -> Endurance:
        given = self._parameters
        return Endurance(**{name: given[name] for name in ENDURANCE})

    def _plan(
        self,
        device: str,
        classes: Sequence[float],
        features: Sequence[str],
        tables: tuple[str, ...],
    ) -> Plan:
        parameters = {**native_parameters(self._parameters), "device": device}
        if len(classes) > 2:
            parameters |= {"objective": "multi:softprob", "num_class": len(classes)}
        default = DEFAULT_METRICS.get(parameters["objective"])
        metrics = eval_metrics(self._parameters["eval_metric"]) or ([default] if default else [])
        return Plan(
            parameters=parameters,
            rounds=int(self._parameters["n_estimators"]),
            metrics=tuple(metrics),
            exact=tuple(name for name in metrics if name in EXACT and len(classes) == 2),
            early_stopping_rounds=self._parameters["early_stopping_rounds"],
            features=tuple(features),
            tables=tables,
            checkpoint_every=self._parameters["checkpoint_every"],
        )


def _check(parameters: dict[str, Any]) -> None:
    check_names(name for name in parameters if name not in HANDLED)
    objective = parameters.get("objective")
    if objective not in OBJECTIVES:
        raise ConfigurationError(
            f"objective is {objective!r}, but a classifier gives probabilities. Leave it out: two "
            "classes are 'binary:logistic', more are 'multi:softprob'."
        )


def _evaluation(
    X: Any,
    y: Any,
    weight: Any,
    training: TrainingData,
    classes: Sequence[float],
    number: int,
    patience: float,
) -> TrainingData:
    """Gather an evaluation table, which must have the features and classes of the training."""
    name = f"evaluation ({number})"
    check_features(X, name)
    for feature in training.features:
        if feature not in X.columns:
            raise MissingColumnError.of(name, feature, X.columns)
    features = X[training.features]
    found = gather(features, y, weight, connect(), name=name, worker_timeout=patience)
    if sorted(found.summary.labels) != list(classes):
        listed = ", ".join(f"{label:g}" for label in sorted(found.summary.labels))
        raise InputError(
            f"The {name} table has only the labels {listed}, the training table those from 0 to "
            f"{len(classes) - 1}: metrics cannot be told. Take a longer period or more rows."
        )
    return found


def _classes(summary: Summary) -> list[float]:
    labels = sorted(summary.labels)
    if labels != list(range(len(labels))):
        listed = ", ".join(f"{label:g}" for label in labels[:10])
        raise InputError(
            f"The labels are {listed}; a classifier needs whole numbers from 0, without gaps. "
            "Number the classes first."
        )
    if len(labels) < 2:
        raise InputError(
            f"All {summary.rows:,} rows of the training table have the label {labels[0]:g}. "
            "Take a longer period or more rows."
        )
    return labels


def _most_probable(probabilities: pd.DataFrame) -> pd.Series:
    values = probabilities.to_numpy().argmax(axis=1).astype(np.int64)
    return pd.Series(values, index=probabilities.index, name="prediction")
