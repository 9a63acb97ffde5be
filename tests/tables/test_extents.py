"""What footers tell of a column is true; what they do not tell is left out."""

from datetime import date
from pathlib import Path

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from dmlkit import read_table, write_table
from dmlkit.tables.extents import Extent, extents_of


def extents(folder: Path, column: str, **options: object) -> list[Extent] | None:
    options = {"partition_bytes": 1, **options}
    return extents_of(read_table(folder, **options).expr, [column]).get(column)


def write(folder: Path, *parts: pa.Array, **options: object) -> None:
    for number, part in enumerate(parts):
        table = pa.table({"value": part})
        pyarrow.parquet.write_table(table, folder / f"{number}.parquet", **options)


@pytest.mark.parametrize("kind", ["int8", "int64", "uint16", "string"])
def test_whole_numbers_and_texts_reach_from_the_least_to_the_greatest(tmp_path, kind):
    values = [["3", "7", "5"], ["1", None, "2"]]
    write(tmp_path, *(pa.array(each).cast(kind) for each in values))
    typed = str if kind == "string" else int
    assert extents(tmp_path, "value") == [
        Extent(3, typed(3), typed(7)),
        Extent(3, typed(1), typed(2)),
    ]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/Brussels"])
def test_times_reach_to_the_last_unit(tmp_path, unit, zone):
    times = np.array(["1969-12-31T23:59:59.999", "2025-07-01T12:00:00.001"], f"datetime64[{unit}]")
    write(tmp_path, pa.array(times, pa.timestamp(unit, zone)))
    (found,) = extents(tmp_path, "value")
    assert (found.least, found.greatest) == tuple(times)


def test_days_are_times(tmp_path):
    write(tmp_path, pa.array([date(2025, 1, 3), date(1969, 5, 1)]))
    (found,) = extents(tmp_path, "value")
    assert (found.least, found.greatest) == (
        np.datetime64("1969-05-01"),
        np.datetime64("2025-01-03"),
    )


def test_row_groups_of_a_partition_are_taken_together(tmp_path):
    write(tmp_path, pa.array([1, 2, 3, 4, None, None]), row_group_size=2)
    assert extents(tmp_path, "value", partition_bytes="1MB") == [Extent(6, 1, 4)]
    assert extents(tmp_path, "value") == [Extent(2, 1, 2), Extent(2, 3, 4), Extent(2, None, None)]


def test_numbers_with_a_point_and_files_without_statistics_tell_nothing(tmp_path):
    write(tmp_path, pa.array([1.0, 2.0]))
    assert extents(tmp_path, "value") is None
    write(tmp_path, pa.array([1, 2]), write_statistics=False)
    assert extents(tmp_path, "value") is None


def test_the_files_of_a_delta_table_tell_too(tmp_path):
    write_table(pd.DataFrame({"value": [4, 9]}), tmp_path / "table")
    assert extents(tmp_path / "table", "value") == [Extent(2, 4, 9)]


def test_other_frames_tell_nothing():
    frame = dd.from_pandas(pd.DataFrame({"value": [1]}), npartitions=1)
    assert extents_of(frame.expr, ["value"]) == {}
