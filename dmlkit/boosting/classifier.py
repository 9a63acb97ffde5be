"""`XGBClassifier`: XGBoost's classifier under its own names, trained and applied on Dask frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.boosting.given_table import GivenTable
from dmlkit.boosting.model import XGBModel, evaluation_tables
from dmlkit.boosting.objectives import CLASSIFICATION
from dmlkit.boosting.planning import Trainable
from dmlkit.boosting.roles import LABEL, MARGIN, WEIGHT
from dmlkit.boosting.training_data import TrainingData
from dmlkit.errors import InputError
from dmlkit.metrics.scorers import ScoredClassifier

__all__ = ["XGBClassifier"]


class XGBClassifier(ScoredClassifier, XGBModel):
    """Gradient-boosted trees for two or more classes, trained by XGBoost on the current cluster.

    Parameters
    ----------
    n_estimators : int
        Boosting rounds, at most.
    early_stopping_rounds : int, optional
        Stop when the last metric on the last evaluation table has not improved for so many
        rounds; the model ends with the best one.
    objective : str or callable, optional
        ``"binary:logistic"`` or ``"multi:softprob"``, whichever the classes ask for where it is
        left out; or a function of labels and margins that returns gradient and Hessian.
    learning_rate : float, sequence of float or callable, optional
        One for all rounds, one for each, or a function of the round's number, counted from 0.
    eval_metric : str, callable or sequence of these, optional
        XGBoost's names, or functions of labels and predictions, which see all rows at once; the
        less, the better. ``auc`` and ``aucpr`` of two classes are exact whatever worker holds which
        rows, and ``aucpr`` is the average precision of `dmlkit.metrics`.
    callbacks : sequence of xgboost.callback.TrainingCallback, optional
        Called in each process that trains. One that ends the training ends it in all of them.
        Attributes that JSON can write are kept in checkpoints, and the objects that were given
        have those of the first process after `fit`.
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
        for each machine, with the threads of all its workers. A number given makes the model the
        same on any workers.
    external_memory : bool or "auto"
        Keep rows and bins in files of the workers and not in their memory. With ``"auto"``, where
        they would not fit into it (`plan` tells).
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

    kind = "classifier"
    default_objective = "binary:logistic"
    objectives = CLASSIFICATION

    classes_: Any

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
            Whole numbers from 0, each class there.
        sample_weight : (n,) Series like X, optional
        base_margin : (n,) Series or (n, classes) DataFrame like X, optional
            Where the trees start from, in log-odds.
        eval_set : sequence of (X, y), optional
            Tables that are evaluated in each round, called ``validation_0`` and so on.
        sample_weight_eval_set, base_margin_eval_set : sequence, optional
            An entry for each of these tables, None where it has none.
        xgb_model : XGBClassifier, xgboost.Booster or path, optional
            A model to whose trees `n_estimators` more are added.
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
        table = GivenTable("training", X, {LABEL: y, WEIGHT: sample_weight, MARGIN: base_margin})
        watched = evaluation_tables(
            eval_set,
            (LABEL, WEIGHT, MARGIN),
            sample_weight_eval_set=sample_weight_eval_set,
            base_margin_eval_set=base_margin_eval_set,
        )
        return self._fit(table, watched, self.trainable, _check_classes, resume_from, xgb_model)

    def predict_proba(self, X: Any, *, base_margin: Any = None) -> Any:
        """Return the probability of each class, lazily: a frame like `X` with a column a class.

        Raises
        ------
        NotFittedError, MissingColumnError
        InputError
            `X` is no frame, or its columns have no names of their own.
        """
        self._model()
        return self._predict(X, [int(label) for label in self.classes_], base_margin)

    def predict(self, X: Any, *, output_margin: bool = False, base_margin: Any = None) -> Any:
        """Return the most probable class, lazily: a Series like `X`.

        With `output_margin` the sums over trees: a Series of log-odds of two classes, and of
        several a frame with a column a class.
        """
        if output_margin:
            self._model()
            columns = [int(label) for label in self.classes_] if len(self.classes_) > 2 else None
            return self._predict(X, columns, base_margin, as_margins=True)
        probabilities = self.predict_proba(X, base_margin=base_margin)
        if isinstance(probabilities, dd.DataFrame):
            meta = pd.Series([], dtype="int64", name="prediction")
            return probabilities.map_partitions(_most_probable, meta=meta)
        return _most_probable(probabilities)

    @classmethod
    def from_raw(cls, raw: bytes, *, classes: int = 2, **known: Any) -> Self:
        """Make a fitted classifier from a booster as UBJ, such as one that was kept in a file."""
        model = super().from_raw(raw, **known)
        model.classes_ = np.arange(classes)
        return model

    def trainable(self, data: TrainingData) -> Trainable:
        """Return the objective, the metric and the native parameters for some data."""
        classes = _classes(data)
        self.classes_ = np.arange(len(classes))
        objective = "multi:softprob" if len(classes) > 2 else "binary:logistic"
        several = {"num_class": len(classes)} if len(classes) > 2 else {}
        return Trainable(
            objective=self._parameters["objective"] or objective,
            default_metric=CLASSIFICATION[objective],
            parameters={"objective": objective, **several},
            exact=len(classes) == 2,
        )


def _check_classes(table: GivenTable, found: TrainingData, training: TrainingData) -> None:
    """Raise unless an evaluation table has the classes of the training."""
    if found.summary.labels.keys() != training.summary.labels.keys():
        listed = ", ".join(f"{label:g}" for label in sorted(found.summary.labels))
        raise InputError(
            f"The {table.name} table has only the labels {listed}, the training table those from 0 "
            f"to {len(training.summary.labels) - 1}: metrics cannot be told. Take a longer period "
            "or more rows."
        )


def _classes(data: TrainingData) -> list[float]:
    labels = sorted(data.summary.labels)
    if labels != list(range(len(labels))):
        listed = ", ".join(f"{label:g}" for label in labels[:10])
        raise InputError(
            f"The labels are {listed}; a classifier needs whole numbers from 0, without gaps. "
            "Number the classes first."
        )
    if len(labels) < 2:
        raise InputError(
            f"All {data.summary.rows:,} rows of the training table have the label {labels[0]:g}. "
            "Take a longer period or more rows."
        )
    return labels


def _most_probable(probabilities: pd.DataFrame) -> pd.Series:
    values = probabilities.to_numpy().argmax(axis=1).astype(np.int64)
    return pd.Series(values, index=probabilities.index, name="prediction")
