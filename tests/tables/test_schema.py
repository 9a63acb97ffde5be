import json
import tomllib
from datetime import date, datetime

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
import tomli_w
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dmlkit import Column, Schema, read_table
from dmlkit.cli import commands
from dmlkit.errors import ConfigurationError

numbers = st.one_of(st.none(), st.integers(-(2**40), 2**40))
columns = st.builds(
    Column,
    name=st.sampled_from("abcdef"),
    dtype=st.sampled_from(["int64", "float32"]),
    nullable=st.booleans(),
    minimum=st.one_of(st.none(), st.integers(-5, 0)),
    maximum=st.one_of(st.none(), st.integers(0, 5)),
    allowed=st.one_of(st.none(), st.lists(st.integers(0, 1), max_size=2)),
)


@given(st.lists(columns, min_size=1, unique_by=lambda column: column.name))
def test_a_schema_survives_being_written_as_toml_and_json(columns):
    schema = Schema(columns, unique=[columns[0].name])
    assert Schema.from_dict(tomllib.loads(tomli_w.dumps(schema.to_dict()))) == schema
    assert Schema.from_dict(json.loads(json.dumps(schema.to_dict()))) == schema


def test_a_minimum_of_zero_is_a_minimum():
    column = Column("amount", "float64", minimum=0, allowed=[0])
    assert Schema([column]).to_dict()["columns"][0]["minimum"] == 0


@pytest.mark.parametrize(
    "limit", ["2025-01-01", date(2025, 1, 1), datetime(2025, 1, 1), pd.Timestamp("2025-01-01")]
)
def test_limits_of_times_may_be_given_in_any_way(limit):
    column = Column("t", "datetime", minimum=limit, allowed=[limit])
    assert column == Column("t", "datetime", minimum="2025-01-01", allowed=["2025-01-01"])
    assert Schema.from_dict(json.loads(json.dumps(Schema([column]).to_dict()))) == Schema([column])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"dtype": "int46"}, r"unknown dtype 'int46' \(nearest: 'int64'\)"),
        ({"dtype": "int64", "minimum": "0"}, "minimum = '0'; it takes a number"),
        ({"dtype": "float64", "minimum": 2, "maximum": 1}, "minimum 2 above the maximum 1"),
        ({"dtype": "datetime", "minimum": "soon"}, "takes a time such as"),
        ({"dtype": "string", "maximum": "z"}, "takes allowed values of type str"),
        ({"dtype": "string", "allowed": [1]}, "takes allowed values of type str"),
        ({"dtype": "int8", "allowed": ["0", "1"]}, "allowed = '0'; it takes a number"),
    ],
)
def test_a_column_that_no_value_can_meet_is_refused_when_made(arguments, words):
    with pytest.raises(ConfigurationError, match=words):
        Column("a", **arguments)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "lacks 'columns'"),
        ({"columns": [{"name": "a"}]}, "lacks 'dtype'"),
        ({"columns": [{"name": "a", "dtype": "bool", "nulable": True}]}, "nearest: 'nullable'"),
        ({"columns": [], "uniqe": ["a"]}, "nearest: 'unique'"),
        ({"columns": [], "time": "t"}, "no column 't'"),
    ],
)
def test_a_document_with_a_slip_says_which(document, words):
    with pytest.raises(ConfigurationError, match=words):
        Schema.from_dict(document)


def test_a_schema_is_inferred_from_types_and_missing_values():
    frame = pd.DataFrame(
        {
            "i": pd.array([1, 2], "int32"),
            "u": pd.array([1, 2], "uint32"),
            "big": pd.array([1, 2], "uint64"),
            "n": pd.array([1, None], "Int16"),
            "f": np.array([1, 2], "float32"),
            "m": [1.0, np.nan],
            "s": ["x", None],
            "c": pd.Categorical(["x", "y"]),
            "b": [True, False],
            "t": pd.to_datetime(["2025-01-01", "2025-01-02"]),
        }
    )
    found = {column.name: (column.dtype, column.nullable) for column in Schema.infer(frame).columns}
    assert found == {
        "i": ("int32", False),
        "u": ("int64", False),
        "big": ("int64", False),
        "n": ("int16", True),
        "f": ("float32", False),
        "m": ("float64", True),
        "s": ("string", True),
        "c": ("string", False),
        "b": ("bool", False),
        "t": ("datetime", False),
    }
    assert Schema.infer(frame).time == "t"


def test_inferring_reads_no_more_partitions_than_it_takes():
    def part(number: int) -> pd.DataFrame:
        assert number < 2, "read too far"
        return pd.DataFrame({"a": range(6000)})

    frame = dd.from_map(part, range(9), meta=pd.DataFrame({"a": [1]}))
    assert Schema.infer(frame).names == ["a"]


def test_the_command_prints_a_schema_that_the_table_meets(tmp_path):
    path = tmp_path / "tx.csv"
    path.write_text("id,time,amount\n1,2025-01-01 10:00,\n2,2025-01-02,3.5\n")
    printed = CliRunner().invoke(commands, ["schema", "infer", str(path)], catch_exceptions=False)
    schema = Schema.from_dict(tomllib.loads(printed.stdout))
    assert [(column.name, column.dtype) for column in schema.columns] == [
        ("id", "int64"),
        ("time", "datetime"),
        ("amount", "float64"),
    ]
    assert len(read_table(path, schema=schema)) == 2
