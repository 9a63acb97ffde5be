import sys
from pathlib import Path

import fsspec
import pytest

from dmlkit import read_table
from dmlkit.errors import InputError, MissingFileError, OutputError
from dmlkit.tables.object_store import open_store
from dmlkit.tables.sources import find_source


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("a\n1\n")
    return folder


def names(path: Path, pattern: str = "") -> list[str]:
    root = Path(path)
    found = find_source(str(root / pattern)).files
    return [str(Path(file).relative_to(root)) for file in found]


def test_a_folder_is_its_files_at_any_depth_in_order(tmp_path):
    write(tmp_path, "b.csv", "a.csv", "deep/er/c.csv")
    assert names(tmp_path) == ["a.csv", "b.csv", "deep/er/c.csv"]


def test_hidden_files_and_those_with_an_underscore_are_left_out(tmp_path):
    write(tmp_path, "a.csv", "_SUCCESS", ".a.csv.crc", "_writing-1/b.csv")
    assert names(tmp_path) == ["a.csv"]


def test_a_glob_chooses_files_and_folders(tmp_path):
    write(tmp_path, "2024-12.csv", "2025-01.csv", "2025-02/days.csv", "notes.txt")
    assert names(tmp_path, "2025-*") == ["2025-01.csv", "2025-02/days.csv"]


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("a.parquet", "parquet"),
        ("a.PQ", "parquet"),
        ("a.csv", "csv"),
        ("a.csv.gz", "csv"),
        ("a.jsonl", "json"),
        ("a.ndjson.gz", "json"),
        ("a.json", "json"),
    ],
)
def test_the_ending_says_the_format(tmp_path, name, format_):
    assert find_source(write(tmp_path, name) / name).format == format_


def test_an_address_of_a_file_system_is_a_path_too(tmp_path):
    write(tmp_path, "a.csv")
    assert find_source(f"file://{tmp_path}").files == (f"{tmp_path}/a.csv",)
    with fsspec.open("memory://sources/a.csv", "w") as file:
        file.write("a\n1\n")
    assert find_source("memory://sources").files == ("/sources/a.csv",)


def test_a_path_with_a_slip_names_the_nearest(tmp_path):
    write(tmp_path, "transactions.csv")
    with pytest.raises(MissingFileError, match=r"Did you mean 'transactions\.csv'"):
        find_source(tmp_path / "transaction.csv")


def test_a_folder_without_files_says_so(tmp_path):
    with pytest.raises(MissingFileError, match="holds no files"):
        find_source(tmp_path)


def test_empty_files_are_an_error_with_their_number(tmp_path):
    write(tmp_path, "a.csv")
    for name in ("b.csv", "c.csv"):
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"b\.csv' is empty \(0 bytes\) \(and 1 more"):
        find_source(tmp_path)


def test_several_formats_in_a_folder_are_an_error_with_the_way_out(tmp_path):
    write(tmp_path, "a.csv", "b.parquet")
    with pytest.raises(InputError, match=r"several formats: csv .*parquet.*with a glob"):
        find_source(tmp_path)


def test_an_unknown_format_lists_the_known_ones(tmp_path):
    write(tmp_path, "a.xlsx")
    with pytest.raises(InputError, match=r"a\.xlsx' is not known\. Known endings: \.parquet"):
        find_source(tmp_path / "a.xlsx")


def test_an_unknown_file_system_is_an_input_error():
    with pytest.raises(InputError, match=r"Cannot open 'nowhere://a\.csv'"):
        find_source("nowhere://a.csv")


def test_a_delta_table_below_a_folder_is_not_read_as_its_files(tmp_path):
    write(tmp_path, "sales/part.parquet", "sales/_delta_log/0.json")
    assert find_source(tmp_path / "sales").format == "delta"
    with pytest.raises(InputError, match=r"holds the Delta Lake table '.*sales': read that"):
        find_source(tmp_path)


@pytest.mark.parametrize(
    ("path", "module", "extra"),
    [
        ("gs://bucket/t.parquet", "gcsfs", "gcs"),
        ("abfs://files@account.dfs.core.windows.net/t.parquet", "adlfs", "azure"),
    ],
)
def test_a_store_without_its_package_says_what_to_install(
    path: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"Cannot open .*pip install 'dmlkit\[{extra}\]'"):
        read_table(path)
    with pytest.raises(OutputError, match=rf"Cannot open .*pip install 'dmlkit\[{extra}\]'"):
        open_store(path)
