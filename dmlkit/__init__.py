"""dmlkit: raw tables in, a trained and judged model out, on any Dask cluster."""

from dmlkit.cluster import connect
from dmlkit.errors import DmlkitError

__all__ = ["DmlkitError", "connect"]

__version__ = "0.1.0"
