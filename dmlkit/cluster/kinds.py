"""`cluster_of`: the cluster that settings describe, started for as long as it is needed.

Each kind is a few lines over the library that knows it.
"""

import contextlib
import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dask
from distributed import Client

from dmlkit.cluster.allocator import environment_of_workers
from dmlkit.cluster.certificates import security_from
from dmlkit.cluster.client import connect
from dmlkit.cluster.local import bytes_of, first_line, start_local
from dmlkit.cluster.settings import ClusterSettings
from dmlkit.cluster.versions import check_versions
from dmlkit.errors import ClusterError, ConfigurationError

__all__ = ["cluster_of"]

#: Of adaptive clusters: workers that had nothing to do for so many looks, a second apart, are let
#: go. Dask's own three are less than what lies between two stages.
LOOKS = 60

#: The package of each extra, and the module that has its cluster.
EXTRAS = {
    "slurm": ("dask-jobqueue", "dask_jobqueue"),
    "kubernetes": ("dask-kubernetes", "dask_kubernetes.operator"),
    "gateway": ("dask-gateway", "dask_gateway"),
}


@contextlib.contextmanager
def cluster_of(settings: ClusterSettings) -> Iterator[Client]:
    """Give a client of the cluster that settings describe; what was started for it ends with it.

    Parameters
    ----------
    settings : ClusterSettings

    Yields
    ------
    distributed.Client
        The current one.

    Raises
    ------
    ClusterError
        The cluster can't be started or reached, its versions differ from those here in what
        matters, or no worker came in time.
    ConfigurationError
        It would be reached over plain TCP, and that is not allowed.

    Examples
    --------
    >>> with cluster_of(ClusterSettings(minimum=1, maximum=2, threads=1, memory="1GiB")) as client:
    ...     client.submit(sum, [1, 2, 3]).result()
    6
    """
    if settings.kind == "scheduler":
        security, insecure = settings.certificates, settings.insecure
        with connect(settings.address, security=security, insecure=insecure) as client:
            yield client
    elif settings.kind == "local":
        with _local(settings) as client:
            yield client
    else:
        with _started(settings) as started, started.get_client() as client:
            _scale(started, settings)
            _wait(client, settings)
            check_versions(client)
            yield client


def _local(settings: ClusterSettings) -> Client:
    client = start_local(settings.most, settings.threads, settings.memory, "auto", settings.minimum)
    if settings.adapts:
        _scale(client.cluster, settings)
    return client


def _started(settings: ClusterSettings) -> Any:
    make = MAKERS[settings.kind]
    package, module = EXTRAS[settings.kind]
    try:
        library = importlib.import_module(module)
    except ImportError as error:
        raise ClusterError(
            f"A cluster of kind {settings.kind!r} needs the package {package} "
            f"(pip install 'dmlkit[{settings.kind}]'): {first_line(error)}."
        ) from None
    try:
        return make(library, settings)
    except ConfigurationError:
        raise
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        if match := re.search(r"unexpected keyword argument '(\w+)'", str(error)):
            raise ConfigurationError(
                f"cluster.options has {match[1]!r}, which {package} does not know."
            ) from error
        raise ClusterError(
            f"The cluster ({settings}) could not be started: {first_line(error)}."
        ) from error


def _slurm(library: Any, settings: ClusterSettings) -> Any:
    """Start a job of Slurm for each worker; the scheduler is in this process."""
    secured: dict[str, Any] = {}
    if settings.certificates is not None:
        secured = {"protocol": "tls://", "security": security_from(settings.certificates)}
    else:
        _check_plain(settings, "certificates = 'certs/' (of `dmlkit clusters certs`), or ")
    exports = [f"export {name}={value}" for name, value in _environment(settings).items()]
    options = dict(settings.options)
    prologue = [*exports, *options.pop("job_script_prologue", [])]
    configured = dask.config.get("jobqueue.slurm.worker-extra-args", None) or []
    of_workers = options.pop("worker_extra_args", configured)
    # Dashboards show names of columns and files to whoever asks, with certificates or without.
    secured["scheduler_options"] = {
        "dashboard_address": "127.0.0.1:8787",
        **options.pop("scheduler_options", {}),
    }
    secured["worker_extra_args"] = ["--dashboard-address", "127.0.0.1:0", *of_workers]
    return library.SLURMCluster(
        cores=settings.threads or 1,
        processes=1,
        memory=settings.memory,
        job_script_prologue=prologue,
        **secured,
        **options,
    )


def _kubernetes(library: Any, settings: ClusterSettings) -> Any:
    """Have the operator make a pod for each worker."""
    _check_plain(settings, "")
    sizes = {"cpu": str(settings.threads or 1), "memory": str(bytes_of(settings.memory or ""))}
    options = dict(settings.options)
    return library.KubeCluster(
        n_workers=settings.minimum if settings.adapts else settings.workers,
        resources={"requests": sizes, "limits": sizes},
        env={**_environment(settings), **options.pop("env", {})},
        **options,
    )


def _gateway(library: Any, settings: ClusterSettings) -> Any:
    """Ask a gateway; what sizes its workers may have are options of its own."""
    return library.GatewayCluster(address=settings.address, **settings.options)


MAKERS: Mapping[str, Callable[[Any, ClusterSettings], Any]] = {
    "slurm": _slurm,
    "kubernetes": _kubernetes,
    "gateway": _gateway,
}


def _environment(settings: ClusterSettings) -> dict[str, str]:
    return environment_of_workers(bytes_of(settings.memory or ""))


def _check_plain(settings: ClusterSettings, better: str) -> None:
    if not settings.insecure:
        raise ConfigurationError(
            f"A cluster of kind {settings.kind!r} would be reached over plain TCP: who reaches the "
            f"scheduler can run code on the cluster. In [cluster], write {better}on a network "
            "where you trust everyone, insecure = true."
        )


def _scale(cluster: Any, settings: ClusterSettings) -> None:
    if settings.adapts:
        looks = {} if settings.kind == "gateway" else {"wait_count": LOOKS}
        cluster.adapt(minimum=settings.minimum, maximum=settings.maximum, **looks)
    elif settings.workers is not None:
        cluster.scale(settings.workers)


def _wait(client: Client, settings: ClusterSettings) -> None:
    """Wait for all workers of a fixed number, of others for the first ones."""
    wanted = settings.workers or max(settings.minimum or 0, 1)
    if settings.adapts and not settings.minimum:
        return  # they come with the work
    try:
        client.wait_for_workers(wanted, timeout=settings.wait)
    except TimeoutError:
        there = len(client.nthreads())
        raise ClusterError(
            f"Of {wanted:,} workers {there:,} came within {settings.wait:g} seconds "
            f"({settings}). Look at the queue, ask for fewer or smaller ones, or give them more "
            "time (cluster.wait)."
        ) from None
