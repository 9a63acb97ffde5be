"""Whether client, scheduler and workers have the same versions of what they send each other."""

import importlib.metadata
import platform
from collections.abc import Mapping
from typing import Any

from distributed import Client

from dmlkit.errors import ClusterError

__all__ = ["check_versions", "versions_here"]

#: With another version of these, what is sent isn't understood: the whole number counts.
EXACT = ("dask", "distributed", "dmlkit")
#: With another one of these, results or files may differ: the first two numbers count.
ROUGH = ("numpy", "pandas", "pyarrow", "xgboost")
#: Who hasn't answered by then is busy or frozen; a job doesn't wait for the comparison.
PATIENCE = 15.0
#: How to say that a package isn't there.
NONE = "none"


def versions_here() -> dict[str, str]:
    """Return the versions of Python and of the packages that must agree, where this runs."""
    found = {"python": platform.python_version()}
    for package in (*EXACT, *ROUGH):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = NONE
    return found


def check_versions(client: Client) -> None:
    """Raise unless a cluster has the versions that this process has.

    Raises
    ------
    ClusterError
        With what differs, where, and what to install.
    """
    here, there = versions_here(), _versions_there(client)
    differences: dict[str, list[str]] = {}
    for member, versions in there.items():
        for package, mine in here.items():
            if _relevant(package, versions.get(package, NONE)) != _relevant(package, mine):
                told = f"{versions.get(package, NONE)} on {member}"
                differences.setdefault(package, []).append(told)
    if not differences:
        return
    lines = [
        f"  {package}: {here[package]} here, {found[0]}"
        + (f" and {len(found) - 1} more" if len(found) > 1 else "")
        for package, found in differences.items()
    ]
    wanted = [f"{name}=={here[name]}" for name in differences if name not in ("python", "dmlkit")]
    python = "the same Python and " if "python" in differences else ""
    install = f"pip install {' '.join(wanted)}" if wanted else "the same dmlkit"
    raise ClusterError(
        "The cluster's versions differ from those here; jobs would fail in the middle, or give "
        "other results:\n" + "\n".join(lines) + f"\nHave {python}{install} on scheduler and "
        "workers, or the cluster's versions here; one image for all is the surest way."
    )


def _relevant(package: str, version: str) -> str:
    return version if package in EXACT else ".".join(version.split(".")[:2])


def _versions_there(client: Client) -> Mapping[str, dict[str, str]]:
    """Ask the scheduler and all workers; those that do not answer in time are left out."""

    async def ask() -> dict[str, dict[str, str]]:
        scheduler = await client._run_on_scheduler(versions_here)
        workers = await client._run(versions_here, on_error="return")
        return {"the scheduler": scheduler, **{f"worker {name}": v for name, v in workers.items()}}

    try:
        answers: Mapping[str, Any] = client.sync(ask, callback_timeout=PATIENCE)
    except TimeoutError:
        return {}
    except ModuleNotFoundError as error:
        raise ClusterError(
            f"The scheduler has no package {error.name!r}: install dmlkit on scheduler and "
            "workers, in the version that is here."
        ) from None
    return {member: v if isinstance(v, dict) else {} for member, v in answers.items()}
