"""The plan of a job: what each stage takes of workers and disks, and whether all of it fits."""

from dataclasses import asdict, dataclass
from typing import Any

from dask.utils import format_bytes
from rich import box
from rich.console import Group
from rich.table import Table

from dmlkit.cluster.allocator import kept_by_workers
from dmlkit.cluster.sizes import WorkerSizes
from dmlkit.errors import PlanError
from dmlkit.html_tables import html_table
from dmlkit.workflow.readiness import Needs

__all__ = ["WORKER_ITSELF", "StagePlan", "WorkflowPlan"]

#: Bytes of a worker's process before there is any data: what it has imported.
WORKER_ITSELF = 347 << 20

#: Of a worker's limit: from the first on, Dask moves results to disk; at the second it pauses the
#: worker; at the third it ends it. (Dask's defaults; the plan is not exact enough for others.)
SPILLS, PAUSES, ENDS = 0.7, 0.8, 0.95


@dataclass(frozen=True)
class StagePlan:
    """What a stage takes, in bytes where nothing else is said.

    Attributes
    ----------
    name : str
    rows, partitions, partition_bytes : int
        Of its result; bytes of the largest partition in memory.
    shuffled : int
        What goes from worker to worker, or would with many of them.
    held : int
        Results that wait in a worker; they go to disk where memory is short.
    working : int
        What the tasks take that a worker does at once; it can't go to disk.
    beside : int
        Of the process that trains beside each worker.
    in_files : int
        Rows and bins that each worker keeps in files by plan.
    written : int
        Of the output folder.
    """

    name: str
    rows: int
    partitions: int
    partition_bytes: int
    shuffled: int = 0
    held: int = 0
    working: int = 0
    beside: int = 0
    in_files: int = 0
    written: int = 0

    @property
    def least(self) -> int:
        """The least memory of a worker that can do it, everything that can be on disk."""
        return WORKER_ITSELF + self.working

    def memory(self, limit: int) -> int:
        """Return the most that a worker with such a limit takes."""
        whole = self.least + self.held
        return max(self.least, min(whole, int(PAUSES * limit))) if limit else whole

    def spilled(self, limit: int) -> int:
        """Return what a worker with such a limit moves to disk."""
        over = limit and self.least + self.held > SPILLS * limit
        return self.in_files + (self.held if over else 0)


@dataclass(frozen=True)
class WorkflowPlan:
    """What a job takes of workers and disks, stage by stage.

    Attributes
    ----------
    workflow : str
    data : str or None
    there : WorkerSizes
        The workers that are reckoned with.
    stages : tuple of StagePlan
    exact : bool
        Whether the rows of the input are counted; those of text files are estimated.
    whole : bool
        Whether all stages are reckoned with, and not only the reading of the table.
    """

    workflow: str
    data: str | None
    there: WorkerSizes
    stages: tuple[StagePlan, ...]
    exact: bool = True
    whole: bool = True

    @property
    def needs(self) -> Needs:
        """What the job takes of disks."""
        limit = self.there.limit
        return Needs(
            output=sum(stage.written for stage in self.stages),
            spilled=max((stage.spilled(limit) for stage in self.stages), default=0),
        )

    def memory(self, stage: StagePlan) -> int:
        """Return the most that a worker takes in a stage.

        With what it has kept of earlier stages, which is free but not given back.
        """
        first = stage is self.stages[0]
        kept = 0 if first or not self.there.limit else kept_by_workers(self.there.limit)
        return stage.memory(self.there.limit) + kept

    @property
    def peak(self) -> int:
        """The most that a worker takes."""
        return max(map(self.memory, self.stages), default=0)

    @property
    def beside(self) -> int:
        """The most that a process takes that trains beside a worker."""
        return max((stage.beside for stage in self.stages), default=0)

    @property
    def hardest(self) -> StagePlan | None:
        """The stage that decides how much memory a worker must have."""
        return max(self.stages, key=lambda stage: stage.least, default=None)

    @property
    def fits(self) -> bool:
        """Whether no worker is ended for want of memory."""
        hardest, limit = self.hardest, self.there.limit
        return not limit or hardest is None or hardest.least <= ENDS * limit

    @property
    def advice(self) -> str:
        """What to do, in a sentence or two."""
        hardest, limit = self.hardest, self.there.limit
        if hardest is None:
            return "This workflow has no plan of its own: nothing is known of it beforehand."
        if not self.fits:
            fewer = " Fewer threads in each take less, too." if self.there.threads > 1 else ""
            return (
                f"It does not fit: the stage {hardest.name!r} takes "
                f"{format_bytes(hardest.least)} of each worker, whose limit is "
                f"{format_bytes(limit)}. Give each {format_bytes(int(hardest.least / SPILLS))}: "
                f"fewer workers, or more memory.{fewer} Smaller row groups (or files) of the table "
                "help where its partitions are large."
            )
        if self.needs.spilled:
            return (
                f"It fits, with up to {format_bytes(self.needs.spilled)} on the disk of each "
                "worker. More workers, or more memory, would make it faster."
            )
        if not self.whole:
            return "Reading the table fits; this workflow has no plan of what comes then."
        return "It fits."

    def check(self) -> None:
        """Raise a PlanError unless it fits."""
        if not self.fits:
            raise PlanError(
                f"The job {self.workflow!r} on {self.there}. {self.advice} With --anyway "
                "(run_workflow: anyway=True) it begins nevertheless."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as JSON-able values."""
        limit = self.there.limit
        return {
            "workflow": self.workflow,
            "data": self.data,
            **asdict(self.there),
            "fits": self.fits,
            "advice": self.advice,
            "exact": self.exact,
            "whole": self.whole,
            "peak": self.peak,
            **asdict(self.needs),
            "stages": [
                asdict(stage) | {"memory": self.memory(stage), "spilled": stage.spilled(limit)}
                for stage in self.stages
            ],
        }

    def lines(self) -> list[tuple[str, ...]]:
        """Return a row of text for each stage, under `HEADERS`."""
        limit = self.there.limit
        return [
            (
                stage.name,
                f"{stage.rows:,}" if stage.rows else "",
                f"{stage.partitions:,} x {_size(stage.partition_bytes)}",
                _size(stage.shuffled),
                _size(self.memory(stage)),
                _size(stage.spilled(limit)),
                _size(stage.written),
            )
            for stage in self.stages
        ]

    def facts(self) -> list[tuple[str, str]]:
        """Return what is told of the whole job."""
        share = f" ({self.peak / self.there.limit:.0%} of its limit)" if self.there.limit else ""
        return [
            ("workers", str(self.there)),
            ("a worker at its peak", f"{_size(self.peak)}{share}"),
            ("the process that trains", _size(self.beside) or "none"),
            ("disk of each worker", _size(self.needs.spilled) or "none"),
            ("output folder", _size(self.needs.output) or "a few MiB"),
            ("rows", "counted" if self.exact else "estimated"),
            ("advice", self.advice),
        ]

    def __str__(self) -> str:
        told = [HEADERS, *self.lines()]
        widths = [max(map(len, column)) for column in zip(*told, strict=True)]
        rows = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in told]
        return "\n".join([*rows, *(f"{what}: {value}" for what, value in self.facts())])

    def __rich__(self) -> Group:
        stages = Table(
            title=self._title(),
            title_justify="left",
            box=box.SIMPLE_HEAD,
            padding=(0, 1, 0, 0),
            pad_edge=False,
        )
        for place, header in enumerate(HEADERS):
            stages.add_column(header, justify="right" if place else "left", no_wrap=True)
        for line in self.lines():
            stages.add_row(*line)
        whole = Table(show_header=False, box=None)
        whole.add_column(style="bold", no_wrap=True)
        whole.add_column(overflow="fold")
        for what, value in self.facts():
            whole.add_row(what, value)
        return Group(stages, whole)

    def _repr_html_(self) -> str:
        stages = html_table(self.lines(), caption=self._title(), headers=HEADERS)
        return stages + html_table(self.facts())

    def _title(self) -> str:
        return f"{self.workflow} on {self.data or 'a table that it makes'}"


HEADERS = (
    "stage",
    "rows",
    "partitions",
    "shuffled",
    "memory",
    "to disk",
    "output",
)


def _size(number: int) -> str:
    """Write bytes with as many figures as an estimate has; nothing for none."""
    if number < 10 << 30:
        return f"{max(number >> 20, 1):,} MiB" if number else ""
    return f"{number >> 30:,} GiB"
