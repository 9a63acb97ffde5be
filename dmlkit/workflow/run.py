"""What a stage sees of the job it is part of, and what a finished job tells."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dmlkit.html_tables import html_table
from dmlkit.observe import Listener, Notice
from dmlkit.observe.history import history_in_words
from dmlkit.tables.folders import find_folder
from dmlkit.workflow.store import StageRecord

__all__ = ["Result", "Run"]


@dataclass
class Run:
    """What a stage sees of the job it is part of.

    Attributes
    ----------
    configuration : BaseModel
        The settings.
    data : str or None
        The path of the table, None for one that the workflow makes itself.
    out : Path or str
        The output folder, or its address in an object store.
    staging : Path
        Where artefacts are written; they appear in `out` when the whole job is done. Tables go to
        `table`.
    records : dict of StageRecord
        What earlier stages noted, by their names.
    """

    workflow: str
    configuration: Any
    data: str | None
    out: Path | str
    staging: Path
    tables: str
    records: dict[str, StageRecord] = field(default_factory=dict)
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    _current: StageRecord | None = None
    _listener: Listener = lambda _event: None
    _history: Callable[[], dict[str, Any]] = dict

    def note(self, *, rows: int | None = None, bytes: int | None = None, **facts: Any) -> None:  # noqa: A002
        """Keep facts of the running stage: in its record, in the manifest, for later stages."""
        assert self._current is not None
        self._current.rows = self._current.rows if rows is None else int(rows)
        self._current.bytes = self._current.bytes if bytes is None else int(bytes)
        self._current.notes.update(facts)

    def table(self, name: str) -> str:
        """Return where `write_table` puts a table among the artefacts: workers reach it."""
        return f"{self.tables}/{name}"

    @property
    def quarantine(self) -> str:
        """Where bad rows go, which stay even if the job fails."""
        return f"{self.out}/quarantine"

    def warn(self, text: str) -> None:
        """Tell a person something, now, in the report and in the manifest."""
        assert self._current is not None
        self._current.warnings.append(text)
        self._listener(Notice(text))

    def befell(self) -> list[tuple[str, str]]:
        """Return what befell the run so far, for the report: workers lost, trainings restarted."""
        return history_in_words(self._history())

    @property
    def warnings(self) -> list[str]:
        """What was warned of so far, in this run or in stages taken over from an earlier one."""
        return [text for record in self.records.values() for text in record.warnings]


@dataclass(frozen=True)
class Result:
    """Where a finished job left its artefacts, and its manifest."""

    out: Path | str
    manifest: dict[str, Any]

    @property
    def report(self) -> Path | str:
        """The HTML report, where the workflow writes one."""
        return f"{self.out}/report.html" if isinstance(self.out, str) else self.out / "report.html"

    def has(self, name: str) -> bool:
        """Tell whether there is an artefact of that name."""
        return name in self.manifest["artefacts"]

    def metrics(self) -> dict[str, float]:
        """Return what is in ``metrics.json``; nothing where the workflow writes none."""
        if not self.has("metrics.json"):
            return {}
        metrics: dict[str, float] = json.loads(find_folder(self.out).read("metrics.json"))
        return metrics

    def _repr_html_(self) -> str:
        stages = [
            (stage["name"], stage["state"], _counted(stage["rows"]), f"{stage['seconds']:,.1f}")
            for stage in self.manifest["stages"]
        ]
        # The bounds of an interval stand beside what they are of.
        metrics = self.metrics()
        figures = [
            (name, _figure(value), _interval(metrics, name))
            for name, value in metrics.items()
            if not name.endswith((".low", ".high"))
        ]
        lost = len(self.manifest["workers_lost"])
        facts = [("output", str(self.out)), ("workers lost", str(lost))]
        caption = f"{self.manifest['workflow']}, {self.manifest['finished']}"
        return (
            html_table(facts, caption=caption)
            + html_table(stages, headers=("stage", "state", "rows", "seconds"))
            + html_table(figures)
        )


def _counted(rows: int | None) -> str:
    return "" if rows is None else f"{rows:,}"


def _figure(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, int | float) else str(value)


def _interval(metrics: dict[str, float], name: str) -> str:
    bounds = [metrics.get(f"{name}.{end}") for end in ("low", "high")]
    return "" if None in bounds else " to ".join(map(_figure, bounds))
