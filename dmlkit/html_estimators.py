"""What a notebook shows of an estimator: its parameters, and what it has learnt.

Nothing is computed for it: what is lazy is told of by its type.
"""

import inspect
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.html_tables import Bar, html_table

__all__ = ["caption_of", "changed_parameters", "described", "html_of", "html_of_weights"]

#: Features with the largest weights, values of an array, and letters of a value that are shown.
MOST_WEIGHTS, MOST_VALUES, MOST_LETTERS = 12, 5, 90

#: Larger arrays are told of by their shape alone.
MOST_LOOKED_AT = 1_000_000

#: What weighs features, in models that have a weight for each.
WEIGHTS = ("coef_", "feature_importances_")


def html_of(estimator: Any) -> str:
    """Return parameters and what was learnt as HTML; it can be a class's ``_repr_html_``.

    Parameters
    ----------
    estimator : Any
        With `get_params`; what it learns are attributes that end with an underscore.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Mean:
    ...     floor: float = 0.0
    ...
    ...     def get_params(self, deep=True):
    ...         return {"floor": self.floor}
    >>> shown = html_of(Mean(floor=2.0))
    >>> "Mean, not fitted" in shown, ">2<" in shown
    (True, True)
    """
    return (
        html_table(_parameter_lines(estimator), caption=caption_of(estimator), headers=HEADERS)
        + _learnt(estimator)
        + _weights(estimator)
    )


HEADERS = ("parameter", "value", "default")


def caption_of(estimator: Any) -> str:
    """Tell what an estimator is, and whether it is fitted, in a few words."""
    told = [type(estimator).__name__, "fitted" if _attributes(estimator) else "not fitted"]
    names = vars(estimator).get("feature_names_in_")
    columns = "" if names is None else f" on {len(names):,} {_plural('column', len(names))}"
    return ", ".join(told) + columns


def changed_parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator that are not as its class has them."""
    defaults = _defaults(type(estimator))
    return {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if not _is_same(value, defaults.get(name))
    }


def described(value: Any) -> str:
    """Tell what a value is, in a line.

    Examples
    --------
    >>> described(0.1 + 0.2), described(np.arange(50.0)), described(["a", "b"])
    ('0.3', '50 float64, 0 to 49', "['a', 'b']")
    """
    if isinstance(value, str):
        return _text.repr(value)
    if isinstance(value, bool | np.bool_) or value is None:
        return str(value)
    if isinstance(value, int | np.integer):
        return f"{value:,}"
    if isinstance(value, float | np.floating):
        return f"{value:,.6g}"
    if hasattr(value, "__dask_graph__"):
        return f"{type(value).__name__} of dask, not computed"
    if isinstance(value, np.ndarray):
        return _described_array(value)
    if _is_table_of_numbers(value):
        return _described_array(np.array(value))
    if isinstance(value, pd.DataFrame | pd.Series):
        shape = " x ".join(f"{size:,}" for size in value.shape)
        return f"{type(value).__name__} of {shape}"
    if hasattr(value, "get_params"):
        return _in_words(value)
    return _short.repr(value)


def html_of_weights(
    names: Iterable[str], weights: Sequence[float] | np.ndarray, heading: str
) -> str:
    """Return the features that weigh most, each with a bar; nothing where there are none.

    Parameters
    ----------
    names : iterable of str
    weights : sequence of float
    heading : str
        What a weight is.

    Examples
    --------
    >>> html_of_weights(["a", "b"], [-2.0, 1.0], "coefficient").count("<div")
    2
    """
    found = list(zip(map(str, names), map(float, weights), strict=True))
    found.sort(key=lambda each: -abs(each[1]) if math.isfinite(each[1]) else 0.0)
    if not found:
        return ""
    largest = abs(found[0][1]) or 1.0
    lines = [
        (name, Bar(abs(weight) / largest), f"{weight:.4g}") for name, weight in found[:MOST_WEIGHTS]
    ]
    left = len(found) - len(lines)
    caption = f"the {MOST_WEIGHTS} that weigh most, of {len(found):,}" if left else ""
    return html_table(lines, caption=caption, headers=("feature", "", heading))


class _Short(reprlib.Repr):
    """`repr` within a line; estimators in few words, tables and arrays by their shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 6
        self.maxstring, self.maxother = 40, 60

    def repr1(self, x: Any, level: int) -> str:
        deep = hasattr(x, "get_params") or hasattr(x, "__dask_graph__")
        if deep or isinstance(x, np.ndarray | pd.DataFrame | pd.Series):
            return described(x)
        return super().repr1(x, level)


_short, _text = _Short(), reprlib.Repr()
_text.maxstring = MOST_LETTERS


def _parameter_lines(estimator: Any) -> list[tuple[str, str, str]]:
    changed, defaults = changed_parameters(estimator), _defaults(type(estimator))
    return [
        (name, described(value), described(defaults.get(name)) if name in changed else "")
        for name, value in estimator.get_params(deep=False).items()
    ]


def _learnt(estimator: Any) -> str:
    lines = [
        (name, described(value))
        for name, value in _attributes(estimator).items()
        if name != "feature_names_in_"
    ]
    return html_table(lines, headers=("learnt", "")) if lines else ""


def _weights(estimator: Any) -> str:
    names = vars(estimator).get("feature_names_in_")
    for weights in WEIGHTS:
        values = vars(estimator).get(weights)
        if names is not None and isinstance(values, np.ndarray) and values.size == len(names):
            heading = "coefficient" if weights == "coef_" else "importance"
            return html_of_weights(names, values.ravel(), heading)
    return ""


def _attributes(estimator: Any) -> dict[str, Any]:
    """Return what `fit` has left."""
    return {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and not name.startswith("_")
    }


def _in_words(estimator: Any) -> str:
    given = (f"{name}={described(value)}" for name, value in changed_parameters(estimator).items())
    return f"{type(estimator).__name__}({', '.join(given)})"


def _is_table_of_numbers(value: Any) -> bool:
    """Tell whether it is a list of lists of as many numbers each, as what is kept has arrays."""
    lists = isinstance(value, list) and all(isinstance(line, list) for line in value)
    if not lists or len({len(line) for line in value}) != 1:
        return False
    return all(isinstance(each, int | float) for line in value for each in line)


def _described_array(values: np.ndarray) -> str:
    shape = " x ".join(f"{size:,}" for size in values.shape) or "1"
    if 0 < values.size <= MOST_VALUES:
        return _short.repr(values.tolist()) if values.dtype == object else _numbers(values)
    if values.dtype.kind not in "fiu" or not 0 < values.size <= MOST_LOOKED_AT:
        return f"{shape} {values.dtype}"
    known = values[np.isfinite(values)]
    extent = f", {known.min():,.6g} to {known.max():,.6g}" if known.size else ""
    return f"{shape} {values.dtype}{extent}"


def _numbers(values: np.ndarray) -> str:
    return np.array2string(values, separator=", ", precision=6).replace("\n", "")


def _defaults(kind: type) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for each in reversed(kind.__mro__[:-1]):  # a class may hand on what it does not name
        if "__init__" in vars(each):
            found |= {
                name: given.default
                for name, given in inspect.signature(vars(each)["__init__"]).parameters.items()
                if given.default is not inspect.Parameter.empty
            }
    return found


def _is_same(value: Any, default: Any) -> bool:
    if value is default:
        return True
    if isinstance(value, float) and isinstance(default, float) and math.isnan(default):
        return math.isnan(value)
    simple = str | int | float | tuple | list
    return isinstance(value, simple) and isinstance(default, simple) and bool(value == default)


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
