"""`OnPartitions`: a model that scikit-learn has fitted, on frames, a partition at a time."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dask
import dask.dataframe as dd
import pandas as pd
from sklearn.exceptions import NotFittedError as TheirsNotFitted
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from dmlkit.errors import InputError, MissingColumnError, NotFittedError
from dmlkit.wrappers.results import Naming, named

__all__ = ["OnPartitions"]


def _if_it_can(method: str) -> Any:
    """Offer a method where the model has it."""

    def can(wrapped: Any) -> bool:
        return hasattr(wrapped.model, method)

    return available_if(can)


@dataclass(eq=False)
class OnPartitions:
    """A fitted model of scikit-learn's, or of a library like it, on frames of any size.

    Each partition is predicted by itself, where it is. A worker gets the model once, whatever the
    number of partitions.

    Parameters
    ----------
    model : Any
        Fitted: a classifier, regressor, transformer, outlier detector, or a pipeline of them.
    example : pandas DataFrame, optional
        Some rows as the model takes them, such as ``table.head()``: of them the columns and types
        of results are known. Without it rows are made up, which an encoder may refuse.

    Attributes
    ----------
    feature_names_in_, classes_ : arrays
        The model's.

    Notes
    -----
    Methods are those of the model: `predict`, `predict_proba`, `predict_log_proba`,
    `decision_function`, `score_samples`, `transform`. Of a model that knows its columns
    (``feature_names_in_``) these are taken from a frame by name, in its order; others may be there.
    Of several outputs each is a column ``prediction0``, ``prediction1`` and so on, and their
    probabilities are called ``prediction0_yes``.

    Workers run side by side: a model should have ``n_jobs=1``. It goes to them by pickle, as all
    that Dask sends. `dmlkit.save_estimator` writes no pickle, and so does not keep models of
    scikit-learn's.

    Examples
    --------
    >>> import dask.dataframe as dd
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> frame = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "kind": ["a", "a", "b", "b"]})
    >>> tree = DecisionTreeClassifier().fit(frame[["x"]], frame["kind"])
    >>> table = dd.from_pandas(frame, npartitions=2)
    >>> OnPartitions(tree).predict(table).compute().tolist()
    ['a', 'a', 'b', 'b']
    >>> list(OnPartitions(tree).predict_proba(table).columns)
    ['a', 'b']
    """

    model: Any
    example: Any = None

    def __post_init__(self) -> None:
        try:
            check_is_fitted(self.model)
        except TheirsNotFitted as error:
            raise NotFittedError(
                f"This {type(self.model).__name__} is not fitted yet. Fit it first, on a sample "
                "where the table is too large: table.sample(frac=0.01).compute()."
            ) from error
        except TypeError as error:
            raise InputError(
                f"A fitted model is needed, but this is {type(self.model).__name__}."
            ) from error

    @property
    def feature_names_in_(self) -> Any:
        """The columns that the model was fitted on."""
        return self.model.feature_names_in_

    @property
    def classes_(self) -> Any:
        """The classes that the model tells apart."""
        return self.model.classes_

    @_if_it_can("predict")
    def predict(self, X: Any) -> Any:
        """Return predictions, lazily: a Series like `X`, or a frame of several outputs."""
        return self._made("predict", X, Naming("prediction"))

    @_if_it_can("predict_proba")
    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, lazily: a frame like `X` with a column for each."""
        return self._made("predict_proba", X, self._of_classes("prediction"))

    @_if_it_can("predict_log_proba")
    def predict_log_proba(self, X: Any) -> Any:
        """Return the logarithms of `predict_proba`, lazily."""
        return self._made("predict_log_proba", X, self._of_classes("prediction"))

    @_if_it_can("decision_function")
    def decision_function(self, X: Any) -> Any:
        """Return scores, lazily: a Series like `X`, or a frame with a column for each class."""
        return self._made("decision_function", X, self._of_classes("score"))

    @_if_it_can("score_samples")
    def score_samples(self, X: Any) -> Any:
        """Return how usual each row is, lazily: a Series like `X`."""
        return self._made("score_samples", X, Naming("score"))

    @_if_it_can("transform")
    def transform(self, X: Any) -> Any:
        """Return what the model makes of rows, lazily: a frame like `X`."""
        knows = hasattr(self.model, "get_feature_names_out")
        columns = list(self.model.get_feature_names_out()) if knows else None
        return self._made("transform", X, Naming(type(self.model).__name__.lower(), columns))

    def _of_classes(self, alone: str) -> Naming:
        classes: Any = getattr(self.model, "classes_", None)
        several = isinstance(classes, list)
        return Naming(
            alone,
            None if several or classes is None else list(classes),
            [list(each) for each in classes] if several else None,
        )

    def _made(self, method: str, X: Any, naming: Naming) -> Any:
        rows = self._chosen(X)
        knows = hasattr(self.model, "feature_names_in_") or not hasattr(rows, "columns")
        if isinstance(rows, (pd.DataFrame, pd.Series)):
            return _result(rows, self.model, method, knows, naming, None)
        meta = self._meta(rows, lambda part: _result(part, self.model, method, knows, naming, None))
        # In the graph by a name of its own: each worker gets it once, and not with each task.
        model = dask.delayed(self.model, name=f"model-{uuid.uuid4()}", traverse=False)
        return dd.map_partitions(_result, rows, model, method, knows, naming, meta, meta=meta)

    def _meta(self, rows: Any, made: Callable[[Any], Any]) -> Any:
        made_up = rows._meta_nonempty.iloc[:1]  # the others may have missing values
        example = made_up if self.example is None else self._chosen(self.example)
        try:
            return made(example).iloc[:0]
        except Exception as error:
            raise InputError(
                f"{type(self.model).__name__} refuses {'made-up' if self.example is None else ''} "
                f"example rows: {error}. Give some that it takes: OnPartitions(model, "
                "example=table.head())."
            ) from error

    def _chosen(self, X: Any) -> Any:
        """Return the columns of the model, or raise where they are not there."""
        kind = type(self.model).__name__
        if isinstance(X, (pd.Series, dd.Series)):  # texts, for one
            return X
        if not isinstance(X, (pd.DataFrame, dd.DataFrame)):
            raise InputError(
                f"A dask or pandas DataFrame is needed, but this is {type(X).__name__}."
            )
        names = getattr(self.model, "feature_names_in_", None)
        if names is not None:
            for name in names:
                if name not in X.columns:
                    raise MissingColumnError.of("frame", str(name), map(str, X.columns))
            return X[list(names)]
        count = getattr(self.model, "n_features_in_", len(X.columns))
        if count != len(X.columns):
            raise InputError(
                f"{kind} was fitted on {count:,} columns without names, but the frame has "
                f"{len(X.columns):,}. Choose them, in the order in which it was fitted."
            )
        return X


def _result(
    part: Any, model: Any, method: str, knows_names: bool, naming: Naming, meta: Any
) -> Any:
    if not len(part):  # scikit-learn's models refuse it
        return pd.DataFrame() if meta is None else meta.reindex(part.index)
    given = part if knows_names else part.to_numpy()
    return named(getattr(model, method)(given), part.index, naming)
