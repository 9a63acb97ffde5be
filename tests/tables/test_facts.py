"""What is told of tables without reading their rows."""

from datetime import datetime
from pathlib import Path

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import dmlkit.tables.pieces
from dmlkit import read_table, write_table
from dmlkit.errors import InputError
from dmlkit.scoring import read_renamed
from dmlkit.tables.facts import table_facts

ROWS = 1000


@pytest.fixture
def table() -> pd.DataFrame:
    """An hour between rows, from the first of January on."""
    hours = pd.date_range("2025-01-01", periods=ROWS, freq="h", unit="us")
    return pd.DataFrame({"at": hours, "card": np.arange(ROWS), "amount": 1.5, "fraud": np.int8(0)})


@pytest.fixture
def no_row_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("rows are read")

    monkeypatch.setattr(dmlkit.tables.pieces, "read_parquet_piece", refuse)


@pytest.mark.usefixtures("no_row_is_read")
def test_rows_bytes_and_partitions_are_those_that_are_read(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    table.to_parquet(tmp_path / "table.parquet", row_group_size=100, index=False)
    frame = read_table(tmp_path, columns=["card", "amount", "fraud"], partition_bytes=17 * 300)
    facts = table_facts(frame)
    assert [part.rows for part in facts.parts] == [300, 300, 300, 100]
    assert (facts.rows, facts.bytes, facts.largest, facts.exact) == (ROWS, 17_000, 5100, True)
    assert list(facts.meta.columns) == ["card", "amount", "fraud"]
    whole = pq.ParquetFile(tmp_path / "table.parquet").metadata.row_group(0)
    read = sum(whole.column(index).total_compressed_size for index in (1, 2, 3))
    assert facts.packed == pytest.approx(10 * read / 17_000, rel=0.1)
    assert facts.period is None
    assert facts.rows_between(datetime(2025, 1, 1), datetime(2025, 1, 2)) == ROWS


@pytest.mark.usefixtures("no_row_is_read")
@pytest.mark.parametrize("order", ["by time", "at random"])
def test_rows_of_a_period_are_estimated(table: pd.DataFrame, tmp_path: Path, order: str) -> None:
    if order == "at random":
        table = table.sample(frac=1, random_state=0)
    table.to_parquet(tmp_path / "table.parquet", row_group_size=100, index=False)
    frame = read_renamed(str(tmp_path), {"time": "at", "card": "card"})
    facts = table_facts(frame, time="at")
    assert facts.period == (datetime(2025, 1, 1), datetime(2025, 2, 11, 15))
    found = facts.rows_between(datetime(2025, 1, 8), datetime(2025, 1, 15))
    assert found == pytest.approx(7 * 24, rel=0.02)
    assert facts.rows_between(datetime(2026, 1, 1), datetime(2027, 1, 1)) == 0


@pytest.mark.usefixtures("no_row_is_read")
@pytest.mark.parametrize("kind", ["steps", "days", "zoned"])
def test_periods_of_steps_days_and_times_with_a_zone(
    table: pd.DataFrame, tmp_path: Path, kind: str
) -> None:
    times = {
        "steps": (np.arange(ROWS), (0, ROWS - 1), 100),
        "days": (table["at"].dt.date, (datetime(2025, 1, 1), datetime(2025, 2, 11)), None),
        "zoned": (table["at"].dt.tz_localize("UTC"), (datetime(2025, 1, 1),) * 2, None),
    }
    values, period, end = times[kind]
    table.assign(at=values).to_parquet(tmp_path / "table.parquet", index=False)
    facts = table_facts(read_table(tmp_path, columns=["at"]), time="at")
    assert facts.period is not None
    assert facts.period[0] == period[0]
    if kind == "steps":
        assert facts.rows_between(0, end) == pytest.approx(end, abs=1)
    if kind == "days":
        assert facts.period == period


@pytest.mark.usefixtures("in_this_process")
def test_delta_lake_tables_and_their_folders(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = dd.from_pandas(table.assign(even=table["card"] % 2), npartitions=2)
    write_table(frame, str(tmp_path / "table"), partition_by=["even"])
    facts = table_facts(read_table(tmp_path / "table"), time="at")
    assert (facts.rows, facts.bytes) == (ROWS, ROWS * (3 * 8 + 1 + 8))
    assert facts.rows_between(datetime(2025, 1, 1), datetime(2026, 1, 1)) == ROWS


def test_rows_of_text_are_estimated_from_the_first_lines(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    table.to_csv(tmp_path / "table.csv", index=False)
    facts = table_facts(read_table(tmp_path / "table.csv"))
    assert not facts.exact
    assert facts.rows == pytest.approx(ROWS, rel=0.01)
    table.to_csv(tmp_path / "table.csv.gz", index=False)
    packed = table_facts(read_table(tmp_path / "table.csv.gz"))
    assert packed.rows == pytest.approx(ROWS, rel=0.9)


def test_only_tables_that_were_read_are_known(table: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="one that read_table returned"):
        table_facts(dd.from_pandas(table, npartitions=1))
