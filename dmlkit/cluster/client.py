"""`connect`: the one way to a Dask client. Local clusters are started in `local`."""

import contextlib
import ssl
from typing import Any, Literal

import dask
from distributed import Client, default_client

from dmlkit.cluster.forgotten import remember_results
from dmlkit.cluster.free_memory import free_memory_of_workers
from dmlkit.cluster.local import first_line, start_local
from dmlkit.cluster.transport import secured
from dmlkit.cluster.versions import check_versions
from dmlkit.errors import ClusterError, ConfigurationError

__all__ = ["connect", "current_client"]


def connect(
    address: str | None = None,
    *,
    workers: int | None = None,
    threads: int | None = None,
    memory: str | int | None = None,
    gpus: Literal["auto"] | int = "auto",
    security: Any = None,
    insecure: bool = False,
    timeout: float = 10.0,
) -> Client:
    """Return a client of a Dask cluster, and make it the current one.

    Parameters
    ----------
    address : str, optional
        A running scheduler, such as ``"tls://10.0.0.1:8786"``. Without one, the client that is
        current is returned; else the scheduler that Dask's own configuration names
        (``DASK_SCHEDULER_ADDRESS``); else a local cluster is started that fits this machine's
        cores and memory (cgroup limits included), reachable from this machine only.
    workers, threads : int, optional
        Worker processes, and threads in each, of a local cluster.
    memory : str or int, optional
        Memory of *each* local worker, such as ``"4GiB"``.
    gpus : "auto" or int
        With GPUs and the extra ``gpu`` (dask-cuda), a local cluster has one worker for each GPU;
        0 leaves the GPUs alone.
    security : str or distributed.Security, optional
        Certificates for the scheduler at `address`: a folder of ``dmlkit clusters certs``.
        Without, those of Dask's configuration (``DASK_CONFIG=certs/dask.yaml``).
    insecure : bool
        Allow plain TCP beyond this machine, where anyone who reaches the scheduler can run code on
        the cluster; a warning says so.
    timeout : float
        Seconds to wait for the scheduler at `address`.

    Returns
    -------
    distributed.Client

    Raises
    ------
    ClusterError
        No scheduler answers at `address`, its versions differ from those here in what matters, or
        no worker can be started.
    ConfigurationError
        The sizes asked for cannot be, `address` is plain TCP beyond this machine, or the client
        that is current is asynchronous.

    Examples
    --------
    >>> from dmlkit import connect
    >>> with connect(workers=1, threads=1, memory="1GiB") as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6
    """
    if address is None and (client := current_client()) is not None:
        _check_synchronous(client)
        free_memory_of_workers(client)
        remember_results(client)
        return client
    address = address or dask.config.get("scheduler-address", None)
    if address is not None:
        client = _connect_to(*secured(str(address), security, insecure), timeout)
        free_memory_of_workers(client)
        remember_results(client)
        return client
    client = start_local(workers, threads, memory, gpus)
    remember_results(client)
    return client


def _check_synchronous(client: Client) -> None:
    """Raise where waiting for results would stop the loop that brings them, for ever."""
    if client.asynchronous:
        raise ConfigurationError(
            "The current client is asynchronous, and models wait for their results. Make one with "
            "Client(address), and call them in another thread: await asyncio.to_thread(model.fit, "
            "X, y)."
        )


def current_client() -> Client | None:
    """Return the client that is current, or None."""
    try:
        return default_client()
    except ValueError:
        return None


def _connect_to(address: str, security: Any, timeout: float) -> Client:
    before = current_client()
    try:
        client = Client(address, timeout=timeout, security=security)
    except (OSError, TimeoutError, ValueError, TypeError, ssl.SSLError) as error:
        _forget_client(before)
        raise ClusterError(_no_answer(address, error)) from error
    try:
        check_versions(client)
    except ClusterError:
        client.close(timeout=1)
        raise
    return client


def _no_answer(address: str, error: Exception) -> str:
    told = f"No Dask scheduler answers at {address!r} ({first_line(error)}).\n"
    if address.startswith("tls://"):
        return told + (
            "Check the address and the firewall. A scheduler doesn't answer, either, whom it has "
            "not the same authority with: DASK_CONFIG or security= must name certificates of the "
            "scheduler's own (see `dmlkit clusters certs --help`) that have not expired."
        )
    return told + (
        "Start one with `dask scheduler` and workers with `dask worker ADDRESS`, check the "
        "address and the firewall, or leave the address out for a local cluster. If it takes only "
        "certificates, the address begins with tls://."
    )


def _forget_client(before: Client | None) -> None:
    """Let the client that was current be it again: Dask leaves one that failed to start."""
    left = current_client()
    if left is not None and left is not before:
        with contextlib.suppress(Exception):
            left.close(timeout=1)
