"""Tables: read lazily, checked against a schema, published all or nothing, generated."""

from dmlkit.tables.check import CheckedTable, check_table
from dmlkit.tables.publish import WrittenTable, write_table
from dmlkit.tables.read import read_table
from dmlkit.tables.schema import Column, Schema
from dmlkit.tables.vacuum import vacuum_table

__all__ = [
    "CheckedTable",
    "Column",
    "Schema",
    "WrittenTable",
    "check_table",
    "read_table",
    "vacuum_table",
    "write_table",
]
