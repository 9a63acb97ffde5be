"""Make `dashboard.png`: a fraud job loses a worker to a signal twice, and goes on.

``python docs/images/dashboard.py`` takes a minute or two, and needs Chromium.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from distributed import Client, LocalCluster

from dmlkit.observe import install, take_snapshot
from dmlkit.observe.schema import Snapshot

TARGET = Path(__file__).with_suffix(".png")
SIZE = "1280,1160"
CHROMIUM = [
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--hide-scrollbars", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    *("--virtual-time-budget=4000", f"--window-size={SIZE}"),
]


def main() -> None:
    """Run the job, kill the workers in turn, and take the picture of the second one's training."""
    with (
        LocalCluster(n_workers=3, threads_per_worker=1, memory_limit="2GiB") as cluster,
        Client(cluster) as client,
        tempfile.TemporaryDirectory() as folder,
    ):
        install(client)
        pids = client.run(os.getpid)
        job = subprocess.Popen(
            [
                *(sys.executable, "-c", "from dmlkit.cli import main; main()"),
                *("run", "fraud-detection", "--out", f"{folder}/out"),
                *("--scheduler", cluster.scheduler_address),
            ]
        )
        try:
            wait_until(client, lambda story: running(story, "features"))
            time.sleep(4)
            os.kill(pids[min(pids)], signal.SIGKILL)
            wait_until(client, lambda story: trained_by(story, pids) and running(story, "train"))
            os.kill(pids[trained_by(take_snapshot(client), pids)[0]], signal.SIGKILL)
            wait_until(client, lambda story: running(story, "score") or running(story, "evaluate"))
            page = cluster.dashboard_link.replace("/status", "/dmlkit")
            subprocess.run(
                [*CHROMIUM, f"--user-data-dir={folder}/browser", f"--screenshot={TARGET}", page],
                check=True,
            )
        finally:
            job.terminate()
            job.wait()


def running(story: Snapshot, stage: str) -> bool:
    """Tell whether a stage is at work."""
    stages = [each for run in story["workflows"] for each in run["stages"]]
    return any(each["name"] == stage and each["state"] == "running" for each in stages)


def trained_by(story: Snapshot, workers: Collection[str]) -> list[str]:
    """Return which of some workers train, and have for twenty rounds."""
    trainings = [each for each in story["trainings"] if each["round"] >= 20]
    return [address for each in trainings for address in each["workers"] if address in workers]


def wait_until(client: Client, happened: Callable[[Snapshot], Any]) -> None:
    """Wait until the story tells of something."""
    until = time.monotonic() + 100
    while not happened(take_snapshot(client)):
        if time.monotonic() > until:
            raise TimeoutError("the job did not come so far in time")
        time.sleep(0.2)


if __name__ == "__main__":
    main()
