"""`ClusterSettings`: which cluster a job runs on, as the table ``[cluster]`` of a configuration."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dmlkit.cluster.local import bytes_of
from dmlkit.cluster.sizes import WorkerSizes, sizes_here

__all__ = ["ClusterSettings"]

Kind = Literal["local", "scheduler", "slurm", "kubernetes", "gateway"]

#: What a kind of cluster does not look at.
NOT_OF: dict[str, tuple[str, ...]] = {
    "local": ("address", "certificates", "options"),
    "scheduler": ("workers", "minimum", "maximum", "threads", "memory", "options"),
    "slurm": ("address",),
    "kubernetes": ("address", "certificates"),
    "gateway": ("certificates", "threads", "memory"),
}


class ClusterSettings(BaseModel):
    """Which cluster a job runs on.

    Attributes
    ----------
    kind : {"local", "scheduler", "slurm", "kubernetes", "gateway"}
        This machine; a scheduler that runs; or workers that are started for the job by Slurm
        (the extra ``slurm``), by the Dask operator of Kubernetes (``kubernetes``) or by a Dask
        Gateway (``gateway``), and end with it. With an `address` alone it is a scheduler.
    address : str, optional
        Of the scheduler, or of the gateway.
    certificates : str, optional
        A folder of ``dmlkit clusters certs``.
    insecure : bool
        Allow plain TCP beyond this machine.
    workers : int, optional
        A fixed number of them.
    minimum, maximum : int, optional
        As many as there is work for, between these.
    threads : int, optional
        Of each worker.
    memory : str, optional
        Of each worker, such as ``"8GiB"``.
    wait : float
        Seconds until workers must have come.
    options : dict
        Given to the library's own class as they are: ``SLURMCluster`` of dask-jobqueue,
        ``KubeCluster`` of dask-kubernetes, ``GatewayCluster`` of dask-gateway.

    Examples
    --------
    >>> ClusterSettings(address="tls://10.0.0.1:8786").kind
    'scheduler'
    >>> print(ClusterSettings(minimum=1, maximum=20, threads=4, memory="8GiB", kind="slurm"))
    slurm, 1 to 20 workers of 4 threads and 8GiB
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = "local"
    address: str | None = None
    certificates: str | None = None
    insecure: bool = False
    workers: int | None = Field(None, gt=0)
    minimum: int | None = Field(None, ge=0)
    maximum: int | None = Field(None, gt=0)
    threads: int | None = Field(None, gt=0)
    memory: str | None = None
    wait: float = Field(600.0, gt=0)
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _an_address_is_of_a_scheduler(cls, values: Any) -> Any:
        if isinstance(values, dict) and "address" in values:
            return {"kind": "scheduler", **values}
        return values

    @model_validator(mode="after")
    def _settings_fit_together(self) -> Self:
        if self.kind == "scheduler" and self.address is None:
            raise ValueError("kind 'scheduler' needs an address, such as 'tls://10.0.0.1:8786'")
        if (self.minimum is None) != (self.maximum is None):
            raise ValueError("minimum and maximum go together: name both, or workers")
        if self.maximum is not None:
            if self.workers is not None:
                raise ValueError("name workers, or minimum and maximum, and not all three")
            if (self.minimum or 0) > self.maximum:
                raise ValueError(f"minimum is {self.minimum}, above maximum, {self.maximum}")
        if self.memory is not None:
            bytes_of(self.memory)
        self._refuse_what_is_not_looked_at()
        if self.kind in ("slurm", "kubernetes") and not (self.memory and self.most):
            raise ValueError(f"kind {self.kind!r} needs memory, and workers or a maximum of them")
        return self

    def _refuse_what_is_not_looked_at(self) -> None:
        defaults = type(self).model_fields
        given = [
            name
            for name in NOT_OF[self.kind]
            if getattr(self, name) != defaults[name].get_default(call_default_factory=True)
        ]
        if given:
            names = " and ".join(given)
            raise ValueError(f"kind {self.kind!r} has no {names}: leave that out, or name the kind")

    @property
    def adapts(self) -> bool:
        """Whether workers come and go with the work."""
        return self.maximum is not None

    @property
    def most(self) -> int | None:
        """The most workers there can be, where that is said."""
        return self.maximum if self.adapts else self.workers

    def sizes(self) -> WorkerSizes | None:
        """Return the workers that there would be, without starting one.

        None where only the cluster itself knows: of a running scheduler, or of a gateway.
        """
        if self.kind == "local":
            return sizes_here(self.most, self.threads, self.memory)
        if self.kind in ("scheduler", "gateway") or self.memory is None:
            return None
        return WorkerSizes(self.most or 1, self.threads or 1, bytes_of(self.memory))

    def __str__(self) -> str:
        if self.kind == "scheduler":
            return f"the scheduler at {self.address}"
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        sizes = [threads] if self.threads else []
        sizes += [self.memory] if self.memory else []
        told = "as many workers as fit"
        if self.most is not None:
            count = f"{self.minimum} to {self.maximum}" if self.adapts else f"{self.workers}"
            told = "1 worker" if count == "1" else f"{count} workers"
        of = f" of {' and '.join(sizes)}" if sizes else ""
        where = f" at {self.address}" if self.address else ""
        return f"{self.kind}{where}, {told}{of}"
