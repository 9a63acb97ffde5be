"""Point-in-time window features, Parquet in and out: dmlkit beside polars, DuckDB and Spark.

``python -m benchmarks.time_windows [--rows 1e7] [--repeat 3] [--only SYSTEM ...] [--json FILE]
[--folder DIR] [--limit 1800]``. The floor is what the job costs without Dask and pandas. Each run
has a process of its own; systems take turns, and results are compared. Needs the extra ``bench``.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks.measure import write_results
from benchmarks.windows.agreement import Sample, differences, sample_of
from benchmarks.windows.data import make_transactions
from benchmarks.windows.results import Run, as_lines, as_table, collect
from benchmarks.windows.run import MODULES
from benchmarks.windows.start import NotMeasured, measured

WARM_UP_ROWS, WARM_UP_FILES = 8_000, 8


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the systems in turns, print the table, write the JSON."""
    options = _parser().parse_args(arguments)
    with _folder(options.folder) as folder:
        runs = run_all(folder, options.rows, options.repeat, options.only, options.limit)
    results = collect(runs, options.rows)
    console = Console()
    console.print(as_table(results))
    for line in as_lines(results):
        console.print(line, highlight=False, markup=False)
    if options.json:
        write_results(options.json, results)


def run_all(
    folder: Path, rows: int, repeat: int, systems: Sequence[str], limit: float
) -> dict[str, list[Run]]:
    """Run each system once in each round; one that fails is left out of the rounds to come."""
    source = make_transactions(folder / f"transactions-{rows}", rows)
    warm_up = make_transactions(folder / "warm-up", WARM_UP_ROWS, WARM_UP_FILES)
    runs: dict[str, list[Run]] = {system: [] for system in systems}
    expected: Sample | None = None
    for number in range(repeat):
        for system in systems:
            if any(run.failed for run in runs[system]):
                continue
            print(f"{system}: run {number + 1} of {repeat}", flush=True)
            with _emptied(folder / "output") as output:
                run, found = run_once(system, warm_up, source, output / "table", limit)
                expected = expected or found
                if expected and found:
                    run.differences = differences(expected, found)
            runs[system].append(run)
    return runs


def run_once(
    system: str, warm_up: Path, source: Path, target: Path, limit: float
) -> tuple[Run, Sample | None]:
    """Run a system; return what was measured, and of its result what is compared."""
    try:
        run = Run(**measured(system, warm_up, source, target, limit))
    except NotMeasured as error:
        return Run(failed=str(error)), None
    return run, sample_of(target)


@contextmanager
def _folder(path: Path | None) -> Iterator[Path]:
    """Yield the folder for data, which is kept, or a temporary one, which is not."""
    if path:
        yield path.resolve()
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


@contextmanager
def _emptied(folder: Path) -> Iterator[Path]:
    """Make a folder for the time of the context."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=_whole_number, default=10_000_000, help="such as 1e7")
    parser.add_argument("--repeat", type=_whole_number, default=3, help="runs of each system")
    parser.add_argument("--only", nargs="+", choices=MODULES, default=[*MODULES], metavar="SYSTEM")
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--folder", type=Path, help="for the input, which is kept there")
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds that a run may take")
    return parser


def _whole_number(text: str) -> int:
    number = float(text)
    if number < 1 or number != int(number):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1; write 1000 or 1e3")
    return int(number)


if __name__ == "__main__":
    main()
