"""What a training takes of each worker's memory, told before it begins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dask.utils import format_bytes

from dmlkit.boosting.matrices import KEPT_VALUES, batch_rows

__all__ = ["MemoryPlan", "TableSize", "bytes_of_bins", "plan_memory"]

#: Bytes that a worker and a process that trains take before there is any data.
WORKER_ITSELF, PROCESS_ITSELF = 280 << 20, 170 << 20

#: Bytes of a value in rows as they come, and of a row's label, weight and the like.
VALUE = 4

#: Bytes that XGBoost holds for a row besides its bins (label, gradient and Hessian, margin, its
#: node), and for each bin of a histogram.
ROW, BIN = 36, 16

#: Copies of a partition while it is loaded and checked, by each thread, and of a batch while
#: matrices are built, by the worker and by the process that trains.
COPIES_OF_PARTITION, COPIES_OF_WORKER, COPIES_OF_PROCESS = 3, 3, 2

#: What XGBoost holds of a column's values to find its bins: of each row so much, and at most.
SKETCH_OF_ROW, SKETCH = 16, 1 << 20

#: Pages of bins in files that XGBoost holds at once.
PAGES = 4

#: Bytes of a partition where their number is not known: that of `read_table`.
PARTITION = 128 << 20

#: Of a worker's limit, what it may take before Dask moves data to disk and pauses it; and of what
#: its machine or container has, what it and the process beside it may take before one is ended.
SHARE_OF_LIMIT, SHARE_OF_ROOM = 0.7, 0.9


@dataclass(frozen=True)
class TableSize:
    """The rows and columns of a table for training or evaluation, and its partitions if known."""

    rows: int
    features: int
    partitions: int | None = None

    @property
    def partition_bytes(self) -> int:
        """How large a partition is, more or less."""
        raw = self.rows * self.features * VALUE
        return min(raw, PARTITION) if self.partitions is None else raw // max(self.partitions, 1)


@dataclass(frozen=True)
class MemoryPlan:
    """What a training takes of each worker's memory: bytes, where nothing else is said.

    Attributes
    ----------
    rows, features : int
        Of the training table.
    processes : int
        Those that train.
    team : int
        The workers of a machine whose rows and threads each of them has.
    limit : int
        Of the worker that may take the least; 0 without one.
    room : int
        For a worker and its part of the process together; 0 where it is not known.
    raw : int
        Rows as they come, four bytes a value, of all tables: those of each worker.
    loading : int
        Copies of partitions while they are loaded.
    batch : int
        Rows that are given to XGBoost at once; several copies are held.
    bins : int
        Rows as the trees see them, by row and by column.
    page : int
        The same of a batch: of bins in files, some pages are read ahead.
    gradients : int
        What is held for each row besides.
    histograms : int
    allreduce : int
        What a worker sends and gets in a round of the deepest tree.
    external_memory : bool
        Whether rows and bins are kept in files.
    """

    rows: int
    features: int
    processes: int
    team: int
    limit: int
    room: int
    raw: int
    loading: int
    batch: int
    bins: int
    page: int
    gradients: int
    histograms: int
    allreduce: int
    external_memory: bool = False

    @property
    def of_worker(self) -> int:
        """The most that the worker's own process takes: this is held against its limit."""
        held = 0 if self.external_memory else self.raw
        # Of rows in files, the process that trains makes the batches itself.
        batches = 0 if self.external_memory else COPIES_OF_WORKER * self.batch
        return WORKER_ITSELF + held + max(self.loading, batches)

    @property
    def of_process(self) -> int:
        """The most that the process that trains takes beside it."""
        training = self.histograms + self.gradients
        held = PAGES * self.page if self.external_memory else self.bins
        building = self.sketches + (self.kept or COPIES_OF_PROCESS * self.batch)
        return PROCESS_ITSELF + held + max(building, training)

    @property
    def sketches(self) -> int:
        """What the process holds to find the bins of all columns."""
        rows = -(-self.rows // max(self.processes, 1))
        return self.features * min(SKETCH_OF_ROW * rows, SKETCH)

    @property
    def kept(self) -> int:
        """Rows that the process keeps while it builds its matrix, where they are few."""
        few = self.raw // VALUE <= KEPT_VALUES and not self.external_memory
        return self.team * self.raw if few else 0

    @property
    def peak(self) -> int:
        """The most that a process and the workers of its machine take together."""
        return self.team * self.of_worker + self.of_process

    @property
    def on_disk(self) -> int:
        """What is kept in files of the worker that trains."""
        return self.team * self.raw + self.bins if self.external_memory else 0

    @property
    def fits(self) -> bool:
        """Whether Dask pauses no worker, and the system ends none of the processes."""
        return self._worker_fits and self._both_fit

    @property
    def _worker_fits(self) -> bool:
        return not self.limit or self.of_worker <= SHARE_OF_LIMIT * self.limit

    @property
    def _both_fit(self) -> bool:
        return not self.room or self.peak <= SHARE_OF_ROOM * self.team * self.room

    @property
    def advice(self) -> str:
        """What to do, in a sentence or two."""
        if not self.rows:
            return "There are no rows to train on."
        if self.fits:
            return "It fits." if not self.external_memory else "It fits, with files on disk."
        if not self.external_memory and self.in_files().fits:
            return (
                "It does not fit into memory: rows and bins will be kept in files of the workers "
                f"(external_memory), {format_bytes(self.in_files().on_disk)} on each. "
                "More workers would make it faster."
            )
        if not self._both_fit:
            needed = format_bytes(int(self.peak / SHARE_OF_ROOM))
            return (
                f"It does not fit: {self._both} need {needed} together of their machine or "
                "container. Give them that, or start more workers elsewhere."
            )
        needed = format_bytes(int(self.of_worker / SHARE_OF_LIMIT))
        return f"It does not fit: give each worker {needed}, or start more of them."

    @property
    def _both(self) -> str:
        return f"{self._workers} and the process that trains"

    @property
    def _workers(self) -> str:
        return "a worker" if self.team == 1 else f"{self.team:,} workers of a machine"

    def in_files(self) -> "MemoryPlan":
        """Return the plan of the same training with external memory."""
        return replace(self, external_memory=True)

    def __str__(self) -> str:
        return "\n".join(f"{what:<34} {value}" for what, value in self.lines())

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align: left; white-space: nowrap">{what}</th>'
            f'<td style="text-align: left">{value}</td></tr>'
            for what, value in self.lines()
        )
        return f"<table>{rows}</table>"

    def lines(self) -> list[tuple[str, str]]:
        """Return what is told, each with its figures."""
        limit = format_bytes(self.limit) if self.limit else "none"
        where = "in files" if self.external_memory else "in memory"
        return [
            ("rows x features", f"{self.rows:,} x {self.features:,}"),
            ("processes that train", f"{self.processes:,}, each for {self._workers}"),
            ("limit of the smallest worker", limit),
            (f"rows of each worker, {where}", format_bytes(self.raw)),
            ("partitions while they are loaded", format_bytes(self.loading)),
            ("a worker at its peak", format_bytes(self.of_worker)),
            (f"bins of each process, {where}", format_bytes(self.bins)),
            ("gradients and the like of each", format_bytes(self.gradients)),
            ("histograms of each", format_bytes(self.histograms)),
            ("a batch while matrices are built", format_bytes(self.batch)),
            ("sent by each in a round", format_bytes(self.allreduce)),
            ("a process that trains, at its peak", format_bytes(self.of_process)),
            ("advice", self.advice),
        ]


def bytes_of_bins(rows: int, features: int, max_bin: int) -> int:
    """Return what rows take as bins: XGBoost has them by row and by column.

    Examples
    --------
    >>> bytes_of_bins(1000, 40, 256), bytes_of_bins(1000, 40, 1024)
    (88000, 168000)
    """
    return rows * (2 * features * (1 if max_bin <= 256 else 2) + 8)


def plan_memory(
    training: TableSize,
    evaluations: Sequence[TableSize],
    parameters: Mapping[str, Any],
    *,
    processes: int,
    limit: int,
    team: int = 1,
    room: int = 0,
    threads: int = 1,
    outputs: int = 1,
) -> MemoryPlan:
    """Tell what a training takes of each worker.

    Parameters
    ----------
    training : TableSize
    evaluations : sequence of TableSize
    parameters : mapping
        Of an estimator: `max_bin` and `max_depth` count.
    processes : int
        Those that train.
    limit : int
        Bytes that the worker with the least may take; 0 without a limit.
    team : int
        The workers of a machine whose rows and threads a process has.
    room : int
        Bytes that are there for a worker and its part of the process; 0 where it is not known.
    threads : int
        Of each worker.
    outputs : int
        Trees of a round: the classes, where there are more than two.

    Examples
    --------
    >>> plan = plan_memory(TableSize(10_000_000, 40), [], {}, processes=2, limit=2 * 2**30)
    >>> plan.raw, plan.bins, plan.fits
    (800000000, 440000000, True)
    """
    bins = int(parameters.get("max_bin") or 256)
    depth = max(0, int(parameters.get("max_depth") or 6))  # what is wrong, XGBoost says
    tables = [training, *evaluations]
    rows = [-(-table.rows // processes) for table in tables]
    values = sum(count * table.features for count, table in zip(rows, tables, strict=True))
    histogram = training.features * bins * BIN
    nodes = min(1 << depth, max(rows[0], 1))
    batch = min(rows[0], batch_rows(training.features)) * training.features * VALUE
    return MemoryPlan(
        rows=training.rows,
        features=training.features,
        processes=processes,
        team=team,
        limit=limit,
        room=room,
        raw=-(-values // team) * VALUE,
        loading=COPIES_OF_PARTITION * threads * max(table.partition_bytes for table in tables),
        batch=batch,
        bins=sum(
            bytes_of_bins(count, table.features, bins)
            for count, table in zip(rows, tables, strict=True)
        ),
        page=bytes_of_bins(min(rows[0], batch_rows(training.features)), training.features, bins),
        gradients=sum(rows) * ROW * outputs,
        # The nodes of a tree, and those of a level once more for each thread that fills them.
        histograms=histogram * (nodes + team * threads * nodes // 2),
        # One of two children is counted, the other is what is left of its parent.
        allreduce=histogram * nodes // 2 * outputs if processes > 1 else 0,
    )
