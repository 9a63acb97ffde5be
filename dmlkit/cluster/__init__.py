"""Clusters: connecting to one, starting one here, and knowing whom it trusts."""

from dmlkit.cluster.client import connect, current_client
from dmlkit.cluster.kinds import cluster_of
from dmlkit.cluster.logs import quiet_dask
from dmlkit.cluster.room import LittleRoom
from dmlkit.cluster.settings import ClusterSettings
from dmlkit.cluster.telling import PROGRESS, tell_rows
from dmlkit.cluster.transport import InsecureConnection
from dmlkit.cluster.workers import kill_workers, lost_workers

__all__ = [
    "PROGRESS",
    "ClusterSettings",
    "InsecureConnection",
    "LittleRoom",
    "cluster_of",
    "connect",
    "current_client",
    "kill_workers",
    "lost_workers",
    "quiet_dask",
    "tell_rows",
]
