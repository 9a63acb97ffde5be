"""Results of finished stages on disk, so that a job resumes after the last one that still holds."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dmlkit.workflow.job import Stage

__all__ = ["StageRecord", "StageStore"]


@dataclass
class StageRecord:
    """What a stage did: kept for resuming, and told in the manifest."""

    name: str
    fingerprint: str
    state: str = "done"
    rows: int | None = None
    bytes: int | None = None
    seconds: float = 0.0
    notes: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class StageStore:
    """The folder ``stages``: ``NAME.json`` says that a stage is finished, ``NAME/`` is its result.

    The record is written after the result, so a record means that the result is whole.
    """

    folder: Path

    def finished(self, stage: Stage, fingerprint: str) -> StageRecord | None:
        """Return the record of a finished stage, or None when it must be redone."""
        try:
            record = StageRecord(**json.loads(self._record(stage).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        if record.fingerprint != fingerprint:
            return None
        if stage.keep is not None and not self.result(stage).exists():
            return None
        record.state = "resumed"
        return record

    def result(self, stage: Stage) -> Path:
        """Return where the kept result of a stage is."""
        return self.folder / stage.name

    def forget(self, stage: Stage) -> None:
        """Remove the record of a stage, then its result."""
        self._record(stage).unlink(missing_ok=True)
        shutil.rmtree(self.result(stage), ignore_errors=True)

    def sweep(self) -> None:
        """Remove the folder where no result is kept: records alone spare no work."""
        if all(path.suffix == ".json" for path in self.folder.glob("*")):
            shutil.rmtree(self.folder, ignore_errors=True)

    def finish(self, stage: Stage, record: StageRecord) -> None:
        """Write the record of a stage whose result is in place."""
        self.folder.mkdir(exist_ok=True)
        temporary = self.folder / f".{stage.name}.json"
        temporary.write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")
        temporary.replace(self._record(stage))

    def _record(self, stage: Stage) -> Path:
        return self.folder / f"{stage.name}.json"
