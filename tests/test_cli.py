"""The command line: what goes in and out, exit codes, and one clear message for what is wrong."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.jobs import QUICK_OPTIONS, Outcome, dmlkit, files_below, write_in_parts

Run = Callable[..., Outcome]


@pytest.fixture
def run(scheduler: str, tmp_path: Path) -> Run:
    """Run the fraud job into OUT = tmp_path/out on the shared cluster."""

    def run_(*arguments: str | Path) -> Outcome:
        out = () if "--out" in arguments else ("--out", tmp_path / "out")
        return dmlkit("run", "fraud-detection", "--scheduler", scheduler, *out, *arguments)

    return run_


@pytest.fixture
def few(transactions: pd.DataFrame) -> pd.DataFrame:
    """The first 3,000 transactions: enough for what is checked before features are made."""
    return transactions.head(3000).copy()


def is_clear(outcome: Outcome, *facts: str, code: int = 1) -> None:
    """Assert that a command failed with one message that has these facts, and no traceback."""
    assert outcome.code == code, outcome.stderr
    assert outcome.stderr.count("Error:") == 1, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert "distributed" not in outcome.stderr
    message = outcome.stderr[outcome.stderr.index("Error:") :]
    for fact in facts:
        assert re.search(fact, message), f"{fact!r} is not in:\n{message}"


def is_gone(out: Path, *, but: tuple[str, ...] = ()) -> None:
    """Assert that a failed job left nothing in a new folder, but perhaps its quarantine."""
    left = sorted(path.name for path in out.iterdir()) if out.exists() else []
    assert left == sorted(but)


# What a command prints


def test_help_has_examples_and_exit_codes() -> None:
    outcome = dmlkit("--help")
    assert outcome.code == 0
    assert "dmlkit score out/model --data" in outcome.stdout
    assert "130 stopped" in outcome.stdout


@pytest.mark.parametrize("group", [[], ["clusters"]])
def test_a_command_that_needs_another_one_shows_what_there_is(group: list[str]) -> None:
    outcome = dmlkit(*group)
    assert (outcome.code, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith("Usage: dmlkit")
    assert "Commands:" in outcome.stderr


def test_help_of_run_has_examples_and_says_how_settings_are_given() -> None:
    outcome = dmlkit("run", "--help")
    assert "--set split.test_days=14" in outcome.stdout
    assert "dmlkit workflows" in outcome.stdout
    assert all(len(line) <= 100 for line in outcome.stdout.splitlines())


def test_json_output_is_one_object_and_nothing_else(finished_job: Path) -> None:
    document = json.loads((finished_job.parent / "stdout.json").read_text())
    assert document["status"] == "done"
    assert document["metrics"] == json.loads((finished_job / "metrics.json").read_text())
    assert Path(document["report"]).is_file()


def test_stages_are_told_in_plain_lines_where_there_is_no_terminal(finished_job: Path) -> None:
    told = (finished_job.parent / "stderr.txt").read_text()
    stages = re.findall(r"✓ \d/8 (\w+)", told)
    expected = "read validate features split train score evaluate publish"
    assert " ".join(stages) == expected
    assert "\x1b" not in told


def test_workflows_are_listed_with_their_settings() -> None:
    outcome = dmlkit("workflows")
    assert re.search(r"fraud-detection +Card transactions in", outcome.stdout)
    assert "fraud_handbook.toml" in outcome.stdout
    assert "fraud-detection" in json.loads(dmlkit("workflows", "--json").stdout)["workflows"]


def test_a_schema_is_inferred_as_toml(transactions_path: Path) -> None:
    outcome = dmlkit("schema", "infer", transactions_path)
    assert outcome.code == 0
    assert re.search(r'name = "amount", dtype = "float64"', outcome.stdout)


# Wrong use


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["run", "fraud-detektion"], "nearest: 'fraud-detection'"),
        (["run", "fraud-detection", "--sett", "a=1"], "--sett.*--set"),
        (["run"], "Missing argument 'NAME'"),
        (["rum"], "No such command 'rum'"),
        (["score", "model"], "Missing option '--data'"),
        (["run", "fraud-detection", "--set", "split.tran_days=3"], "nearest: 'split.train_days'"),
        (["run", "fraud-detection", "--set", "modle.max_depth=3"], "nearest: 'model'"),
        (["run", "fraud-detection", "--set", "split.train_days=-1"], "'split.train_days' is -1"),
        (["run", "fraud-detection", "--set", "split"], "key.sub=value"),
        (["run", "fraud-detection", "--set", "split.delay_days=9"], "delay_days = 9 days"),
    ],
)
def test_wrong_use_is_told_before_anything_starts(arguments: list[str], fact: str) -> None:
    is_clear(dmlkit(*arguments), fact, code=2)


def test_wrong_use_is_told_to_machines_too() -> None:
    for arguments in (["run", "fraud-detektion"], ["run", "fraud-detection", "--sett", "a=1"]):
        outcome = dmlkit(*arguments, "--json")
        assert outcome.code == 2
        assert json.loads(outcome.stdout)["status"] == "failed"


def test_broken_settings_are_told_with_file_and_line(run: Run, tmp_path: Path) -> None:
    settings = tmp_path / "job.toml"
    settings.write_text("[split]\ntrain_days = \n")
    is_clear(run("--config", settings), "job.toml' is not valid TOML", "line 2", code=2)


def test_a_missing_settings_file_names_the_one_beside_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "fraud.toml").write_text("")
    outcome = run("--config", tmp_path / "farud.toml")
    is_clear(outcome, "no configuration file", "Did you mean .*fraud.toml")


# Wrong paths


def test_data_that_is_not_there(run: Run, tmp_path: Path) -> None:
    is_clear(run("--data", tmp_path / "none"), "none'")
    is_gone(tmp_path / "out")


def test_an_output_path_that_is_a_file(run: Run, transactions_path: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    is_clear(run("--data", transactions_path), "is a file; --out takes a folder")
    assert (tmp_path / "out").read_text() == "mine"


def test_an_output_path_below_a_file(run: Run, transactions_path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    outcome = run("--data", transactions_path, "--out", tmp_path / "file" / "out")
    is_clear(outcome, "Cannot make the folder", "Not a directory")


def test_an_output_folder_of_somebody(run: Run, transactions_path: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    is_clear(run("--data", transactions_path), "1 files that no job wrote", "thesis.txt")
    assert files_below(tmp_path / "out") == {"thesis.txt": b"years of work"}


def test_an_output_folder_that_cannot_be_written(run: Run, transactions_path: Path) -> None:
    is_clear(run("--data", transactions_path, "--out", "/proc/out"), "/proc/out")


def test_a_scheduler_that_does_not_answer(transactions_path: Path, tmp_path: Path) -> None:
    options = ("--data", transactions_path, "--out", tmp_path / "out")
    outcome = dmlkit("run", "fraud-detection", *options, "--scheduler", "tcp://127.0.0.1:9")
    is_clear(outcome, "No Dask scheduler answers at 'tcp://127.0.0.1:9'", "dask scheduler")
    is_gone(tmp_path / "out")


# Bad tables


def test_a_missing_column_names_the_nearest(run: Run, few: pd.DataFrame, tmp_path: Path) -> None:
    few.rename(columns={"amount": "amuont"}).to_parquet(tmp_path / "table.parquet")
    outcome = run("--data", tmp_path / "table.parquet")
    is_clear(outcome, "table.parquet' has no column 'amount'", "nearest: 'amuont'", "Columns:")
    is_gone(tmp_path / "out")


def test_a_column_of_a_wrong_type(run: Run, few: pd.DataFrame, tmp_path: Path) -> None:
    few.assign(amount=few["time"]).to_parquet(tmp_path / "table.parquet")
    outcome = run("--data", tmp_path / "table.parquet")
    is_clear(outcome, "'amount'", "table.parquet", "datetime64", "such as 2025", "float64")
    is_gone(tmp_path / "out")


def test_too_many_rows_with_a_duplicate_key(run: Run, few: pd.DataFrame, tmp_path: Path) -> None:
    few.loc[100:199, "transaction_id"] = 7
    few.to_parquet(tmp_path / "table.parquet")
    outcome = run("--data", tmp_path / "table.parquet")
    is_clear(outcome, "100 of 3,000", r"3\.33%", "duplicate key", "transaction_id=7", "quarantine")
    is_gone(tmp_path / "out", but=("quarantine",))
    assert len(pd.read_parquet(tmp_path / "out" / "quarantine")) == 100


def test_too_many_rows_of_the_future(run: Run, few: pd.DataFrame, tmp_path: Path) -> None:
    few.loc[:, "time"] += pd.Timedelta(days=36_500)
    few.to_parquet(tmp_path / "table.parquet")
    outcome = run("--data", tmp_path / "table.parquet")
    is_clear(outcome, "3,000 of 3,000", "time: in the future", "2124-", "quarantine")


def test_too_many_bad_values_of_text(run: Run, few: pd.DataFrame, tmp_path: Path) -> None:
    few = few.astype({"amount": "object"})
    few.loc[2900:2999, "amount"] = "a lot"
    few.to_csv(tmp_path / "table.csv", index=False)
    outcome = run("--data", tmp_path / "table.csv")
    is_clear(outcome, "100 of 3,000", "amount: not a float64", "amount=a lot", "table.csv")
    assert set(pd.read_parquet(tmp_path / "out" / "quarantine")["amount"]) == {"a lot"}


def test_too_many_ragged_rows(run: Run, few: pd.DataFrame, tmp_path: Path) -> None:
    lines = few.to_csv(index=False).splitlines()
    lines[1000:1100] = [line + ",surplus" for line in lines[1000:1100]]
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    outcome = run("--data", tmp_path / "table.csv")
    is_clear(outcome, "100 of 3,000", "ragged or broken row", "table.csv")
    assert len(pd.read_parquet(tmp_path / "out" / "quarantine")) == 100


@pytest.mark.parametrize("name", ["empty.csv", "empty.parquet"])
def test_an_empty_file(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    is_clear(run("--data", tmp_path / name), name, "empty")
    is_gone(tmp_path / "out")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_without_rows(run: Run, few: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table.{suffix}"
    none = few.head(0)
    none.to_csv(path, index=False) if suffix == "csv" else none.to_parquet(path)
    is_clear(run("--data", path), f"table.{suffix}", "no rows")
    is_gone(tmp_path / "out")


def test_a_truncated_parquet_file(run: Run, transactions: pd.DataFrame, tmp_path: Path) -> None:
    folder = tmp_path / "table"
    write_in_parts(transactions, folder, files=2)
    whole = (folder / "part-001.parquet").read_bytes()
    (folder / "part-001.parquet").write_bytes(whole[: len(whole) // 2])
    is_clear(run("--data", folder), "part-001.parquet")
    is_gone(tmp_path / "out")


def test_a_parquet_file_that_is_damaged_inside(
    run: Run, transactions: pd.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "table"
    write_in_parts(transactions, folder, files=2)
    content = bytearray((folder / "part-001.parquet").read_bytes())
    content[1000:60_000] = b"\xff" * 59_000
    (folder / "part-001.parquet").write_bytes(content)
    is_clear(run("--data", folder), "part-001.parquet")
    is_gone(tmp_path / "out")


def test_a_folder_of_several_formats(run: Run, few: pd.DataFrame, tmp_path: Path) -> None:
    folder = tmp_path / "table"
    write_in_parts(few, folder, files=1)
    few.to_csv(folder / "more.csv", index=False)
    is_clear(run("--data", folder), "csv", "parquet")
    is_gone(tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads all files")
def test_a_file_that_may_not_be_read(run: Run, few: pd.DataFrame, tmp_path: Path) -> None:
    few.to_parquet(tmp_path / "table.parquet")
    (tmp_path / "table.parquet").chmod(0)
    is_clear(run("--data", tmp_path / "table.parquet"), "table.parquet", "[Pp]ermission")


def test_a_table_shorter_than_the_split(run: Run, few: pd.DataFrame, tmp_path: Path) -> None:
    few.to_parquet(tmp_path / "table.parquet")
    outcome = run("--data", tmp_path / "table.parquet")
    is_clear(outcome, "2025-01-0", r"split\.|days")


def test_a_table_without_frauds(run: Run, transactions: pd.DataFrame, tmp_path: Path) -> None:
    transactions.assign(fraud=0).to_parquet(tmp_path / "table.parquet")
    outcome = run("--data", tmp_path / "table.parquet", *QUICK_OPTIONS)
    is_clear(outcome, "train part has .* rows, 0 of them positive", "split.train_days")


# Some bad rows


def test_a_few_bad_rows_are_left_out_and_told(
    run: Run, transactions: pd.DataFrame, tmp_path: Path
) -> None:
    table = transactions.copy()
    table.loc[10:19, "amount"] = -1.0
    table.loc[30, "transaction_id"] = 0
    table.to_parquet(tmp_path / "table.parquet")
    out = tmp_path / "out"
    outcome = run("--data", tmp_path / "table.parquet", *QUICK_OPTIONS)
    assert outcome.code == 0, outcome.stderr
    assert re.search(
        rf"! 11 of {len(table):,} rows are bad.*10 with amount: below 0", outcome.stderr
    )
    assert json.loads((out / "metrics.json").read_text())["table.bad_rows"] == 11
    manifest = json.loads((out / "manifest.json").read_text())
    assert "11 of" in manifest["warnings"][0]
    assert manifest["stages"][1]["notes"]["reasons"] == {
        "amount: below 0.0": 10,
        "duplicate key (transaction_id)": 1,
    }
    assert len(pd.read_parquet(out / "quarantine")) == 11
    again = run("--data", tmp_path / "table.parquet", "--resume", *QUICK_OPTIONS)
    assert "! 11 of" in again.stderr
    assert "11 of" in json.loads((out / "manifest.json").read_text())["warnings"][0]


# What a training takes


def test_a_plan_is_told(transactions_path: Path) -> None:
    outcome = dmlkit(
        "plan", transactions_path, "--without", "fraud", "--workers", "2", "--memory", "4GiB"
    )
    assert outcome.code == 0, outcome.stderr
    assert re.search(r"rows x features +│ [\d,]+ x \d ", outcome.stdout)
    assert "It fits." in outcome.stdout
    assert max(map(len, outcome.stdout.splitlines())) <= 80


def test_a_plan_for_machines(transactions_path: Path, transactions: pd.DataFrame) -> None:
    outcome = dmlkit("plan", transactions_path, "--workers", "2", "--memory", "64MiB", "--json")
    found = json.loads(outcome.stdout)
    assert (found["rows"], found["processes"], found["fits"]) == (len(transactions), 1, False)
    assert found["of_worker"] > found["limit"] == 64 << 20


@pytest.mark.parametrize(
    ("arguments", "what", "code"),
    [
        (["--without", "frauds"], "'frauds'", 1),
        (["--memory", "lots"], "no amount of memory", 2),
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], "has its workers", 2),
    ],
)
def test_a_plan_that_cannot_be_made(
    transactions_path: Path, arguments: list[str], what: str, code: int
) -> None:
    is_clear(dmlkit("plan", transactions_path, *arguments), what, code=code)
