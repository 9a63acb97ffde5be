"""Fingerprints of inputs, settings and code, so that a stage is redone when one of them changed."""

import hashlib
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec

__all__ = ["fingerprint", "fingerprint_code", "input_files"]


def fingerprint(*values: Any) -> str:
    """Return a digest of JSON-able values; equal values give equal digests, in any process.

    Examples
    --------
    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def fingerprint_code(function: Callable[..., Any]) -> str:
    """Return a digest of the module that a function is written in."""
    module = inspect.getmodule(function)
    try:
        source = inspect.getsource(module if module is not None else function)
    except (OSError, TypeError):
        source = repr(function)  # typed into a shell: no source to compare
    return hashlib.sha256(source.encode()).hexdigest()[:32]


def input_files(path: str | None) -> list[dict[str, Any]]:
    """List the files under a path, folder or glob with what changes when they are rewritten.

    Parameters
    ----------
    path : str or None
        None for a job that makes its own data: an empty list.

    Returns
    -------
    list of dict
        ``path``, ``bytes`` and ``version`` (time of change, or the store's own tag), by path.
    """
    if path is None:
        return []
    filesystem, location = fsspec.core.url_to_fs(path)
    if "*" in location:
        found = {name: filesystem.info(name) for name in filesystem.glob(location)}
    elif filesystem.isdir(location):
        found = filesystem.find(location, detail=True)
    else:
        found = {location: filesystem.info(location)} if filesystem.exists(location) else {}
    return [
        {"path": name, "bytes": info.get("size"), "version": _version(info)}
        for name, info in sorted(found.items())
        if not _hidden(name, location)
    ]


def _version(info: dict[str, Any]) -> str:
    for key in ("ETag", "etag", "mtime", "LastModified", "created"):
        if info.get(key):
            return str(info[key])
    return ""


def _hidden(name: str, root: str) -> bool:
    inside = Path(name.removeprefix(root.rstrip("/") + "/"))
    return any(part.startswith(".") for part in inside.parts)
