"""What users get wrong in writing a table is told, and nothing is written."""

import pickle

import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError, InputError, OutputError
from dmlkit.tables import read_table
from dmlkit.tables.publish import write_table
from tests.tables.written import LETTERS, files_on_disk, lazy, rows

pytestmark = pytest.mark.usefixtures("no_cluster_unless_asked")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (LETTERS.assign(wait=pd.Timedelta("1h")), r"Column 'wait' .*dt.total_seconds"),
        (LETTERS.rename(columns={"letter": 7}), "Column names must be text, .* 7 is not"),
        (LETTERS["number"], "takes a Dask or pandas DataFrame, not Series"),
        (pd.DataFrame(), "has no columns"),
        (LETTERS.assign(Letter="x"), "takes the columns 'letter' and 'Letter' for one.*Rename"),
        (LETTERS.assign(é=1, É=2), "takes the columns 'é' and 'É' for one"),
    ],
)
def test_a_frame_that_cannot_be_held_is_told_why(path, frame, message):
    with pytest.raises(InputError, match=message):
        write_table(frame, path)
    assert not path.exists()


def test_a_number_that_does_not_fit_is_not_cut(path):
    huge = pd.DataFrame({"hash": np.array([1, 2**64 - 1], "uint64")})
    with pytest.raises(InputError, match="Column 'hash' is declared as int64"):
        write_table(huge, path)


def test_a_partition_that_breaks_its_promise_is_told(path):
    def broken(change):
        return lazy(LETTERS).map_partitions(change, meta=LETTERS, enforce_metadata=False)

    with pytest.raises(InputError, match="A partition has no column 'letter'"):
        write_table(broken(lambda part: part[["number"]]), path)
    words = r"'number' is declared as int64, but a partition holds str.* astype"
    with pytest.raises(InputError, match=words):
        write_table(broken(lambda part: part.assign(number=part.letter)), path)
    assert not path.exists()


def test_a_new_column_that_capitals_alone_tell_from_another_is_refused(path):
    write_table(LETTERS, path)
    renamed = LETTERS.rename(columns={"letter": "LETTER"})
    with pytest.raises(InputError, match=r"'LETTER' would be a new column .* from 'letter'"):
        write_table(renamed, path, mode="append", new_columns=True)


@pytest.mark.parametrize(
    "values", [[3, 1], [0.5, 1.5], pd.to_datetime(["2025-01-01", "2025-01-02"]), [True, False]]
)
def test_numbers_do_not_become_text_where_dask_knows_no_categories(path, values):
    frame = lazy(pd.DataFrame({"number": [1, 2], "size": values}), 2)
    frame["size"] = frame["size"].astype("category")
    with pytest.raises(InputError, match=r"'size' is of categories .* holds .*as_known\(\)"):
        write_table(frame, path)
    assert not path.exists()
    frame["size"] = frame["size"].cat.as_known()
    write_table(frame, path)
    assert rows(path)["size"].tolist() == list(values)


def test_categories_of_text_that_dask_does_not_know_are_text(path):
    frame = lazy(pd.DataFrame({"number": [1, 2, 3], "size": ["S", None, "L"]}), 3)
    write_table(frame.astype({"size": "category"}), path)
    assert rows(path)["size"].fillna("").tolist() == ["S", "", "L"]


@pytest.mark.parametrize("mode", ["error", "append", "overwrite"])
def test_other_peoples_files_are_not_mixed_with_a_table(path, mode):
    path.mkdir()
    (path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"no Delta Lake table, such as 'notes.txt'"):
        write_table(LETTERS, path, mode=mode)
    assert files_on_disk(path) == {"notes.txt"}


@pytest.mark.parametrize(
    "name", ["h#y", "q?x", "a%20b", "p%41", "x[1]", "a|b", "a^b", "a\\b", "a\tb"]
)
def test_a_path_that_delta_lake_misreads_is_refused(tmp_path, name):
    with pytest.raises(OutputError, match=r"can't hold a table .* misreads .* without it"):
        write_table(LETTERS, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_table_in_a_path_that_delta_lake_misreads_is_told(tmp_path):
    (tmp_path / "x[1]" / "_delta_log").mkdir(parents=True)
    with pytest.raises(InputError, match=r"can't be read: '\[' .* Rename the folder"):
        read_table(tmp_path / "x[1]")


def test_a_file_is_no_place_for_a_table(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file; a table needs a folder"):
        write_table(LETTERS, tmp_path / "file")
    with pytest.raises(OutputError, match="Cannot write to"):
        write_table(LETTERS, tmp_path / "file" / "table")


def test_an_unknown_mode_is_told_the_known_ones(path):
    with pytest.raises(ConfigurationError, match="mode is 'upsert'; it must be one of error"):
        write_table(LETTERS, path, mode="upsert")


def test_a_folder_may_be_written_as_a_url(tmp_path):
    assert write_table(LETTERS, f"file://{tmp_path}/table").rows == 20
    assert (tmp_path / "table" / "_delta_log").is_dir()


def test_a_damaged_log_is_reported(path):
    write_table(LETTERS, path)
    (path / "_delta_log" / f"{0:020d}.json").write_text("{nonsense")
    with pytest.raises(OutputError, match=r"The log of the table .* can't be read"):
        write_table(LETTERS, path, mode="append")


def test_errors_of_tasks_survive_the_way_to_the_client():
    error = InputError("Column 'x' is declared as int64")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
