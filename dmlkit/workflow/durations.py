"""How long stages took in earlier runs: told of in manifests, and remembered for this user.

What is remembered is a few lines for each workflow in a file of the user's cache folder
(``DMLKIT_CACHE``; otherwise ``~/.cache/dmlkit``). It only helps to tell the time left, so nothing
fails where it cannot be read or written.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dmlkit.tables.folders import find_folder
from dmlkit.workflow.store import StageRecord

__all__ = ["earlier_runs", "input_size", "remember_run"]

#: Runs of a workflow that are remembered.
KEPT = 12

Remembered = dict[str, Any]


def earlier_runs(
    out: Path | str, workflow: str, elsewhere: Mapping[str, Any] | None = None
) -> list[Remembered]:
    """Return earlier runs of a workflow, the newest last, as `dmlkit.observe.earlier` takes them.

    Parameters
    ----------
    out : Path or str
        Where a manifest may be of the last run into the same folder.
    workflow : str
    elsewhere : mapping, optional
        The seconds, and rows, of a run elsewhere, which counts where there is no other.
    """
    remembered = _read(_file(workflow))
    found = _of_manifest(out, workflow)
    runs = [each for each in remembered if each != found] + ([found] if found else [])
    return runs or ([{**elsewhere, "elsewhere": True}] if elsewhere else [])


def remember_run(
    workflow: str, records: Iterable[StageRecord], inputs: Sequence[Mapping[str, Any]]
) -> None:
    """Remember a finished run for later ones; stages that were taken over took no time."""
    stages = list(records)
    if any(record.state != "done" for record in stages):
        return
    told = _told(
        ((record.name, record.seconds, record.rows) for record in stages), input_size(inputs)
    )
    file = _file(workflow)
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [json.dumps(each) for each in [*_read(file), told][-KEPT:]]
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        temporary.replace(file)


def input_size(inputs: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the bytes of input files; None where they are not known."""
    sizes = [file.get("bytes") for file in inputs]
    return sum(size for size in sizes if size) if sizes and None not in sizes else None


def _of_manifest(out: Path | str, workflow: str) -> Remembered | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        manifest = json.loads(find_folder(out).read("manifest.json"))
        if manifest["workflow"] == workflow:
            stages = ((each["name"], each["seconds"], each["rows"]) for each in manifest["stages"])
            whole = manifest["input_files"] == len(manifest["inputs"])
            return _told(stages, input_size(manifest["inputs"]) if whole else None)
    return None


def _told(stages: Iterable[tuple[str, float, int | None]], size: int | None) -> Remembered:
    told = list(stages)
    return {
        "seconds": {name: seconds for name, seconds, _ in told},
        "rows": {name: rows for name, _, rows in told if rows},
        "size": size,
    }


def _read(file: Path) -> list[Remembered]:
    with contextlib.suppress(OSError, ValueError):
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return []


def _file(workflow: str) -> Path:
    own = os.environ.get("DMLKIT_CACHE")
    shared = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(own) if own else Path(shared) / "dmlkit"
    name = "".join(letter if letter.isalnum() else "-" for letter in workflow)
    return folder / f"durations-{name}.jsonl"
