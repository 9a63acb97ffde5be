"""Starting a system's run in a process of its own, and ending it and all below it in time."""

import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

__all__ = ["NotMeasured", "measured"]

#: Where the package `benchmarks` lies.
ROOT = Path(__file__).parents[2]

#: What a system needs besides what dmlkit does.
PACKAGES = {"polars": "polars", "duckdb": "duckdb", "spark": "pyspark"}


class NotMeasured(Exception):  # noqa: N818
    """A run gave no figures; says why."""


def measured(
    system: str, warm_up: Path, source: Path, target: Path, limit: float
) -> dict[str, Any]:
    """Run a system; return what it printed.

    Raises
    ------
    NotMeasured
        Its package is not installed, it failed, or it took longer than `limit` seconds.
    """
    if (package := PACKAGES.get(system)) and not find_spec(package):
        raise NotMeasured(f"{package} is not installed: pip install -e '.[bench]'")
    command = [sys.executable, "-m", "benchmarks.windows.run", system]
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [*command, str(warm_up), str(source), str(target)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
        )
        try:
            output, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise NotMeasured(f"took longer than {limit:g} seconds, with its start") from None
        finally:
            _end(process)
        if process.returncode:
            errors.seek(0)
            raise NotMeasured(_reason(process.returncode, errors.read()))
    found: dict[str, Any] = json.loads(_last_line(output))
    return found


def _end(process: subprocess.Popen[str]) -> None:
    """End a process that is still running, and all that it has started."""
    if process.poll() is not None:
        return
    this = psutil.Process(process.pid)
    for each in [*this.children(recursive=True), this]:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def _reason(code: int, errors: str) -> str:
    if code < 0:
        return f"killed by signal {-code}; 9 mostly means that memory ran out"
    return _last_line(errors) or f"ended with {code}"


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")
