"""Where a model is trained: on GPUs when every worker has one, else on CPUs; and why."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import xgboost
from distributed import Client

from dmlkit.boosting.frozen import evict_silent
from dmlkit.cluster.workers import await_a_worker
from dmlkit.errors import ConfigurationError, TrainingError

__all__ = ["Device", "choose_device"]

#: Seconds between two looks for frozen workers.
LOOK = 2.0

ASKED = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Device:
    """What XGBoost is told, and the reason in words.

    Attributes
    ----------
    name : str
        ``"cuda"`` or ``"cpu"``.
    reason : str
    """

    name: str
    reason: str


def choose_device(asked: str, client: Client, worker_timeout: float = 15.0) -> Device:
    """Choose the device for training on the workers of a cluster.

    Parameters
    ----------
    asked : {"auto", "cpu", "cuda"}
        With ``"auto"``, CUDA is used when every worker can.
    client : distributed.Client
    worker_timeout : float
        A worker that is silent for twice as many seconds is taken for frozen, and not waited for.

    Raises
    ------
    ConfigurationError
        The device is not known.
    ClusterError
        The cluster has no worker, and none comes.
    TrainingError
        CUDA was asked for, and a worker cannot use it.
    """
    if asked not in ASKED:
        raise ConfigurationError(f"device is {asked!r}; it must be one of {', '.join(ASKED)}.")
    await_a_worker(client)
    if asked == "cpu":
        return Device("cpu", "as asked for")
    # A worker that is lost just now does not answer: who trains is seen when training starts.
    obstacles = _ask(client, 2 * worker_timeout)
    if not obstacles:
        raise TrainingError("No worker of the cluster answers. Start some, then try again.")
    return _decide(asked, obstacles)


def _ask(client: Client, silence: float) -> Mapping[str, str | None]:
    """Ask all workers. One that is frozen would never answer: it is taken out of the cluster."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(client.run, what_keeps_from_cuda, on_error="ignore")
        while True:
            with contextlib.suppress(TimeoutError):
                answers: Mapping[str, str | None] = asked.result(timeout=LOOK)
                return answers
            evict_silent(client, silence)


def _decide(asked: str, obstacles: Mapping[str, str | None]) -> Device:
    """Decide from what keeps each worker from CUDA: None where nothing does."""
    without = {worker: reason for worker, reason in obstacles.items() if reason}
    if not without:
        workers = f"{len(obstacles)} worker{'s' if len(obstacles) > 1 else ''}"
        return Device("cuda", f"each of {workers} has a GPU")
    worker, reason = min(without.items())
    if asked == "cuda":
        raise TrainingError(
            f"device='cuda', but {len(without)} of {len(obstacles)} workers cannot use a GPU, "
            f"such as {worker}: {reason}. Use device='auto' or 'cpu', or start workers on GPUs "
            "(`dmlkit[gpu]` has dask-cuda)."
        )
    count = "no worker has" if len(without) == len(obstacles) else "not every worker has"
    return Device("cpu", f"{count} a usable GPU ({reason})")


def what_keeps_from_cuda() -> str | None:
    """Say what keeps this process from training on a GPU, or None (runs on a worker)."""
    if not xgboost.build_info().get("USE_CUDA"):
        return "this build of XGBoost has no CUDA"
    if os.environ.get("CUDA_VISIBLE_DEVICES", "all") in ("", "-1"):
        return "CUDA_VISIBLE_DEVICES hides all GPUs"
    program = shutil.which("nvidia-smi")
    if program is None:
        return "the program nvidia-smi is not there"
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "nvidia-smi does not answer"
    return None if listed.stdout.startswith(b"GPU") else "nvidia-smi lists no GPU"
