"""Search for parameters of boosted trees: trials by Optuna, side by side on the cluster."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dmlkit.search.parameters import ParameterSearch

__all__ = ["ParameterSearch"]


def __getattr__(name: str) -> Any:
    """Import Optuna, an extra, with the first name that needs it."""
    if name not in __all__:
        raise AttributeError(f"module 'dmlkit.search' has no attribute {name!r}")
    try:
        from dmlkit.search.parameters import ParameterSearch
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise ImportError("A search needs Optuna: pip install 'dmlkit[search]'") from error
    return ParameterSearch


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
