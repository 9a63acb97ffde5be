"""dmlkit: raw tables in, a trained and judged model out, on any Dask cluster."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dmlkit.cluster import connect
    from dmlkit.errors import DmlkitError
    from dmlkit.kept import load_estimator, save_estimator
    from dmlkit.tables import Column, Schema, read_table, write_table

__all__ = [
    "Column",
    "DmlkitError",
    "Schema",
    "connect",
    "load_estimator",
    "read_table",
    "save_estimator",
    "write_table",
]

__version__ = "0.1.0"

#: Where the public names live. Dask is imported with the first that needs it, not before.
HOMES = {
    "connect": "dmlkit.cluster",
    "DmlkitError": "dmlkit.errors",
    "load_estimator": "dmlkit.kept",
    "save_estimator": "dmlkit.kept",
    "Column": "dmlkit.tables",
    "Schema": "dmlkit.tables",
    "read_table": "dmlkit.tables",
    "write_table": "dmlkit.tables",
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'dmlkit' has no attribute {name!r}")
    return getattr(importlib.import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES})
