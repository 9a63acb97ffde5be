"""Fingerprints of inputs, settings and code, so that a stage is redone when one of them changed."""

import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import fsspec

import dmlkit
from dmlkit.workflow.own_files import own_files

__all__ = ["fingerprint", "fingerprint_code", "fingerprint_package", "input_files"]


def fingerprint(*values: Any) -> str:
    """Return a digest of JSON-able values; equal values give equal digests, in any process.

    Examples
    --------
    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    return _digest(json.dumps(values, sort_keys=True, default=str))


def fingerprint_code(
    function: Callable[..., Any], others: Iterable[Callable[..., Any]] = ()
) -> str:
    """Return a digest of the code that a stage runs, as far as its author wrote it.

    It is the function's module, without `others`: the stages in it, each of which has a digest of
    its own; and what it imports from its own folder (see `own_files`). Of a notebook, it is the
    functions typed into it.
    """
    module = inspect.getmodule(function)
    if module is None:
        return _digest(_source(function))
    if not getattr(module, "__file__", None):
        return _digest(_source(function), *_typed(module, others))
    text = _source(module)
    for other in others:
        if other is not function and inspect.getmodule(other) is module:
            text = text.replace(_source(other), "")
    folder = Path(str(module.__file__)).resolve().parent
    files = own_files(module)
    return _digest(text, *(f"{file.relative_to(folder)}\0{_content(file)}" for file in files))


@functools.cache
def fingerprint_package() -> str:
    """Return a digest of dmlkit's own code, without the workflows."""
    folder = Path(dmlkit.__file__).parent
    files = sorted(folder.rglob("*.py"))
    return _digest(
        *(
            file.read_text("utf-8")
            for file in files
            if "workflows" not in file.relative_to(folder).parts
        )
    )


def _typed(module: ModuleType, others: Iterable[Callable[..., Any]]) -> list[str]:
    """Return the source of what was typed into a notebook, but for the stages there."""
    stages = list(others)
    return [
        _source(value)
        for _, value in sorted(vars(module).items())
        if (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
        and value not in stages
    ]


def _content(file: Path) -> str:
    return file.read_text("utf-8", errors="backslashreplace")  # it may be compiled


def _source(code: Any) -> str:
    try:
        return inspect.getsource(code)
    except (OSError, TypeError):
        return repr(code)  # typed into a shell: no source to compare


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]


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
    filesystem.invalidate_cache()  # others write there, too
    matches = filesystem.glob(location) if {"*", "?"} & set(location) else [location]
    found: dict[str, dict[str, Any]] = {}
    for match in matches:
        inside = _files_at(filesystem, match)
        found |= {name: info for name, info in inside.items() if not _hidden(name, match)}
    return [
        {"path": name, "bytes": info.get("size"), "version": _version(info)}
        for name, info in sorted(found.items())
    ]


def _files_at(filesystem: Any, location: str) -> dict[str, dict[str, Any]]:
    """Return what is known of the files that a path without wildcards means.

    A folder tells nothing of its files: it stays the same when one of them is rewritten.
    """
    if filesystem.isdir(location):
        files: dict[str, dict[str, Any]] = filesystem.find(location, detail=True)
        return files
    return {location: filesystem.info(location)} if filesystem.exists(location) else {}


def _version(info: dict[str, Any]) -> str:
    for key in ("ETag", "etag", "mtime", "LastModified", "created"):
        if info.get(key):
            return str(info[key])
    return ""


def _hidden(name: str, root: str) -> bool:
    inside = Path(name.removeprefix(root.rstrip("/") + "/"))
    return any(part.startswith(".") for part in inside.parts)
