"""`StoredRows`: a partition in a file beside its worker, for tables that are larger than memory."""

import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pandas as pd
import pyarrow as pa

__all__ = ["StoredRows", "rows_of", "stored"]


class StoredRows:
    """Rows in a file that goes with this object, and with it to other workers.

    Attributes
    ----------
    file : Path
        Of Arrow's format for memory, uncompressed: reading some of the rows reads only these.
    """

    def __init__(self, file: Path, rows: int, dtypes: Mapping[str, Any]) -> None:
        self.file, self._rows, self._dtypes = file, rows, dict(dtypes)
        weakref.finalize(self, file.unlink, missing_ok=True)

    def __len__(self) -> int:
        return self._rows

    def __sizeof__(self) -> int:
        return 1000  # what Dask counts as held in memory

    def __reduce__(self) -> Any:
        return _received, (self.file.read_bytes(), self._rows, self._dtypes)

    def rows(self, start: int = 0, stop: int | None = None) -> pd.DataFrame:
        """Return the rows ``[start, stop)``; their memory is the file's, as far as that goes."""
        with pa.memory_map(str(self.file)) as file:
            table = pa.ipc.open_file(file).read_all()[start:stop]
        return pd.DataFrame(
            {name: _as_given(table[name], dtype) for name, dtype in self._dtypes.items()},
            copy=False,
        )


def stored(frame: pd.DataFrame) -> StoredRows:
    """Write a partition to a file of this worker's own folder."""
    columns = {name: _as_arrow(frame[name]) for name in frame.columns}
    file = _new_file()
    table = pa.table(columns)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return StoredRows(file, len(frame), dict(frame.dtypes))


def rows_of(part: Any, start: int = 0, stop: int | None = None) -> pd.DataFrame:
    """Return the rows ``[start, stop)`` of a partition, stored or not."""
    found: pd.DataFrame
    found = part.rows(start, stop) if isinstance(part, StoredRows) else part.iloc[start:stop]
    return found


def _received(content: bytes, rows: int, dtypes: Mapping[str, Any]) -> StoredRows:
    file = _new_file()
    file.write_bytes(content)
    return StoredRows(file, rows, dtypes)


def _new_file() -> Path:
    """Return an empty file in the worker's folder, which Dask removes when the worker is gone."""
    try:
        folder = distributed.get_worker().local_directory
    except ValueError:  # in a client's process
        folder = None
    with tempfile.NamedTemporaryFile(
        prefix="rows-", suffix=".arrow", dir=folder, delete=False
    ) as file:
        return Path(file.name)


def _as_arrow(column: pd.Series) -> pa.Array:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pa.array(column.cat.codes.to_numpy())
    return pa.array(column.to_numpy(), from_pandas=False)  # NaN stays a number


def _as_given(column: pa.ChunkedArray, dtype: Any) -> Any:
    chunks = [chunk.to_numpy(zero_copy_only=False) for chunk in column.chunks]
    values = chunks[0] if len(chunks) == 1 else np.concatenate(chunks or [np.empty(0)])
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Categorical.from_codes(values.astype(np.int64), dtype=dtype)
    return values.astype(dtype, copy=False)
