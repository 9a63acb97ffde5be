"""What tests of writing tables share: a small table, and looks at what was written."""

from pathlib import Path

import dask.dataframe as dd
import pandas as pd
from deltalake import DeltaTable

LETTERS = pd.DataFrame({"number": range(20), "letter": list("abcdefghij") * 2})


def lazy(frame: pd.DataFrame, partitions: int = 3):
    return dd.from_pandas(frame, npartitions=partitions, sort=False)


def rows(path: Path) -> pd.DataFrame:
    """Read the table with deltalake, in the order of the first column."""
    frame = DeltaTable(path).to_pyarrow_table().to_pandas()
    return frame.sort_values(frame.columns[0]).reset_index(drop=True)


def files_on_disk(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}


def fail_at(number: int, error: BaseException):
    """Return a function of a partition that raises at the partition with the row `number`."""

    def fail(frame: pd.DataFrame) -> pd.DataFrame:
        if (frame.number == number).any():
            raise error
        return frame

    return fail
