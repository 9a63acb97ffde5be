"""``manifest.json``: what ran on what, with which settings, how long, and what was lost."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import dask

from dmlkit.graph import for_each
from dmlkit.tables.folders import find_folder
from dmlkit.tables.object_store import open_store
from dmlkit.workflow.store import StageRecord

__all__ = ["checksums", "checksums_in_store", "stage_entries", "versions", "write_json"]

#: Files of the input that a manifest lists by name; of larger tables it keeps the count.
LISTED_FILES = 100

PACKAGES = (
    "dmlkit",
    "dask",
    "distributed",
    "xgboost",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "deltalake",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that results depend on."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    return found | {name: importlib.metadata.version(name) for name in PACKAGES}


def stage_entries(records: Iterable[StageRecord]) -> list[dict[str, Any]]:
    """Return the records of stages as JSON-able dictionaries."""
    return [asdict(record) for record in records]


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file under a folder, by its path inside it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): _sha256(path) for path in files}


def checksums_in_store(uri: str) -> dict[str, str]:
    """Return the SHA-256 of each object below a prefix of a store, by its path inside it.

    Workers read them, as they wrote them: tables may be large, and the client far from the store.
    """
    names = sorted(find_folder(uri).files())
    found = dask.compute(for_each(_sha256_in_store, names, uri))[0] if names else []
    return dict(zip(names, found, strict=True))


def write_json(path: Path, content: Any) -> None:
    """Write JSON for people (indented) so that a reader sees the old file or the new one."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    temporary.replace(path)


def _sha256_in_store(name: str, uri: str) -> str:
    filesystem, root = open_store(uri)
    with filesystem.open(f"{root}/{name}", "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
