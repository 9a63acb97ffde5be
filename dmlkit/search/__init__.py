"""Search for parameters: trials by Optuna, side by side on the cluster."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dmlkit.search.hyperband import HyperbandSearchCV
    from dmlkit.search.parameters import ParameterSearch

__all__ = ["HyperbandSearchCV", "ParameterSearch"]

#: Where they live.
HOMES = {"HyperbandSearchCV": "hyperband", "ParameterSearch": "parameters"}


def __getattr__(name: str) -> Any:
    """Import Optuna, an extra, with the first name that needs it."""
    if name not in __all__:
        raise AttributeError(f"module 'dmlkit.search' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"dmlkit.search.{HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise ImportError("A search needs Optuna: pip install 'dmlkit[search]'") from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
