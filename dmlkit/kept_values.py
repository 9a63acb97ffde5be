"""Values of estimators as values for JSON, and back to the last bit: no pickle, no code."""

from collections.abc import Callable
from typing import Any

import numpy as np

from dmlkit.ensemble.isolation_trees import Trees
from dmlkit.errors import BundleError, ConfigurationError

__all__ = ["plain", "restored"]

#: Arrays of these kinds of numbers are kept with their type; others are lists of Python's objects.
NUMBERS = "biuf"


def plain(value: Any, where: str = "value") -> Any:
    """Return a value as one that JSON can hold.

    Raises
    ------
    ConfigurationError
        It is of a type that is not kept, such as a function.

    Examples
    --------
    >>> plain(np.array([1.5, 2.0]))
    {'array': ['float64', [2], [1.5, 2.0]]}
    """
    if value is None or type(value) in PLAIN:
        return value
    if isinstance(value, Trees):
        return {"trees": {name: plain(each) for name, each in value._asdict().items()}}
    if isinstance(value, np.ndarray) and value.dtype.kind in NUMBERS:
        return {"array": [value.dtype.name, list(value.shape), value.ravel().tolist()]}
    if isinstance(value, np.ndarray) and value.dtype.kind in "OUT":
        return {"objects": [plain(each, where) for each in value.tolist()]}
    if isinstance(value, np.generic) and value.dtype.kind in NUMBERS:
        return {"number": [value.dtype.name, value.item()]}
    if isinstance(value, list):
        return [plain(each, where) for each in value]
    if isinstance(value, tuple):
        return {"tuple": [plain(each, where) for each in value]}
    raise ConfigurationError(
        f"{where} is a {type(value).__name__}, which is not kept in a file. Keep it beside the "
        "model, or turn it into numbers or text."
    )


#: Python's own; numpy's floats and text, which derive from them, are others.
PLAIN = (bool, int, float, str)


def restored(value: Any) -> Any:
    """Return what `plain` was given.

    Examples
    --------
    >>> restored(plain([np.float32(0.1), (1, None)]))
    [np.float32(0.1), (1, None)]
    """
    if isinstance(value, list):
        return [restored(each) for each in value]
    if not isinstance(value, dict):
        return value
    ((kind, held),) = value.items()
    if kind not in MAKERS:
        raise BundleError(f"Unknown kind of value {kind!r} in a bundle. Update dmlkit.")
    return MAKERS[kind](held)


def _array(held: Any) -> Any:
    name, shape, values = held
    return np.array(values, dtype=name).reshape(shape)


def _number(held: Any) -> Any:
    name, value = held
    return np.dtype(name).type(value)


def _objects(held: Any) -> Any:
    made = np.empty(len(held), dtype=object)
    made[:] = [restored(each) for each in held]
    return made


def _trees(held: Any) -> Any:
    return Trees(**{name: restored(each) for name, each in held.items()})


MAKERS: dict[str, Callable[[Any], Any]] = {
    "array": _array,
    "number": _number,
    "objects": _objects,
    "trees": _trees,
    "tuple": lambda held: tuple(restored(each) for each in held),
}
