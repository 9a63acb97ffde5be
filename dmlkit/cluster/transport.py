"""Who can listen in, and who can join: how addresses and certificates go together."""

import ipaddress
import os
import warnings
from typing import Any

import dask

from dmlkit.cluster.certificates import security_from
from dmlkit.errors import ConfigurationError

__all__ = ["InsecureConnection", "secured"]

#: Protocols of Dask that don't encrypt. Of others, such as tls, Dask itself says what they need.
PLAIN = ("tcp", "ucx", "ucxx", "ws")


class InsecureConnection(UserWarning):
    """What goes to the cluster can be read and changed on the way, and anyone can join it."""


def secured(address: str, security: Any, insecure: bool) -> tuple[str, Any]:
    """Return an address with its protocol and Dask's security settings for it.

    Parameters
    ----------
    address : str
        Without a protocol, it is that of the certificates if there are any.
    security : distributed.Security, str, or None
        A folder of certificates, too; None is what Dask's configuration says.
    insecure : bool
        Allow plain TCP beyond this machine, with a warning.

    Raises
    ------
    ConfigurationError
        Plain TCP beyond this machine that is not allowed; certificates without TLS, or TLS
        without certificates.

    Examples
    --------
    >>> secured("tcp://127.0.0.1:8786", None, insecure=False)
    ('tcp://127.0.0.1:8786', None)
    """
    if isinstance(security, str | os.PathLike):
        security = security_from(security)
    if "://" not in address:
        protocol = "tls" if security else dask.config.get("distributed.comm.default-scheme", "tcp")
        address = f"{protocol}://{address}"
    protocol, _, place = address.partition("://")
    if protocol == "tls" and not (security or dask.config.get("distributed.comm.tls.ca-file")):
        raise ConfigurationError(
            f"{address!r} takes only who has certificates of its authority, and there are none "
            "here. Copy those of the cluster (`dmlkit clusters certs` made them), and set "
            "DASK_CONFIG=FOLDER/dask.yaml or pass security='FOLDER'."
        )
    if protocol not in PLAIN:
        return address, security
    if security is not None:
        raise ConfigurationError(
            f"Certificates are for tls://{place}, not for {address!r}, which is not encrypted."
        )
    if not _on_this_machine(place):
        _allow_plain(address, place, insecure or dask.config.get("dmlkit.insecure", False))
    return address, security


def _allow_plain(address: str, place: str, allowed: bool) -> None:
    if not allowed:
        raise ConfigurationError(
            f"{address!r} is plain TCP beyond this machine: who reaches that port can read what "
            "goes through it, and run code on the cluster.\nMake certificates with `dmlkit "
            "clusters certs certs/`, start scheduler and workers with DASK_CONFIG=certs/dask.yaml, "
            f"and connect to tls://{place}. On a network where you trust everyone, allow it with "
            "--insecure, connect(..., insecure=True) or DASK_DMLKIT__INSECURE=true."
        )
    warnings.warn(
        f"{address} is plain TCP: who reaches that port can read what goes through it, and run "
        "code on the cluster.",
        InsecureConnection,
        stacklevel=4,
    )


def _on_this_machine(place: str) -> bool:
    host = place.rpartition(":")[0].strip("[]") or place
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or "/" in host  # a name, or a socket file
