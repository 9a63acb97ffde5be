import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from deltalake import DeltaTable, QueryBuilder
from pandas.testing import assert_frame_equal

from dmlkit.tables import read_table
from dmlkit.tables.encodings import encodings_of
from dmlkit.tables.part_files import to_arrow
from dmlkit.tables.publish import write_table

ROWS = 50_000


def features() -> pd.DataFrame:
    """Return a column for each thing that a table of features holds."""
    rng = np.random.default_rng(0)
    when = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 10**13, ROWS), "us")
    mean = rng.lognormal(3, 1, ROWS)
    hashes = rng.integers(-(2**62), 2**62, 20_000)
    return pd.DataFrame(
        {
            "id": rng.permutation(ROWS),
            "time": when.as_unit("us"),
            "mean": np.where(rng.random(ROWS) < 0.2, np.nan, mean),
            "mean.float32": mean.astype(np.float32),
            "sparse": np.where(rng.random(ROWS) < 0.999, np.nan, mean),
            "price": np.round(rng.lognormal(2, 1, ROWS), 1),
            "hash": hashes[rng.integers(0, len(hashes), ROWS)],
            "hash of sorted": np.repeat(rng.integers(-(2**62), 2**62, ROWS // 20), 20),
            "largest so far": np.repeat(rng.choice(np.unique(mean)[:20_000], ROWS // 4), 4),
            "shop": rng.integers(0, 20_000, ROWS),
            "sorted shop": np.sort(rng.integers(0, 20_000, ROWS)),
            "count": rng.integers(0, 50, ROWS),
            "small": rng.integers(0, 100, ROWS).astype(np.int8),
            "text": rng.choice(["web", "app"], ROWS),
        }
    )


def chosen(table: pd.DataFrame) -> dict[str, str]:
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    return encodings_of(arrow).get("column_encoding", {})


def test_numbers_that_hardly_come_again_get_no_dictionary():
    assert chosen(features()) == {
        "id": "DELTA_BINARY_PACKED",
        "time": "DELTA_BINARY_PACKED",
        "mean": "PLAIN",
        "mean.float32": "PLAIN",
        "largest so far": "PLAIN",
        "shop": "DELTA_BINARY_PACKED",
        "sorted shop": "DELTA_BINARY_PACKED",
    }


def test_the_order_of_rows_does_not_change_what_is_random_anyway():
    table = features().drop(columns=["hash of sorted", "largest so far", "sorted shop"])
    assert chosen(table.sample(frac=1, random_state=0)) == chosen(table)


@pytest.mark.parametrize("rows", [0, 1, 100])
def test_tables_too_small_to_tell_are_left_to_the_writer(rows):
    assert chosen(features().head(rows)) == {}
    assert chosen(features()[["text"]].head(rows)) == {}


def test_tables_with_lists_are_left_to_the_writer():
    table = pa.table({"id": np.arange(ROWS), "list": pa.array([[1]] * ROWS)})
    assert "column_encoding" not in encodings_of(table)


def test_what_is_written_is_read_again_by_all(tmp_path):
    table = features()
    write_table(table, tmp_path / "table")
    assert_frame_equal(read_table(tmp_path / "table").compute(), table, check_index_type=False)
    delta = DeltaTable(tmp_path / "table")
    assert_frame_equal(delta.to_pandas().astype({"text": "str"}), table)
    query = 'select sum("mean") as mean, sum("hash") as hash from t where "mean.float32" > 100'
    found = QueryBuilder().register("t", delta).execute(query).read_all()
    large = table[table["mean.float32"] > 100]
    assert found.column("mean").to_pylist() == [pytest.approx(large["mean"].sum())]
    assert found.column("hash").to_pylist() == [large["hash"].sum()]


def test_files_are_encoded_as_chosen_and_have_statistics(tmp_path):
    write_table(features(), tmp_path / "table")
    (file,) = (tmp_path / "table").glob("*.parquet")
    group = pyarrow.parquet.ParquetFile(file).metadata.row_group(0)
    columns = [group.column(index) for index in range(group.num_columns)]
    encodings = {column.path_in_schema: column.encodings for column in columns}
    assert "RLE_DICTIONARY" not in encodings["mean"]
    assert "DELTA_BINARY_PACKED" in encodings["time"]
    assert "RLE_DICTIONARY" in encodings["price"]
    # What Spark could not read for long, and others still can't.
    assert not any("BYTE_STREAM_SPLIT" in used for used in encodings.values())
    assert all(column.statistics.has_min_max for column in columns)


# Floats


@pytest.mark.parametrize("dtype", ["float64", "float32", "Float64", "double[pyarrow]"])
@pytest.mark.parametrize("values", [[], [1.0], [np.nan], [-0.0, np.nan, np.inf, 3.5] * 3])
def test_what_is_not_a_number_is_missing(dtype, values):
    frame = pd.DataFrame({"x": pd.Series(values, dtype="float64").astype(dtype)})
    found = to_arrow(frame, pa.schema([("x", pa.float64())]))["x"]
    found.validate(full=True)
    assert found.to_pylist() == [None if np.isnan(value) else value for value in values]


def test_columns_of_a_wide_array_and_slices_keep_their_values():
    wide = pd.DataFrame(np.arange(20.0).reshape(5, 4), columns=list("abcd"))[1:4]
    found = to_arrow(wide, pa.schema([(name, pa.float64()) for name in wide]))
    assert found.to_pandas().equals(wide.reset_index(drop=True))


def test_whole_numbers_with_missing_ones_fit_into_whole_numbers():
    frame = pd.DataFrame({"x": [1.0, np.nan]})
    assert to_arrow(frame, pa.schema([("x", pa.int32())]))["x"].to_pylist() == [1, None]
