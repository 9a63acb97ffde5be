"""A small table of card transactions, quick settings, and the command line in this process."""

import contextlib
import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from dmlkit.cli import main
from dmlkit.tables.generate import card_transactions

#: A job on the small table takes seconds, and still learns something.
QUICK = (
    "split.train_days=21",
    "split.validation_days=7",
    "split.test_days=14",
    "model.n_estimators=20",
    "model.learning_rate=0.3",
    "model.max_bin=256",
    "evaluation.replicates=20",
)

QUICK_OPTIONS = tuple(part for setting in QUICK for part in ("--set", setting))


@dataclass(frozen=True)
class Outcome:
    """What a command did: its exit code and what it printed."""

    code: int
    stdout: str
    stderr: str


def dmlkit(*arguments: str | Path) -> Outcome:
    """Run ``dmlkit`` with arguments in this process."""
    stdout, stderr = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
    return Outcome(code, stdout.getvalue(), stderr.getvalue())


def small_table() -> pd.DataFrame:
    """About 29,000 transactions of 60 days."""
    table = card_transactions(customers=250, terminals=500, days=60).compute()
    return table.reset_index(drop=True)


def write_in_parts(
    table: pd.DataFrame, folder: Path, files: int, rows_in_group: int | None = None
) -> None:
    """Write a table as so many Parquet files."""
    folder.mkdir(parents=True)
    size = -(-len(table) // files)
    for number in range(files):
        part = table.iloc[number * size : (number + 1) * size]
        part.to_parquet(
            folder / f"part-{number:03d}.parquet", index=False, row_group_size=rows_in_group
        )


def files_below(folder: Path) -> dict[str, bytes]:
    """Return what lies in a folder, hidden files too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
