"""Writers that are killed: whether a table keeps what it had, and gets what it is given, whole.

``python -m benchmarks.writes [--kills 200] [--seed 0] [--store local s3] [--json FILE]``. In each
trial two processes write to one table at the same time and one of them gets SIGKILL at a random
moment of its write: while it uploads, before, in, or after its commit. Then the table is read. The
table tells kills, those before the commit (early), rows lost, rows doubled, writes there in part,
files left after the next write, and ends that nobody foresaw.
"""

import argparse
import itertools
import multiprocessing
import os
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.measure import versions_of, write_results
from tests.tables.stores import make_bucket, s3_server, variables

PARTITIONS, PART_ROWS = 5, 400
ROWS = PARTITIONS * PART_ROWS
#: What is written by which mode; a table is there before but for the first.
MODES = {
    "create": "error",
    "append": "append",
    "overwrite": "overwrite",
    "partitions": "overwrite_partitions",
}
BASE, VICTIM, OTHER, LAST = 0, 1, 2, 3
#: A writer that takes longer hangs.
PATIENCE = 120.0


@dataclass(frozen=True)
class Trial:
    """What two writers and a kill have made of a table."""

    store: str
    write: str
    kill_after: float
    victim_done: bool
    victim_committed: bool
    rows_lost: int
    rows_duplicated: int
    half_writes: int
    files_left: int
    unclear: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Kill writers, print the table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", nargs="+", choices=["local", "s3"], default=["local", "s3"])
    parser.add_argument("--json")
    options = parser.parse_args(arguments)
    trials = run_trials(options.kills, options.seed, options.store)
    Console().print(as_table(trials))
    if options.json:
        versions = versions_of(["deltalake", "s3fs", "pyarrow", "dask"])
        write_results(options.json, [asdict(trial) | {"versions": versions} for trial in trials])


def run_trials(kills: int, seed: int, stores: Sequence[str]) -> list[Trial]:
    """Run so many trials, each kind of write in each store in turn."""
    random = np.random.default_rng(seed)
    multiprocessing.set_forkserver_preload(
        ["dask.dataframe", "dmlkit.tables.publish", "dmlkit.tables.read", "s3fs"]
    )
    trials = []
    with ExitStack() as stack:
        roots = {store: stack.enter_context(_place(store)) for store in stores}
        kinds = list(itertools.product(stores, MODES))
        lasts = {kind: _undisturbed(roots[kind[0]], kind) for kind in kinds}
        for number in range(kills):
            store, write = kinds[number % len(kinds)]
            delay = float(random.uniform(0.0, 1.1 * lasts[store, write]))
            trials.append(trial(f"{roots[store]}/{number}", store, write, delay))
    return trials


def trial(path: str, store: str, write: str, delay: float) -> Trial:
    """Let two processes write, kill one after a delay, and read what is there."""
    if write != "create":
        assert _await(_Writer(BASE, path, write, mode="error")) == "done"
    victim, other = (_Writer(batch, path, write, waits=True) for batch in (VICTIM, OTHER))
    _let_go(victim, other)
    time.sleep(delay)
    victim.process.kill()
    ends = {VICTIM: _await(victim), OTHER: _await(other)}
    rows, committed = _rows_by_batch(path), len(_tokens(path))
    # One more write finds the orphans, and shows that the table can still be written to.
    last = _await(_Writer(LAST, path, write, mode="append"))
    unclear = "" if ends[OTHER] in ("done", "refused") and last == "done" else f"{ends} {last}"
    lost, half = judge(write, rows, ends)
    return Trial(
        store=store,
        write=write,
        kill_after=round(delay, 3),
        victim_done=ends[VICTIM] == "done",
        victim_committed=committed > (write != "create") + (ends[OTHER] == "done"),
        rows_lost=lost,
        rows_duplicated=sum(max(0, count - ROWS) for count in rows.values()),
        half_writes=half,
        files_left=_files_left(path),
        unclear=unclear,
    )


def judge(write: str, rows: Counter[int], ends: dict[int, str]) -> tuple[int, int]:
    """Return the rows that should be there and aren't, and how many writes are there in part.

    Examples
    --------
    >>> judge("append", Counter({BASE: ROWS, OTHER: ROWS}), {VICTIM: "killed", OTHER: "done"})
    (0, 0)
    >>> judge("append", Counter({BASE: ROWS, VICTIM: 7}), {VICTIM: "killed", OTHER: "done"})
    (2000, 1)
    """
    half = sum(0 < count < ROWS for count in rows.values())
    acknowledged = [batch for batch, end in ends.items() if end == "done"]
    if write == "append":
        return sum(ROWS - min(rows[batch], ROWS) for batch in [BASE, *acknowledged]), half
    # Of writes that replace a table, or make it, one is the last, and nothing else is there.
    whole = [batch for batch, count in rows.items() if count >= ROWS]
    expected = {VICTIM, OTHER} if acknowledged else {VICTIM, OTHER, BASE}
    if not whole and not acknowledged and write == "create":
        return 0, half
    lost = 0 if set(whole) & expected else ROWS
    return lost, half + (len(whole) > 1)


class _Writer:
    """A process that writes a batch, and tells how far it is.

    Each has a pipe of its own: an event that both wait for can't be had any more where one of them
    is killed as it takes it.
    """

    def __init__(
        self, batch: int, path: str, write: str, mode: str | None = None, waits: bool = False
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        self.told, tell = context.Pipe()
        environment = {name: value for name, value in os.environ.items() if name[:4] == "AWS_"}
        options = {
            "mode": MODES[write] if mode is None else mode,
            "partition_by": "part" if write == "partitions" else None,
        }
        self.process = context.Process(
            target=_write, args=(batch, path, options, waits, tell, environment)
        )
        self.process.start()
        tell.close()


def _let_go(*writers: _Writer) -> None:
    """Let writers begin at the same time, once all of them are ready."""
    for writer in writers:
        assert writer.told.recv() == "ready"
    for writer in writers:
        writer.told.send("go")


def _await(writer: _Writer) -> str:
    """Return how a writer ended: done, refused, killed, or what went wrong."""
    writer.process.join(PATIENCE)
    if writer.process.is_alive():
        writer.process.kill()
        return "hangs"
    told = "killed"
    try:
        while True:
            told = writer.told.recv()
    except (EOFError, ConnectionResetError):
        return "killed" if told == "ready" else told


def _write(
    batch: int,
    path: str,
    options: dict[str, Any],
    waits: bool,
    tell: Any,
    environment: dict[str, str],
) -> None:
    """Write the rows of a batch (in a process of its own)."""
    os.environ.update(environment)
    import dask
    import dask.dataframe as dd

    from dmlkit.errors import DmlkitError
    from dmlkit.tables import write_table

    frame = dd.from_map(_part, range(PARTITIONS), batch=batch, meta=_part(0, batch).iloc[:0])
    if waits:
        tell.send("ready")
        tell.recv()
    try:
        with dask.config.set(scheduler="synchronous"):
            write_table(frame, path, **options)
        tell.send("done")
    except DmlkitError as error:
        tell.send("refused" if options["mode"] == "error" else f"refused: {error}")
    except Exception as error:
        tell.send(f"failed: {error!r}")


def _part(number: int, batch: int) -> Any:
    import pandas as pd

    rows = np.arange(PART_ROWS) + number * PART_ROWS
    return pd.DataFrame({"batch": batch, "row": rows, "part": 0})


def _rows_by_batch(path: str) -> Counter[int]:
    from dmlkit.errors import MissingFileError
    from dmlkit.tables import read_table
    from dmlkit.tables.commit import is_table
    from dmlkit.tables.folders import find_folder

    try:
        if not is_table(find_folder(path)):
            return Counter()
        batches = read_table(path).batch.compute(scheduler="synchronous")
    except MissingFileError:
        return Counter()
    return Counter({int(batch): int(count) for batch, count in batches.value_counts().items()})


def _files_left(path: str) -> int:
    """Return how many files of no committed write are left."""
    from dmlkit.tables.folders import find_folder

    committed = _tokens(path)
    files = [name for name in find_folder(path).files() if not name.startswith("_delta_log/")]
    return sum(not any(token in name for token in committed) for name in files)


def _tokens(path: str) -> list[str]:
    """Return the token of each write that has been committed."""
    from dmlkit.tables.commit import TOKEN, is_table, open_table
    from dmlkit.tables.folders import find_folder

    folder = find_folder(path)
    return [entry[TOKEN] for entry in open_table(folder).history()] if is_table(folder) else []


def _undisturbed(root: str, kind: tuple[str, str]) -> float:
    """Return the seconds that a write takes when nobody is killed."""
    path = f"{root}/undisturbed-{'-'.join(kind)}"
    if kind[1] != "create":
        _await(_Writer(BASE, path, kind[1], mode="error"))
    writers = [_Writer(batch, path, kind[1], waits=True) for batch in (VICTIM, OTHER)]
    _let_go(*writers)
    began = time.monotonic()
    for writer in writers:
        writer.process.join(PATIENCE)
    return time.monotonic() - began


@contextmanager
def _place(store: str) -> Iterator[str]:
    """Give a place for tables: a temporary folder, or a bucket of a server that is started."""
    if store == "local":
        with tempfile.TemporaryDirectory() as folder:
            yield str(Path(folder))
        return
    with s3_server() as environment, variables(environment):
        yield make_bucket(environment, "writes")


def as_table(trials: Sequence[Trial]) -> Table:
    """Return what came of each kind of write."""
    of = defaultdict(list)
    for each in trials:
        of[each.store, each.write].append(each)
    table = Table(title=f"{len(trials)} kills of one of two writers")
    for name in ("store", "write"):
        table.add_column(name)
    sums = ("rows_lost", "rows_duplicated", "half_writes", "files_left")
    for name in ("kills", "early", "lost", "doubled", "half", "files", "unclear"):
        table.add_column(name, justify="right")
    for (store, write), those in of.items():
        totals = [str(sum(getattr(each, name) for each in those)) for name in sums]
        before = sum(not each.victim_committed for each in those)
        unclear = sum(bool(each.unclear) for each in those)
        table.add_row(store, write, str(len(those)), str(before), *totals, str(unclear))
    return table


if __name__ == "__main__":
    main()
