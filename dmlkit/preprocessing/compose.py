"""Transformers put together: side by side (`ColumnTransformer`), or in a row (`Pipeline`).

What several need of the table is asked for together, so that it is read as seldom as can be.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import pandas as pd
from sklearn.base import clone

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, nearest
from dmlkit.preprocessing.learning import Learning, Question, side_by_side
from dmlkit.preprocessing.shown import html_of_steps
from dmlkit.preprocessing.statistics import GROUPS, TARGET
from dmlkit.preprocessing.transformer import Transformer, check_choice

__all__ = ["ColumnTransformer", "Pipeline", "transformer_from_dict"]


@dataclass(frozen=True)
class _Picked:
    """Some columns of a part, with labels and groups beside them."""

    columns: tuple[str, ...]

    def apply_training(self, part: pd.DataFrame) -> pd.DataFrame:
        beside = [name for name in (TARGET, GROUPS) if name in part.columns]
        return part[[*self.columns, *beside]]


def _after(steps: tuple[Any, ...], learning: Learning) -> Learning:
    """Let someone learn of the table as it is after some steps."""
    try:
        questions = next(learning)
        while True:
            asked = [Question(each.statistic, (*steps, *each.steps)) for each in questions]
            questions = learning.send((yield asked))
    except StopIteration:
        return


@dataclass(eq=False)
class Pipeline(Transformer):
    """Steps one after the other, each learning from what comes out of those before it.

    Parameters
    ----------
    steps : sequence of (str, Transformer)

    Raises
    ------
    ConfigurationError
        A step is something else, such as a model: that goes behind the pipeline, with
        ``sklearn.pipeline.make_pipeline(pipeline, model)``.

    Examples
    --------
    >>> import pandas as pd
    >>> from dmlkit.preprocessing import MinMaxScaler, SimpleImputer
    >>> steps = [("fill", SimpleImputer()), ("scale", MinMaxScaler())]
    >>> pipeline = Pipeline(steps).fit(pd.DataFrame({"x": [1.0, None, 5.0]}))
    >>> pipeline.transform(pd.DataFrame({"x": [None, 5.0]}))["x"].tolist()
    [0.5, 1.0]
    >>> print(pipeline.explain())
    Learnt in 2 passes.
    pass 1: mean, variance and range of x
    pass 2: mean, variance and range of x
    """

    kind: ClassVar[str] = "pipeline"
    holds: ClassVar[tuple[str, ...]] = ("steps",)

    steps: Sequence[tuple[str, Any]] = ()

    _repr_html_ = html_of_steps

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for what each step needs, after those before it."""
        _check_names(self.steps)
        _check_apart(self.steps)
        for name, step in self.steps:
            if not isinstance(step, Transformer):
                raise ConfigurationError(
                    f"Step {name!r} is {type(step).__name__}, and no transformer of "
                    "dmlkit.preprocessing. To end with a model, put this pipeline and the model "
                    "into sklearn.pipeline.make_pipeline, which takes frames as they take them."
                )
        before: tuple[Any, ...] = ()
        for _, step in self.steps:
            step.begin(columns)
            yield from _after(before, step.learning(columns))
            step.passes_ = []
            columns = step.output_names()
            before = (*before, step)

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Apply the steps to a part."""
        for _, step in self.steps:
            part = step.apply(part)
        return part

    def apply_training(self, part: pd.DataFrame) -> pd.DataFrame:
        """Apply the steps to a part of the rows that were learnt from."""
        beside = {name: part[name].array for name in (TARGET, GROUPS) if name in part.columns}
        for _, step in self.steps:
            part = step.apply_training(part).assign(**beside)
        return part.drop(columns=list(beside))

    def output_names(self) -> list[str]:
        """Return the names of the last step's columns."""
        return self.steps[-1][1].output_names() if self.steps else self._columns()

    @property
    def named_steps(self) -> dict[str, Any]:
        """The steps by name."""
        return dict(self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Return declaration and what was learned as JSON-able values."""
        steps = [[name, step.to_dict()] for name, step in self.steps]
        return super().to_dict() | {"steps": steps}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Make it from what `to_dict` returned."""
        steps = [(name, transformer_from_dict(step)) for name, step in document["steps"]]
        return super().from_dict(document).set_params(steps=steps)


@dataclass(eq=False)
class ColumnTransformer(Transformer):
    """Each transformer on columns of its own; what comes out stands side by side.

    Parameters
    ----------
    transformers : sequence of (str, Transformer, "passthrough" or "drop", sequence of str)
        Name, transformer, columns. A column may go to several. As in scikit-learn, copies of the
        transformers learn: see ``named_transformers_``.
    remainder : {"drop", "passthrough"}
        What happens to the columns that no transformer takes.
    verbose_feature_names_out : bool
        Whether the transformer's name stands before each column's, as ``{name}__{column}``.

    Attributes
    ----------
    transformers_ : list of (str, Transformer, "passthrough" or "drop", list of str)
        As they have learnt.
    remainder_ : list of str
        The columns that pass through.

    Examples
    --------
    >>> import pandas as pd
    >>> from dmlkit.preprocessing import OneHotEncoder, StandardScaler
    >>> both = ColumnTransformer(
    ...     [("scale", StandardScaler(), ["x"]), ("code", OneHotEncoder(), ["y"])],
    ...     verbose_feature_names_out=False,
    ... )
    >>> both.fit_transform(pd.DataFrame({"x": [1.0, 3.0], "y": ["a", "b"]}))
         x  y_a  y_b
    0 -1.0    1    0
    1  1.0    0    1
    >>> print(both.explain())
    Learnt in 1 pass.
    pass 1: mean, variance and range of x; levels of y
    """

    kind: ClassVar[str] = "column_transformer"
    holds: ClassVar[tuple[str, ...]] = ("transformers",)
    learned: ClassVar[tuple[str, ...]] = ("remainder_",)

    transformers: Sequence[tuple[str, Any, Sequence[str]]] = field(default=())
    remainder: str = "drop"
    verbose_feature_names_out: bool = True

    _repr_html_ = html_of_steps

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for what all transformers need, at once."""
        check_choice("remainder", self.remainder, ("drop", "passthrough"))
        _check_names([(name, each) for name, each, _ in self.transformers])
        for name, each, own in self.transformers:
            _check_taken(name, each, own, columns)
        self.transformers_ = [
            (name, each if isinstance(each, str) else clone(each), list(own))
            for name, each, own in self.transformers
        ]
        taken = {column for _, _, own in self.transformers for column in own}
        passed = self.remainder == "passthrough"
        self.remainder_ = [name for name in columns if passed and name not in taken]
        yield from side_by_side([*self._learnings()])
        twice = [name for name, times in Counter(self.output_names()).items() if times > 1]
        if twice:
            raise InputError(
                f"Two transformers make the column {twice[0]!r}. Set "
                "verbose_feature_names_out=True, or rename one."
            )

    def _learnings(self) -> Iterator[Learning]:
        for _, transformer, own in self._active():
            transformer.begin(own)
            yield _after((_Picked(tuple(own)),), transformer.learning(own))
            transformer.passes_ = []

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Apply the transformers to a part."""
        return self._together(part, [each.apply(part[own]) for _, each, own in self._active()])

    def apply_training(self, part: pd.DataFrame) -> pd.DataFrame:
        """Apply the transformers to a part of the rows that were learnt from."""
        made = [
            each.apply_training(_Picked(tuple(own)).apply_training(part))
            for _, each, own in self._active()
        ]
        return self._together(part, made)

    def output_names(self) -> list[str]:
        """Return the names of all columns, in the order of the transformers."""
        pieces = [
            (name, own if each == "passthrough" else each.output_names())
            for name, each, own in self._kept()
        ]
        pieces.append(("remainder", self.remainder_))
        verbose = self.verbose_feature_names_out
        return [f"{name}__{each}" if verbose else each for name, own in pieces for each in own]

    @property
    def named_transformers_(self) -> dict[str, Any]:
        """The transformers by name, as they have learnt."""
        self._check_fitted()
        return {name: each for name, each, _ in self.transformers_}

    def to_dict(self) -> dict[str, Any]:
        """Return declaration and what was learned as JSON-able values."""
        transformers = [
            [name, each if isinstance(each, str) else each.to_dict(), list(own)]
            for name, each, own in getattr(self, "transformers_", self.transformers)
        ]
        return super().to_dict() | {"transformers": transformers}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Make it from what `to_dict` returned."""
        transformers = [
            (name, each if isinstance(each, str) else transformer_from_dict(each), own)
            for name, each, own in document["transformers"]
        ]
        made = super().from_dict(document).set_params(transformers=transformers)
        if made._is_fitted():
            made.transformers_ = transformers
        return made

    def _kept(self) -> list[tuple[str, Any, list[str]]]:
        return [each for each in self.transformers_ if each[1] != "drop"]

    def _active(self) -> list[tuple[str, Any, list[str]]]:
        return [each for each in self._kept() if each[1] != "passthrough"]

    def _together(self, part: pd.DataFrame, made: list[pd.DataFrame]) -> pd.DataFrame:
        remaining = iter(made)
        pieces = [
            part[own] if each == "passthrough" else next(remaining) for _, each, own in self._kept()
        ]
        pieces.append(part[self.remainder_])
        together = pd.concat(pieces, axis=1)
        together.columns = pd.Index(self.output_names())
        return together


def transformer_from_dict(document: Mapping[str, Any]) -> Any:
    """Make a transformer of any kind from what its `to_dict` returned.

    Raises
    ------
    ConfigurationError
        The kind is unknown.
    """
    kind = str(document.get("kind"))
    kinds = {each.kind: each for each in Transformer.__subclasses__()}
    if kind not in kinds:
        guess = nearest(kind, kinds)
        hint = f" (nearest: {guess!r})" if guess else ""
        raise ConfigurationError(
            f"Unknown kind of transformer {kind!r}{hint}. Known: {', '.join(sorted(kinds))}."
        )
    return kinds[kind].from_dict(document)


def _check_names(steps: Sequence[tuple[str, Any]]) -> None:
    names = [name for name, _ in steps]
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"Two transformers are called {name!r}.")


def _check_apart(steps: Sequence[tuple[str, Any]]) -> None:
    """Raise where two steps are one object, which would forget what it learnt as the first."""
    names: dict[int, str] = {}
    for name, step in steps:
        if names.setdefault(id(step), name) != name:
            raise ConfigurationError(
                f"Steps {names[id(step)]!r} and {name!r} are one and the same "
                f"{type(step).__name__}. Give each its own, or sklearn.base.clone one."
            )


def _check_taken(name: str, transformer: Any, own: Any, columns: Sequence[str]) -> None:
    """Raise unless it is a transformer, or stands for one, and its columns are there."""
    if not isinstance(transformer, Transformer) and transformer not in ("passthrough", "drop"):
        told = transformer if isinstance(transformer, str) else type(transformer).__name__
        raise ConfigurationError(
            f"{name!r} is {told!r}; it must be a transformer of dmlkit.preprocessing, "
            "'passthrough' or 'drop'."
        )
    if isinstance(own, str):
        raise ConfigurationError(f"The columns of {name!r} are {own!r}; give a list: [{own!r}].")
    for column in own:
        if column not in columns:
            raise MissingColumnError.of("frame", column, columns)
