"""What the events of Dask's scheduler, workers and nannies tell of workers' ends."""

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from dask.utils import format_bytes

from dmlkit.observe.losses import Losses

__all__ = ["learn", "look_for_nanny"]

#: Seconds to wait for a nanny to answer.
NANNY_TIMEOUT = 2.0


def learn(losses: Losses, topic: str, message: Any) -> None:
    """Take in what an event tells of a worker's end, if it does.

    Parameters
    ----------
    losses : Losses
    topic : str
        As Dask has it: the address of a worker, or a name.
    message : object
    """
    if not isinstance(message, Mapping):
        return
    action = message.get("action")
    if topic == "worker-restart-memory":
        rss = int(message["rss"])
        told = f"nanny: process {message['pid']} held {format_bytes(rss)}, and was ended"
        losses.learn(message["worker"], told, memory=rss)
    elif topic == "scheduler" and action == "worker-ttl-timed-out":
        for worker in message["workers"]:
            told = f"scheduler: no heartbeat for {message['ttl']:.0f} s (worker-ttl)"
            losses.learn(worker, told, silence=float(message["ttl"]))
    elif action == "closing-worker":
        losses.learn(topic, f"worker: closing, {message['reason']}", closing=str(message["reason"]))
    elif topic == "dmlkit" and message.get("kind") == "worker-exit":
        code = int(message["code"])
        losses.learn(
            message["worker"], f"nanny: the process ended with code {code}", exit_code=code
        )


async def look_for_nanny(address: str) -> str:
    """Return whether a nanny ``"answers"``, ``"refuses"`` or is ``"silent"``."""
    parts = urlsplit(address)
    if parts.hostname is None or parts.port is None:
        return ""
    try:
        connected = asyncio.open_connection(parts.hostname, parts.port)
        _, writer = await asyncio.wait_for(connected, NANNY_TIMEOUT)
    except ConnectionRefusedError:
        return "refuses"
    except (OSError, TimeoutError):
        return "silent"
    writer.close()
    return "answers"
