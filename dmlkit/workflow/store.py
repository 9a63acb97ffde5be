"""Results of finished stages on disk, so that a job resumes after the last one that still holds."""

import contextlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dmlkit.tables.folders import LocalFolder, find_folder
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


class StageStore:
    """What is below ``stages``: ``NAME.json`` tells of a finished stage, ``NAME`` is its result.

    The record is written after the result: one with a fingerprint means that the result is whole.

    Parameters
    ----------
    out : Path or str
        The output folder of the job, or its address in a store.
    """

    def __init__(self, out: Path | str) -> None:
        self._folder = find_folder(f"{out}/stages")

    def finished(self, stage: Stage, fingerprint: str) -> StageRecord | None:
        """Return the record of a finished stage, or None when it must be redone."""
        try:
            record = StageRecord(**json.loads(self._folder.read(_record(stage))))
        except (OSError, ValueError, TypeError):
            return None
        if record.fingerprint != fingerprint:
            return None
        if stage.keep is not None and not self._folder.exists(stage.name):
            return None
        record.state = "resumed"
        return record

    def result(self, stage: Stage) -> Path | str:
        """Return where the kept result of a stage is; its folder is there."""
        if not isinstance(self._folder, LocalFolder):
            return f"{self._folder.uri}/{stage.name}"
        Path(self._folder.uri).mkdir(exist_ok=True)
        return Path(self._folder.uri, stage.name)

    def begin(self, stage: Stage) -> None:
        """Remove the record of a stage, then its result.

        Where a result is to be kept, a record of no fingerprint tells whose folder it is: a job
        that is killed leaves half of one.
        """
        if stage.keep is None:
            self._folder.remove(_record(stage))
        else:
            self.finish(stage, StageRecord(stage.name, "", state="begun"))
        self._folder.remove_folder(stage.name)

    def sweep(self) -> None:
        """Remove the records where no result is kept: alone they spare no work."""
        with contextlib.suppress(Exception):  # the store is away; what led here is to be told
            if all(path.endswith(".json") and "/" not in path for path in self._folder.files()):
                self._folder.remove_folder("")

    def finish(self, stage: Stage, record: StageRecord) -> None:
        """Write the record of a stage: its result is in place, or it has none yet."""
        content = json.dumps(asdict(record), indent=1)
        self._folder.write(_record(stage), content.encode())


def _record(stage: Stage) -> str:
    return f"{stage.name}.json"
