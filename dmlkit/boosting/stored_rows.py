"""`StoredRows`: a partition in a file beside its worker, for tables that are larger than memory."""

import contextlib
import errno
import os
import pickle
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pandas as pd
import pyarrow as pa

from dmlkit.errors import OutputError

__all__ = ["RowsInFile", "StoredRows", "rows_of", "stored"]


@dataclass(frozen=True)
class RowsInFile:
    """Where rows are: what another process of the same host needs to read them.

    Attributes
    ----------
    file : Path
        Of Arrow's format for memory, uncompressed: reading some of the rows reads only these.
    count : int
    dtypes : mapping of str to dtype
        Of the columns, in their order.
    """

    file: Path
    count: int
    dtypes: Mapping[str, Any]

    def __len__(self) -> int:
        return self.count

    def rows(self, start: int = 0, stop: int | None = None) -> pd.DataFrame:
        """Return the rows ``[start, stop)``; their memory is the file's, as far as that goes."""
        with pa.memory_map(str(self.file)) as file:
            table = pa.ipc.open_file(file).read_all()[start:stop]
        return pd.DataFrame(
            {name: _as_given(table[name], dtype) for name, dtype in self.dtypes.items()},
            copy=False,
        )


class StoredRows:
    """Rows in a file that goes with this object, and with it to other workers.

    Attributes
    ----------
    place : RowsInFile
        It is there as long as this object is.
    """

    def __init__(self, place: RowsInFile) -> None:
        self.place = place
        weakref.finalize(self, place.file.unlink, missing_ok=True)

    def __len__(self) -> int:
        return len(self.place)

    def __sizeof__(self) -> int:
        return 1000  # what Dask counts as held in memory

    def __reduce_ex__(self, protocol: Any) -> Any:
        content: Any = np.memmap(self.place.file, np.uint8, "r")
        return _received, (pickle.PickleBuffer(content), self.place)


def stored(frame: pd.DataFrame) -> StoredRows:
    """Write a partition to a file of this worker's own folder."""
    table = pa.table({name: _as_arrow(frame[name]) for name in frame.columns})
    with (
        _new_file() as file,
        pa.OSFile(str(file), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as writer,
    ):
        writer.write_table(table)
    return StoredRows(RowsInFile(file, len(frame), dict(frame.dtypes)))


def rows_of(part: Any, start: int = 0, stop: int | None = None) -> pd.DataFrame:
    """Return the rows ``[start, stop)`` of a partition, in a file or not."""
    # `part` itself stays here, and with it its file.
    place = part.place if isinstance(part, StoredRows) else part
    found: pd.DataFrame
    found = place.rows(start, stop) if isinstance(place, RowsInFile) else part.iloc[start:stop]
    return found


def _received(content: Any, place: RowsInFile) -> StoredRows:
    with _new_file() as file:
        file.write_bytes(content)
    return StoredRows(replace(place, file=file))


@contextlib.contextmanager
def _new_file() -> Iterator[Path]:
    """Give an empty file in the worker's folder, which Dask removes when the worker is gone.

    Raises
    ------
    OutputError
        It could not be filled; then it is gone at once.
    """
    with tempfile.NamedTemporaryFile(
        prefix="rows-", suffix=".arrow", dir=_folder(), delete=False
    ) as created:
        file = Path(created.name)
    try:
        yield file
    except BaseException as error:
        file.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        why = os.strerror(error.errno or errno.EIO)
        raise OutputError(
            f"Rows to train on could not be kept in {str(file.parent)!r}: {why}. Give workers a "
            "folder with more space (Dask's temporary-directory, or --local-directory of `dask "
            "worker`), or more memory and external_memory=False."
        ) from None


def _folder() -> str | None:
    """Return the folder of the worker that this process is, and nothing for a client's."""
    try:
        return str(distributed.get_worker().local_directory)
    except ValueError:
        # Rows of another worker are put together outside of any task, where none is told.
        # One that was closed may still be listed; its folder is gone.
        folders = [str(worker.local_directory) for worker in distributed.Worker._instances]
    return next((folder for folder in folders if Path(folder).is_dir()), None)


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
