"""The contract of all transformers: scikit-learn's, on Dask and pandas frames, kept as JSON."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import dask.dataframe as dd
import numpy as np
import pandas as pd

from dmlkit.declared import parameters_of, set_parameters, tags_of
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, NotFittedError
from dmlkit.html_estimators import html_of
from dmlkit.preprocessing.kept import plain, restored
from dmlkit.preprocessing.learning import Learning, learn
from dmlkit.preprocessing.statistics import GROUPS, TARGET

__all__ = ["Transformer", "check_choice", "features_of"]


@dataclasses.dataclass(eq=False)
class Transformer(ABC):
    """Columns in, columns out: declared, then learnt by `fit`, then applied to any rows.

    A transformer is a dataclass whose fields are its parameters. Frames are dask's or pandas';
    what is lazy stays so, and `fit` reads a table as often as `passes_` tells. `to_dict` returns
    all of it as values for JSON.

    Attributes
    ----------
    feature_names_in_ : (features,) object array
    n_features_in_ : int
    passes_ : list of str
        What was learnt in each pass over the table.
    """

    #: Of the document that `to_dict` writes.
    kind: ClassVar[str]

    #: The attributes that `fit` sets, besides `feature_names_in_`.
    learned: ClassVar[tuple[str, ...]] = ()

    #: The parameters that hold transformers, which keep themselves.
    holds: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for statistics of columns and set the learned attributes."""

    @abstractmethod
    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Return a part of a table transformed."""

    @abstractmethod
    def output_names(self) -> list[str]:
        """Return the names of the columns that come out."""

    def apply_training(self, part: pd.DataFrame) -> pd.DataFrame:
        """Return a part of the table that was learnt from; labels and groups stand beside."""
        return self.apply(features_of(part))

    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> Self:
        """Learn from a table.

        Parameters
        ----------
        X : dask or pandas DataFrame
        y : Series like X, optional
            Labels, for those that learn from them.
        groups : Series like X, optional
            What must not be torn apart: rows of a group are in one fold.

        Returns
        -------
        Transformer
            Itself.

        Raises
        ------
        InputError
            A column is missing or of a type that can't be taken.
        """
        self.begin(_names_of(X))
        self.passes_ = learn(self.learning(self._columns()), X, y, groups)
        return self

    def transform(self, X: Any) -> Any:
        """Return a table transformed, lazily if it is lazy.

        Raises
        ------
        NotFittedError
        MissingColumnError
        """
        X = self._known_columns(X)
        if isinstance(X, pd.DataFrame):
            return self.apply(X)
        return X.map_partitions(self.apply, meta=self.apply(X._meta))

    def fit_transform(self, X: Any, y: Any = None, *, groups: Any = None) -> Any:
        """Learn from a table and return it transformed, as a model is to be trained on it.

        It differs from `transform` where labels are learnt from: no row is encoded with the
        labels of its own group.
        """
        self.fit(X, y, groups=groups)
        X = self._known_columns(X)
        if groups is None:
            if isinstance(X, pd.DataFrame):
                return self.apply_training(X)
            return X.map_partitions(self.apply_training, meta=self.apply(X._meta))
        if isinstance(X, pd.DataFrame):
            return self._apply_beside(X, groups)
        meta = self.apply(X._meta)
        return dd.map_partitions(self._apply_beside, X, groups, meta=meta, align_dataframes=False)

    def _apply_beside(self, part: pd.DataFrame, groups: Any) -> pd.DataFrame:
        values = groups.array if isinstance(groups, pd.Series) else groups
        return self.apply_training(part.assign(**{GROUPS: values}))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002
        """Return the names of the columns that come out."""
        self._check_fitted()
        return np.array(self.output_names(), dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Take note of what should come out, which is a frame like the one that goes in.

        Raises
        ------
        ConfigurationError
            It is neither None, "default" nor "pandas".
        """
        check_choice("transform", transform, (None, "default", "pandas"))
        return self

    def explain(self) -> str:
        """Tell what was learnt, pass by pass."""
        self._check_fitted()
        lines = [f"pass {number}: {told}" for number, told in enumerate(self.passes_, start=1)]
        count = len(lines)
        return "\n".join([f"Learnt in {count} {'pass' if count == 1 else 'passes'}.", *lines])

    @property
    def n_features_in_(self) -> int:
        """Number of columns that go in."""
        self._check_fitted()
        return len(self.feature_names_in_)

    _repr_html_ = html_of

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters."""
        return parameters_of(self, deep=deep)

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters; return itself."""
        set_parameters(self, **parameters)
        return self

    def __sklearn_tags__(self) -> Any:
        return tags_of("transformer")

    def to_dict(self) -> dict[str, Any]:
        """Return declaration and what was learned as JSON-able values."""
        given = {name: each for name, each in parameters_of(self).items() if name not in self.holds}
        document = {"kind": self.kind, **{name: plain(each) for name, each in given.items()}}
        if not self._is_fitted():
            return document
        kept = ("feature_names_in_", "passes_", *self.learned)
        return document | {"learned": {name: plain(getattr(self, name)) for name in kept}}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Make it from what `to_dict` returned."""
        apart = ("kind", "learned", *cls.holds)
        given = {name: value for name, value in document.items() if name not in apart}
        made = cls().set_params(**{name: restored(value) for name, value in given.items()})
        for name, value in document.get("learned", {}).items():
            setattr(made, name, _learned(name, restored(value)))
        return made

    def begin(self, columns: Iterable[str]) -> None:
        """Remember the columns of the table that `fit` is given."""
        self.feature_names_in_ = np.array(list(columns), dtype=object)

    def _columns(self) -> list[str]:
        return [str(name) for name in self.feature_names_in_]

    def _known_columns(self, X: Any) -> Any:
        self._check_fitted()
        names = self._columns()
        present = set(_names_of(X))
        for name in names:
            if name not in present:
                raise MissingColumnError.of("frame", name, X.columns)
        return X[names]

    def _is_fitted(self) -> bool:
        return hasattr(self, "passes_")

    def __sklearn_is_fitted__(self) -> bool:
        return self._is_fitted()

    def _check_fitted(self) -> None:
        if not self._is_fitted():
            raise NotFittedError(f"This {type(self).__name__} is not fitted yet: call fit first.")


def features_of(part: pd.DataFrame) -> pd.DataFrame:
    """Return a part without the labels and groups that stand beside its columns."""
    return part.drop(columns=[TARGET, GROUPS], errors="ignore")


def check_choice(name: str, value: Any, choices: Sequence[Any]) -> None:
    """Raise a ConfigurationError when a parameter is none of its choices."""
    if value not in choices:
        raise ConfigurationError(
            f"{name} is {value!r}; it must be one of {', '.join(map(repr, choices))}."
        )


def _names_of(X: Any) -> list[str]:
    if not isinstance(X, (pd.DataFrame, dd.DataFrame)):
        raise InputError(
            f"A dask or pandas DataFrame is needed, but this is a {type(X).__name__}. Columns "
            "are known by their names."
        )
    for name in X.columns:
        if not isinstance(name, str):
            raise InputError(
                f"A column is called {name!r}, which is no text: columns are known by their "
                "names. Use frame.rename(columns=str)."
            )
    if not X.columns.is_unique:
        twice = X.columns[X.columns.duplicated()][0]
        raise InputError(f"Two columns are called {twice!r}. Rename or drop one.")
    return list(X.columns)


def _learned(name: str, value: Any) -> Any:
    """Return a learned attribute: levels and passes are lists, names objects, others numbers."""
    if name == "passes_":
        return value
    if name == "feature_names_in_":
        return np.array(value, dtype=object)
    if value and isinstance(value[0], list):
        return value
    numbers = [np.nan if each is None else each for each in value]
    return np.array(numbers) if all(_is_number(each) for each in numbers) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
