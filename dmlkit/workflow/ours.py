"""What tells an output of jobs from somebody's files of the same names."""

import json
from typing import Any

from dmlkit.tables.folders import Folder, find_folder

__all__ = ["is_of_a_job"]


def is_of_a_job(folder: Folder) -> bool:
    """Tell whether a job wrote the manifest, or the records of stages, in a folder or prefix.

    The names alone tell nothing: web pages have a ``manifest.json``, pipelines have ``stages``.
    """
    if {"workflow", "artefacts"} <= _keys(folder, "manifest.json"):
        return True
    stages = find_folder(f"{folder.uri}/stages")
    names = stages.subfolders("")
    records = [name for name in names if name.endswith(".json")]
    if any({"name", "fingerprint", "state"} <= _keys(stages, name) for name in records):
        return True
    return not names and folder.exists("stages")  # a job failed before it kept anything


def _keys(folder: Folder, name: str) -> set[str]:
    try:
        content: Any = json.loads(folder.read(name))
    except (OSError, ValueError):
        return set()
    return set(content) if isinstance(content, dict) else set()
