"""What a stage takes of workers: from the sizes of its tables to memory, shuffles and disks.

The copies that are reckoned with were measured in the fraud job on one and on ten million rows,
each stage on fresh workers (docs/guide.md has the figures beside the estimates).
"""

from dataclasses import dataclass, replace
from math import ceil

from dmlkit.boosting.memory import MemoryPlan
from dmlkit.cluster.sizes import WorkerSizes
from dmlkit.errors import InputError
from dmlkit.features.by_entity import ShufflePlan
from dmlkit.tables import read_table
from dmlkit.tables.duplicates import KEY_SORTED, bucket_count
from dmlkit.tables.facts import TableFacts, table_facts
from dmlkit.workflow.plan import WORKER_ITSELF, StagePlan

__all__ = [
    "PlannedTable",
    "check_stage",
    "plan_of_reading",
    "reading_stage",
    "shuffling_stage",
    "training_stage",
]

#: Copies of a partition in a task that reads it and makes something of it. The next one is read
#: meanwhile.
COPIES_READ, READ_AHEAD = 3.5, 1

#: Copies of a partition of the result in a task that puts one together out of pieces.
COPIES_JOINED = 5.5

#: Of these copies, for each thread of a worker but the first: they do not peak at the same time.
FURTHER_THREADS = 0.4

#: What is between two tasks is held by its worker, half of it by the one that takes it, too.
COPIES_ON_THE_WAY = 1.5

#: Bytes of a key on the way, where rows are checked for repeated ones.
KEY = 12

#: What `read_table` puts together into one partition.
PARTITION = 128 << 20

#: Bytes in files for each in memory, where there are no files yet.
IN_FILES = 0.3


@dataclass(frozen=True)
class PlannedTable:
    """A table in memory.

    Attributes
    ----------
    rows : int
    row : float
        Bytes of a row.
    partitions : int
    largest : int
        Bytes of the largest partition.
    packed : float
        Bytes in files for each in memory. What is made of a table packs about as well.
    """

    rows: int
    row: float
    partitions: int
    largest: int
    packed: float = IN_FILES

    @classmethod
    def of(cls, *tables: TableFacts) -> "PlannedTable":
        """Return the table that files are read as, one or several behind each other."""
        rows = sum(facts.rows for facts in tables)
        row = sum(facts.bytes for facts in tables) / max(rows, 1)
        partitions = sum(len(facts.parts) for facts in tables)
        largest = max(facts.largest for facts in tables)
        stored = [facts.packed * facts.bytes for facts in tables if facts.packed is not None]
        packed = sum(stored) / max(rows * row, 1) if len(stored) == len(tables) else IN_FILES
        return cls(rows, row, partitions, largest, packed)

    @classmethod
    def even(
        cls, rows: int, row: float, partitions: int, packed: float = IN_FILES
    ) -> "PlannedTable":
        """Return a table whose partitions are equal."""
        return cls(rows, row, partitions, ceil(rows / partitions * row), packed)

    @property
    def bytes(self) -> int:
        """Of all partitions."""
        return ceil(self.rows * self.row)

    def some(self, rows: int, row: float | None = None) -> "PlannedTable":
        """Return a table of some rows in the same partitions, perhaps of other columns."""
        row = self.row if row is None else row
        largest = ceil(self.largest * row / self.row) if self.row else 0
        return replace(self, rows=rows, row=row, largest=largest)

    def kept(self) -> "PlannedTable":
        """Return the table as it is read again from the files of its partitions."""
        together = max(PARTITION // self.largest, 1) if self.largest else 1
        together = min(together, self.partitions)
        partitions = ceil(self.partitions / together)
        return replace(self, partitions=partitions, largest=self.largest * together)

    @property
    def written(self) -> int:
        """Bytes in files, more or less."""
        return ceil(self.bytes * self.packed)

    def on_one(self, there: WorkerSizes) -> int:
        """Return the bytes of the partitions of the worker that has the most."""
        return ceil(self.bytes * ceil(self.partitions / there.workers) / max(self.partitions, 1))


def reading_stage(
    name: str,
    there: WorkerSizes,
    reads: PlannedTable,
    *,
    gives: PlannedTable | None = None,
    held: int = 0,
    written: int = 0,
) -> StagePlan:
    """Return the plan of a stage that walks through a table, partition by partition.

    Parameters
    ----------
    name : str
    there : WorkerSizes
    reads : PlannedTable
    gives : PlannedTable, optional
        The result, where it is another one.
    held : int
        Bytes of results that each worker keeps.
    written : int
        Bytes that go into files.
    """
    gives = reads if gives is None else gives
    return StagePlan(
        name,
        rows=gives.rows,
        partitions=gives.partitions,
        partition_bytes=gives.largest,
        held=held,
        working=_reading(reads, there),
        written=written,
    )


def check_stage(name: str, there: WorkerSizes, reads: PlannedTable, *, unique: bool) -> StagePlan:
    """Return the plan of a stage that checks each row, and whether keys repeat."""
    found = reading_stage(name, there, reads)
    if not unique:
        return found
    sorted_at_once = reads.rows / bucket_count(reads.partitions, reads.row)
    return replace(
        found,
        shuffled=KEY * reads.rows,
        held=KEY * reads.rows // there.workers,
        working=found.working + ceil(KEY_SORTED * sorted_at_once),
    )


def shuffling_stage(
    name: str,
    there: WorkerSizes,
    reads: PlannedTable,
    shuffles: list[ShufflePlan],
    gives: PlannedTable,
) -> StagePlan:
    """Return the plan of a stage that brings rows together, once or several times, and is kept.

    Parameters
    ----------
    name : str
    there : WorkerSizes
    reads : PlannedTable
    shuffles : list of ShufflePlan
    gives : PlannedTable
        What comes out at the end.
    """
    if not shuffles:
        return reading_stage(name, there, reads, gives=gives, written=gives.written)
    between = [reads.some(reads.rows, shuffles[0].before)]
    between += [  # what the last one makes is written at once
        PlannedTable.even(reads.rows, shuffle.after, shuffle.partitions)
        for shuffle in shuffles[:-1]
    ]
    held = max(table.on_one(there) for table in between)
    joined = ceil(COPIES_JOINED * _at_once(gives, there) * gives.largest)
    return StagePlan(
        name,
        rows=gives.rows,
        partitions=gives.partitions,
        partition_bytes=gives.largest,
        shuffled=sum(table.bytes for table in between),
        held=ceil(COPIES_ON_THE_WAY * held),
        working=max(joined, _reading(reads, there)),
        written=gives.written,
    )


def training_stage(
    name: str, there: WorkerSizes, reads: PlannedTable, training: MemoryPlan
) -> StagePlan:
    """Return the plan of a stage that trains on rows of a kept table."""
    if not training.fits:
        training = training.in_files()
    held = 0 if training.external_memory else training.raw
    return StagePlan(
        name,
        rows=training.rows,
        partitions=reads.partitions,
        partition_bytes=reads.largest,
        held=held,
        working=max(_reading(reads, there), training.of_worker - WORKER_ITSELF - held),
        beside=training.of_process,
        in_files=ceil(training.on_disk / training.team),
    )


def plan_of_reading(data: str, there: WorkerSizes) -> tuple[list[StagePlan], bool]:
    """Return a plan of nothing but reading a table, for workflows that have none of their own."""
    try:
        facts = table_facts(read_table(data))
    except InputError:  # a folder of several tables, which the workflow tells apart
        return [], False
    return [reading_stage("reading the table", there, PlannedTable.of(facts))], facts.exact


def _reading(table: PlannedTable, there: WorkerSizes) -> int:
    """Return what tasks of a worker hold that read partitions."""
    ahead = READ_AHEAD if table.partitions > there.workers * there.threads else 0
    return ceil((COPIES_READ * _at_once(table, there) + ahead) * table.largest)


def _at_once(table: PlannedTable, there: WorkerSizes) -> float:
    """Return how many partitions count in full of those that a worker's threads are at."""
    busy = min(there.threads, ceil(table.partitions / there.workers))
    return 1 + FURTHER_THREADS * (busy - 1)
