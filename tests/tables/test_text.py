"""CSV and JSON lines, through `read_table`."""

import gzip
import json

import dask
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmlkit import Column, Schema, read_table
from dmlkit.errors import InputError

AB = Schema([Column("a", "int64"), Column("b", "string", nullable=True)])


@pytest.fixture(autouse=True)
def _in_this_thread():
    with dask.config.set(scheduler="sync"):
        yield


@pytest.fixture
def written(tmp_path):
    def write(content: str | bytes, name: str = "table.csv") -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def values(path: str, **options) -> list[tuple]:
    frame = read_table(path, **options).compute()
    return [
        tuple(None if pd.isna(value) else value for value in row)
        for row in frame.itertuples(index=False)
    ]


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,x\n2,y\n",
        "a,b\n1,x\n2,y",
        "a,b\r\n1,x\r\n2,y\r\n",
        "\ufeffa,b\n1,x\n2,y\n",
        "a,b\n\n1,x\n\n2,y\n\n",
        '"a","b"\n1,"x"\n2,"y"\n',
    ],
    ids=["plain", "no last line end", "CRLF", "byte order mark", "empty lines", "quotes"],
)
@pytest.mark.parametrize("partition_bytes", [1, 7, 1000])
def test_csv_as_programs_write_it(written, content, partition_bytes):
    assert values(written(content), partition_bytes=partition_bytes) == [(1, "x"), (2, "y")]


def test_compressed_files_are_read_whole(written):
    assert values(written(gzip.compress(b"a,b\n1,x\n"), "t.csv.gz")) == [(1, "x")]
    assert values(written(gzip.compress(b'{"a":1}\n'), "t.jsonl.gz")) == [(1,)]
    assert values(written(gzip.compress(b"a,b\n1,x\n"), "T.CSV.GZ")) == [(1, "x")]


def test_an_empty_value_is_missing_and_so_are_words_for_it_among_numbers(written):
    path = written('a,b\n1,NA\nNA,""\nnull,null\n')
    assert values(path) == [(1, "NA"), (None, None), (None, "null")]


def test_a_file_of_a_header_has_columns_and_no_rows(written, tmp_path):
    for content in ("a,b", "a,b\n"):
        frame = read_table(written(content)).compute()
        assert (list(frame.columns), len(frame)) == (["a", "b"], 0)
    written("a,b\n1,x\n", "z.csv")
    assert values(str(tmp_path)) == [(1, "x")]  # the types are those of the file with rows


def test_dates_and_times_hold_what_later_rows_may_have(written):
    path = written("t\n2025-01-01\n2025-01-02\n")
    frame = read_table(path).compute()
    assert frame["t"].dtype == "datetime64[us]"


lines = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.text(alphabet=st.sampled_from('ab ,"\n\r;ü'), min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=lines, partition_bytes=st.integers(1, 80))
def test_no_partitioning_changes_what_a_quoted_value_is(tmp_path, rows, partition_bytes):
    frame = pd.DataFrame(rows, columns=["a", "b"])
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as file:
        frame.to_csv(file, index=False, quoting=2)
    assert values(str(path), partition_bytes=partition_bytes) == rows


def test_a_line_break_within_quotes_that_a_partition_cuts_is_an_error_not_wrong_rows(written):
    head = "a,b\n" + "1,x\n" * 300_000  # more than is looked at for line breaks
    path = written(head + '2,"y\nz"\n' + "3,x\n" * 10)
    cut = len(head) + 4
    frame = read_table(path, partition_bytes=cut)
    with pytest.raises(InputError, match=r"table\.csv' does not end where a partition does"):
        frame.partitions[0].compute()
    with pytest.raises(InputError, match="ragged row"):
        frame.partitions[1].compute()
    assert values(path)[300_000:300_002] == [(2, "y\nz"), (3, "x")]


def test_a_quote_that_is_never_closed_is_an_error(written):
    with pytest.raises(InputError, match="its closing quote is missing"):
        values(written('a,b\n1,"x\n2,y\n3,z\n'))


def test_a_quote_within_a_value_is_just_a_character(written):
    assert values(written('a,b\n1,5" pipe\n2,y\n')) == [(1, '5" pipe'), (2, "y")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a;b\n1;2\n", "separated by semicolons"),
        ("a\tb\n1\t2\n", "separated by tabs"),
        ("a,b\r1,x\r", "end with CR only"),
        ("a,a\n1,2\n", "two columns 'a'"),
        ("a,,c\n1,2,3\n", "a column without a name"),
        ("a,b\n1,x\n".encode("utf-16"), "UTF-16"),
        ("a,ü\n1,x\n".encode("latin-1"), "header of .* is not UTF-8"),
        ("a,b\n1,ü\n".encode("latin-1"), "not UTF-8 text"),
    ],
)
def test_text_that_is_no_such_csv_says_what_it_is(written, content, words):
    with pytest.raises(InputError, match=words):
        values(written(content))


def test_files_with_different_headers_are_an_error(written, tmp_path):
    written("a,b\n1,x\n", "1.csv")
    written("b,a\nx,1\n", "2.csv")
    with pytest.raises(InputError, match=r"2\.csv' is b, a, but that of '.*1\.csv' is a, b"):
        read_table(str(tmp_path))


def test_ragged_rows_are_an_error_with_file_line_and_text(written):
    path = written("a,b\n1,x\n2\n3,y,z\n")
    with pytest.raises(InputError, match=r"table\.csv' .* at line 3: .* 1 fields instead of 2: 2"):
        values(path)
    last = read_table(path, partition_bytes=10).partitions[-1]
    with pytest.raises(InputError, match=r"at line 4: .* 3 fields instead of 2: 3,y,z"):
        last.compute()


def test_ragged_rows_go_to_quarantine_with_their_text(written, tmp_path):
    path = written("a,b\n" + "1,x\n" * 300 + "2\n3,y,z\n")
    good = read_table(path, schema=AB, quarantine=str(tmp_path / "bad"), partition_bytes=100)
    assert len(good) == 300
    bad = read_table(tmp_path / "bad").compute()
    assert bad["reason"].tolist() == ["ragged or broken row"] * 2
    assert [text.rpartition(": ")[2] for text in bad["problem"]] == ["2", "3,y,z"]
    assert bad["file"].tolist() == [path] * 2


def test_a_later_value_of_another_type_names_column_row_and_value(written):
    path = written("a,b\n" + "1,x\n" * 400_000 + "1.5,y\n")
    with pytest.raises(InputError, match=r"column 'a', Row #400001: .* invalid value '1\.5'"):
        values(path)


@pytest.mark.parametrize("cut", [20, 200])
def test_a_damaged_compressed_file_is_an_input_error(written, cut):
    content = gzip.compress("\n".join(["a,b", *(f"{n},{n**3}" for n in range(999))]).encode())
    damaged = content[:cut] + b"\x00\xff" * 30 + content[cut + 60 :]
    with pytest.raises(InputError, match=r"Cannot read '.*t\.csv\.gz'"):
        values(written(damaged, "t.csv.gz"))
    with pytest.raises(InputError, match=r"Cannot read '.*t\.csv\.gz'"):
        values(written(content[:-cut], "t.csv.gz"))


@pytest.mark.parametrize("partition_bytes", [1, 30, 1000])
def test_a_field_that_an_object_lacks_is_missing(written, partition_bytes):
    path = written('{"a":1,"b":"x"}\n{"b":"y"}\n\n{"a":3}', "t.jsonl")
    assert values(path, partition_bytes=partition_bytes) == [(1, "x"), (None, "y"), (3, None)]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"a":2', "Missing a comma or '}'"),
        ('{"a":"many"}', "from number to string"),
        ("7", "from object to number"),
    ],
)
def test_a_broken_line_is_an_error_or_goes_to_quarantine(written, tmp_path, line, problem):
    good = ['{"a":1,"b":"x"}'] * 200
    path = written("\n".join([*good, line, *good]), "t.jsonl")
    for partition_bytes in (500, 100_000):
        with pytest.raises(InputError) as raised:
            values(path, partition_bytes=partition_bytes)
        assert "t.jsonl' that cannot be read: 1. First, at line 201: " in str(raised.value)
        assert problem in str(raised.value)
        rows = read_table(
            path, schema=AB, quarantine=str(tmp_path / "bad"), partition_bytes=partition_bytes
        )
        assert len(rows) == 400
        (found,) = read_table(tmp_path / "bad").compute()["problem"]
        assert found.endswith(line)


@pytest.mark.parametrize(
    ("dtype", "first", "later", "read"),
    [
        ("float64", "10", "10.5", [10.0, 10.5]),
        ("float32", "null", "10.5", [None, 10.5]),
        ("int64", "null", str(2**62 + 1), [None, 2**62 + 1]),
        ("bool", "null", "true", [None, True]),
        ("string", '"2025-01-01"', '"none"', ["2025-01-01", "none"]),
        (
            "datetime",
            '"2025-01-01 12:00:00"',
            '"2025-01-01T12:00:00+02:00"',
            [pd.Timestamp("2025-01-01 12:00"), pd.Timestamp("2025-01-01 10:00")],
        ),
    ],
)
def test_a_schema_says_what_values_may_be_that_the_first_file_has_none_of(
    written, tmp_path, dtype, first, later, read
):
    for name, value in (("1", first), ("2", later)):
        written(f'{{"a":{value},"b":"x"}}\n', f"t/{name}.jsonl")
    schema = Schema([Column("a", dtype, nullable=True), Column("b", "string")])
    assert values(f"{tmp_path}/t", schema=schema) == [(value, "x") for value in read]
    assert values(f"{tmp_path}/t", schema=schema, columns=["a"]) == [(value,) for value in read]


@pytest.mark.parametrize(("first", "later"), [("10", "10.5"), ("null", "10.5"), ("null", "10")])
@pytest.mark.parametrize("files", [2, 40])
def test_numbers_of_later_files_fit_without_a_schema_too(written, tmp_path, first, later, files):
    texts = [first] * (files - 1) + [later]
    for number, text in enumerate(texts):
        written(f'{{"a":{text},"b":"x"}}\n', f"t/{number:03}.jsonl")
    read = read_table(f"{tmp_path}/t", as_text=True).compute()
    assert read["__problem"].isna().all()
    expected = [None if text == "null" else float(text) for text in texts]
    assert [row[0] for row in values(f"{tmp_path}/t")] == expected


def test_a_broken_later_file_is_told_of_when_it_is_read(written, tmp_path):
    written('{"a":1,"b":"x"}\n', "t/1.jsonl")
    written("broken\n", "t/2.jsonl")
    frame = read_table(f"{tmp_path}/t")
    with pytest.raises(InputError, match=r"2\.jsonl' that cannot be read: 1\. First, at line 1"):
        frame.compute()


def test_many_broken_lines_among_good_ones_are_all_found(written):
    objects = [json.dumps({"a": n}) if n % 3 else "{" for n in range(1, 100)]
    path = written("\n".join(objects), "t.jsonl")
    with pytest.raises(InputError, match=r"cannot be read: 33\. First, at line 3: "):
        values(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[{"a":1},\n{"a":2}]', "one JSON array"),
        ('hello\n{"a":1}\n', "first line of .* is no JSON object: hello"),
        ("{}\n{}\n", "have no fields"),
    ],
)
def test_json_that_is_no_lines_of_objects_says_so(written, content, words):
    with pytest.raises(InputError, match=words):
        values(written(content, "t.json"))


def test_lists_and_objects_stay_what_they_are(written):
    path = written('{"a":[1,2],"c":{"d":1}}\n', "t.jsonl")
    row = read_table(path).compute().iloc[0]
    assert (list(row["a"]), row["c"]) == ([1, 2], {"d": 1})


def test_two_readings_of_a_table_have_the_same_types_in_all_partitions(written):
    path = written("a,b\n1,x\n" + ",\n" * 50)
    frame = read_table(path, partition_bytes=10)
    assert frame.npartitions > 5
    found = {tuple(map(str, part.dtypes)) for part in dask.compute(*frame.to_delayed())}
    assert found == {tuple(map(str, frame.dtypes))}
