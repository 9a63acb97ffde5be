import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from distributed import Client, LocalCluster

from benchmarks import classical, time_windows
from benchmarks.windows.agreement import Sample, differences, sample_of
from benchmarks.windows.data import make_transactions
from benchmarks.windows.job import DAY, HOUR, JOBS, Windows, feature_types
from benchmarks.windows.results import Run, as_table, collect
from benchmarks.windows.run import MODULES
from benchmarks.windows.start import NotMeasured, measured
from benchmarks.windows.with_dmlkit import seconds_by_kind

PACKAGES = {"polars": "polars", "duckdb": "duckdb", "spark": "pyspark"}


@pytest.fixture(scope="module")
def with_ties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of transactions at 50 instants: often several of a customer at one."""
    random = np.random.default_rng(0)
    rows = 200
    hours = np.sort(random.choice(random.integers(0, 24 * 60, 50), rows))
    table = pd.DataFrame(
        {
            "tx_id": np.arange(rows),
            "ts": np.datetime64("2025-01-01", "us") + hours.astype("timedelta64[h]"),
            "customer_id": random.integers(0, 3, rows).astype("int32"),
            "terminal_id": random.integers(0, 4, rows).astype("int32"),
            "amount": random.integers(1, 9, rows).astype("float32"),
            "fraud": (random.random(rows) < 0.2).astype("int8"),
        }
    )
    folder = tmp_path_factory.mktemp("with-ties")
    for number, part in enumerate((table[:90], table[90:])):
        pyarrow.parquet.write_table(
            pa.Table.from_pandas(part, preserve_index=False), folder / f"part-{number}.parquet"
        )
    return folder


@pytest.fixture(scope="module")
def oracle(with_ties: Path) -> Sample:
    """What the features are, each window looked up by itself."""
    rows = pd.read_parquet(with_ties)
    rows["ts"] = rows["ts"].astype("datetime64[us]").astype("int64")
    columns = {name: rows[name].to_numpy() for name in rows}
    for windows in JOBS:
        for length, microseconds in windows.lengths.items():
            found = rows.apply(_features, axis=1, args=(rows, windows, microseconds))
            columns |= {windows.name(name, length): found[name] for name in windows.aggregates}
    types = feature_types()
    for name, kind in types.items():
        columns[name] = columns[name].to_numpy().astype("int32" if kind == "int32" else "float32")
    return Sample(len(rows), types, columns)


def _features(row: Any, rows: pd.DataFrame, windows: Windows, length: int) -> pd.Series:
    newest = row["ts"] - windows.delay
    inside = (rows["ts"] > newest - length) & (rows["ts"] <= newest)
    values = rows[windows.value][inside & (rows[windows.entity] == row[windows.entity])]
    values = values.astype("float64")
    return pd.Series({name: getattr(values, name)() for name in windows.aggregates})


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.parametrize("system", MODULES)
def test_rows_of_one_instant_see_each_other_in_every_system(
    system: str, with_ties: Path, oracle: Sample, tmp_path: Path, process_cluster: LocalCluster
) -> None:
    if system in PACKAGES:
        pytest.importorskip(PACKAGES[system])
    if system == "spark" and not shutil.which("java"):
        pytest.skip("Spark needs Java")
    if system == "dmlkit":
        Client(process_cluster)  # is current then, and taken instead of a cluster of its own
    with import_module(MODULES[system]).started() as job:
        job(with_ties, tmp_path / "table")
    assert differences(oracle, sample_of(tmp_path / "table")) == []


@pytest.mark.slow
@pytest.mark.cluster
def test_systems_are_measured_and_agree(tmp_path: Path) -> None:
    time_windows.main(
        [
            *("--rows", "2e4", "--repeat", "1", "--only", "dmlkit", "floor"),
            *("--folder", str(tmp_path / "data"), "--json", str(tmp_path / "results.json")),
        ]
    )
    results = json.loads((tmp_path / "results.json").read_text())
    assert [result["system"] for result in results] == ["dmlkit", "floor"]
    for result in results:
        assert result["rows"] == 20_000
        assert result["agrees"] is True
        assert result["differences"] == []
        assert result["seconds"] == result["seconds_all"][0] > 0
        assert result["peak_rss_bytes"] > 50_000_000
        assert result["versions"]["numba"]
        assert {"reading", "windows", "writing", "idle"} <= set(result["steps"])
    assert not (tmp_path / "data" / "output").exists()


@pytest.mark.cluster
def test_classical_models_are_measured_and_agree(
    tmp_path: Path, process_cluster: LocalCluster
) -> None:
    Client(process_cluster)  # is current then, and taken instead of a cluster of its own
    path = tmp_path / "results.json"
    systems = ("--only", "dmlkit", "scikit-learn")
    classical.main(["--rows", "3000", "--repeat", "1", *systems, "--json", str(path)])
    results = json.loads(path.read_text())
    assert [result["task"] for result in results[::2]] == list(classical.TASKS)
    assert all(result["agrees"] and result["ratio"] > 0 for result in results)


def _changed(sample: Sample, column: str, change: Callable[[np.ndarray], Any]) -> Sample:
    values = sample.columns[column].copy()
    values[7] = change(values[7])
    return replace(sample, columns=sample.columns | {column: values})


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("customer_id_amount_count_7d", lambda value: value + 1),
        ("customer_id_amount_max_7d", lambda value: value * np.float32(1 + 2e-7)),
        ("customer_id_amount_sum_30d", lambda value: value * np.float32(1 + 1e-5)),
        ("customer_id_amount_mean_30d", lambda _: np.nan),
        ("customer_id_amount_std_30d", lambda value: value + np.float32(1e-3)),
        ("terminal_id_fraud_mean_1d_delay_7d", lambda _: np.float32(0.0)),
        ("amount", lambda value: value + 1),
    ],
)
def test_a_wrong_value_is_found(
    oracle: Sample, column: str, change: Callable[[np.ndarray], Any]
) -> None:
    (told,) = differences(oracle, _changed(oracle, column, change))
    assert told.startswith(f"{column}: 1 of 200 rows differ, such as transaction 7: ")


def test_what_rounding_changes_is_no_difference(oracle: Sample) -> None:
    near = _changed(oracle, "customer_id_amount_sum_30d", lambda value: np.nextafter(value, 1e9))
    assert differences(oracle, near) == []


def test_missing_rows_and_other_types_are_found(oracle: Sample) -> None:
    assert differences(oracle, replace(oracle, rows=199)) == ["199 rows instead of 200"]
    types = oracle.types | {"customer_id_amount_count_7d": "int64"}
    (told,) = differences(oracle, replace(oracle, types=types))
    assert "customer_id_amount_count_7d int64" in told


def test_transactions_are_the_same_each_time_and_in_the_order_of_time(tmp_path: Path) -> None:
    folders = [make_transactions(tmp_path / name, 1_000, files=3) for name in ("a", "b")]
    first, again = (pd.read_parquet(folder) for folder in folders)
    pd.testing.assert_frame_equal(first, again)
    assert first["tx_id"].tolist() == list(range(1_000))
    assert first["ts"].is_monotonic_increasing
    assert first["ts"].max() - first["ts"].min() > pd.Timedelta(days=180)


def test_a_system_that_takes_too_long_or_fails_says_so(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    with pytest.raises(NotMeasured, match=r"longer than 0\.1 seconds"):
        measured("floor", nothing, nothing, tmp_path / "table", limit=0.1)
    with pytest.raises(NotMeasured, match="KeyError: 'abacus'"):
        measured("abacus", nothing, nothing, tmp_path / "table", limit=60)


def test_a_system_without_its_package_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.windows.start.find_spec", lambda _: None)
    with pytest.raises(NotMeasured, match=r"duckdb is not installed: pip install -e '\.\[bench\]'"):
        measured("duckdb", tmp_path, tmp_path, tmp_path / "table", limit=60)


def test_a_failed_system_has_a_row_without_figures() -> None:
    runs = {"dmlkit": [Run(seconds=2.0), Run(seconds=3.0)], "spark": [Run(failed="no Java")]}
    ours, theirs = collect(runs, rows=10)
    assert (ours["seconds"], ours["seconds_all"], ours["agrees"]) == (2.5, [2.0, 3.0], True)
    assert (theirs["seconds"], theirs["agrees"], theirs["failed"]) == (None, None, "no Java")
    assert as_table([ours, theirs]).row_count == 2


def test_seconds_of_tasks_are_told_by_what_they_do() -> None:
    def spent(action: str, start: float, stop: float) -> dict[str, Any]:
        return {"action": action, "start": start, "stop": stop}

    tasks = [
        {"key": "('read-1f', 0)", "startstops": [spent("compute", 0.0, 2.0)]},
        {"key": "('_cut-1f', 0)", "startstops": [spent("compute", 2.0, 3.0)]},
        {"key": "('_join-1f', 0)", "startstops": [spent("transfer", 3.0, 3.5)]},
        {"key": "('_join-1f', 1)", "startstops": [spent("compute", 4.0, 5.0)]},
        {"key": "('PartWriter-1f', 0)", "startstops": [spent("compute", 5.0, 8.0)]},
    ]
    assert seconds_by_kind(tasks, {"('PartWriter-1f', 0)": 1.0}) == {
        "reading": 2.0,
        "cutting": 2.0,
        "transfers": 0.5,
        "writing": 2.0,
        "windows": 1.0,
    }


@pytest.mark.parametrize("text", ["1.5", "0", "-3"])
def test_rows_that_are_no_number_of_rows_are_refused(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        time_windows.main(["--rows", text])
    assert "is no whole number from 1" in capsys.readouterr().err


def test_windows_are_as_long_as_their_names_say() -> None:
    units = {"h": HOUR, "d": DAY}
    for windows in JOBS:
        for name, length in windows.lengths.items():
            assert length == int(name[:-1]) * units[name[-1]]
