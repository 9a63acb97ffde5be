"""dmlkit: raw tables in, a trained and judged model out, on any Dask cluster."""

from dmlkit.cluster import connect
from dmlkit.errors import DmlkitError
from dmlkit.tables import Column, Schema, read_table, write_table

__all__ = ["Column", "DmlkitError", "Schema", "connect", "read_table", "write_table"]

__version__ = "0.1.0"
