"""Snapshots from anywhere: of a scheduler, or of its dashboard's address."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import cast

from dmlkit.cluster import connect
from dmlkit.errors import ClusterError
from dmlkit.observe.asking import install, take_snapshot
from dmlkit.observe.schema import Snapshot

__all__ = ["snapshots_from"]

#: Seconds to wait for a dashboard.
TIMEOUT = 10.0


def snapshots_from(address: str, *, insecure: bool = False) -> Callable[[], Snapshot]:
    """Return what gives the story of a cluster as it stands, each time it is called.

    Parameters
    ----------
    address : str
        A scheduler (``tcp://HOST:8786``), which keeps a story from now on if it did not; or its
        dashboard (``http://HOST:8787``), where the story must be kept already.
    insecure : bool
        Allow plain TCP beyond this machine.

    Raises
    ------
    ClusterError
        Nobody answers there, or no story is kept.
    """
    if address.startswith(("http://", "https://")):
        return lambda: _fetch(address.rstrip("/").removesuffix("/status").removesuffix("/dmlkit"))
    client = connect(address, insecure=insecure)
    install(client)
    return lambda: take_snapshot(client)


def _fetch(address: str) -> Snapshot:
    try:
        asked = f"{address}/dmlkit/api/v1/snapshot"
        with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:
            return cast("Snapshot", json.load(answer))
    except urllib.error.HTTPError as error:
        raise ClusterError(
            f"{address} keeps no story ({error.code} {error.reason}). Name the scheduler instead, "
            "such as tcp://HOST:8786, or start it with --preload dmlkit.observe."
        ) from error
    except (OSError, ValueError) as error:
        raise ClusterError(f"No dashboard answers at {address} ({error}).") from error
