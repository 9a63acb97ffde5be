"""Earlier versions of a table, and removing the files that none needs."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError, InputError, MissingFileError
from dmlkit.tables import read_table, vacuum_table, write_table
from tests.tables.written import files_on_disk

pytestmark = pytest.mark.usefixtures("no_cluster_unless_asked")


def write(path: Path, number: int, mode: str = "overwrite") -> int:
    return write_table(pd.DataFrame({"number": [number]}), path, mode=mode).version


def numbers(path: Path, **options) -> list[int]:
    return sorted(read_table(path, **options).number.compute())


def files(path: Path) -> set[str]:
    return {name for name in files_on_disk(path) if name.endswith(".parquet")}


# Versions


def test_a_version_is_read_by_its_number_and_by_a_time_at_which_it_was_the_newest(path):
    versions = [write(path, 1), write(path, 2, "append")]
    between = datetime.now(UTC)
    os.utime(path / "_delta_log" / f"{0:020}.json", (1, 1))
    versions.append(write(path, 3))
    assert versions == [0, 1, 2]
    assert [numbers(path, version=each) for each in versions] == [[1], [1, 2], [3]]
    assert numbers(path, version=between) == [1, 2]
    assert numbers(path, version=between.isoformat()) == [1, 2]
    assert numbers(path, version=between.replace(tzinfo=None).isoformat(" ")) == [1, 2]
    assert numbers(path) == [3]


@pytest.mark.parametrize("version", [7, -1, "yesterday", 1.5])
def test_a_version_that_is_not_there_is_told(path, version):
    write(path, 1)
    with pytest.raises(ConfigurationError, match=r"has no version=.*Give the number of a version"):
        read_table(path, version=version)


def test_other_tables_have_no_versions(tmp_path):
    (tmp_path / "a.csv").write_text("number\n1\n")
    with pytest.raises(ConfigurationError, match="is no Delta Lake table"):
        read_table(tmp_path / "a.csv", version=0)


# Vacuum


def test_files_of_replaced_versions_and_of_dead_writers_are_removed_and_no_others(path):
    write(path, 1)
    write(path, 2)
    newest = files(path)
    write(path, 3)
    newest = files(path) - newest
    (path / "part-of-nobody.parquet").write_bytes(b"half")
    (path / "notes.txt").write_text("mine")
    assert vacuum_table(path) == []
    assert len(vacuum_table(path, older_than="0h", dry_run=True)) == 3
    assert len(files(path)) == 4
    removed = vacuum_table(path, older_than="0h")
    assert len(removed) == 3
    assert files(path) == newest
    assert (path / "notes.txt").exists()
    assert numbers(path) == [3]
    with pytest.raises(InputError, match="not there"):
        numbers(path, version=0)


def test_folders_of_partitions_go_with_their_last_file(path):
    frame = pd.DataFrame({"number": [1, 2], "shop": ["a b", "c"]})
    write_table(frame, path, partition_by="shop")
    write_table(frame[:1], path, mode="overwrite", partition_by="shop")
    vacuum_table(path, older_than="0h")
    assert [folder.name for folder in path.glob("shop=*")] == ["shop=a%20b"]
    assert numbers(path) == [1]


def test_a_write_that_goes_on_keeps_its_files(path):
    write(path, 1)
    going_on = path / "_writing-0123"
    going_on.mkdir()
    going_on.joinpath("owner.json").write_text(json.dumps([os.uname().nodename, os.getpid()]))
    (path / "part-0123-00000.parquet").write_bytes(b"to be committed")
    assert vacuum_table(path, older_than="0h") == []
    going_on.joinpath("owner.json").write_text(json.dumps([os.uname().nodename, 2**22 + 1]))
    vacuum_table(path, older_than="0h")
    assert not list(path.glob("*0123*"))


def test_what_is_no_table_or_no_length_of_time_is_told(path, tmp_path):
    with pytest.raises(MissingFileError, match="no Delta Lake table"):
        vacuum_table(tmp_path)
    write(path, 1)
    for wrong in ("-1h", "soon"):
        with pytest.raises(ConfigurationError, match="older_than is"):
            vacuum_table(path, older_than=wrong)
