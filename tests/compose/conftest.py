"""The composed cluster, built and started once; it is stopped, with its engine, at the end."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.compose import engine

ROOT = Path(__file__).parents[2]
PORTS = ("SCHEDULER_PORT", "DASHBOARD_PORT", "JUPYTER_PORT", "PROMETHEUS_PORT")
TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True)
class Composed:
    """The project's docker-compose.yml, running."""

    folder: Path
    environment: dict[str, str]

    def compose(self, *arguments: str) -> str:
        """Run docker-compose to its end."""
        return engine.run(["docker-compose", *arguments], self.environment, cwd=self.folder)

    def start(self, *arguments: str) -> subprocess.Popen:
        """Start docker-compose; its lines can be read while it runs."""
        return subprocess.Popen(
            ["docker-compose", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def containers(self, service: str) -> list[dict[str, Any]]:
        """Describe the containers of a service, as the engine does."""
        names = self.compose("ps", "-q", service).split()
        described: list[dict[str, Any]] = json.loads(
            engine.run(["docker", "inspect", *names], self.environment)
        )
        return described

    def await_health(self, service: str, containers: int = 1, seconds: float = 240) -> None:
        """Wait until so many containers of a service are healthy; fail when one is not."""
        until = time.monotonic() + seconds
        while True:
            states = [each["State"] for each in self.containers(service)]
            told = [f"{each['Status']}, {each['Health']['Status']}" for each in states]
            if told == ["running, healthy"] * containers:
                return
            if time.monotonic() > until or any("unhealthy" in each for each in told):
                log = self.compose("logs", "--tail=40", service)
                pytest.fail(f"{service} is {told}, not {containers} times healthy:\n{log}")
            time.sleep(1)

    def get(self, port: str, path: str, **headers: str) -> tuple[int, str]:
        """Ask a published port; return the status and the body."""
        url = f"http://127.0.0.1:{self.environment[port]}{path}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""


@pytest.fixture(scope="session")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """Scheduler, two workers and JupyterLab from images built here.

    DMLKIT_ENGINE_FOLDER names a folder to keep the engine's data in, so that the next run finds
    the layers of the last.
    """
    if reason := engine.missing():
        pytest.skip(reason)
    kept = os.environ.get("DMLKIT_ENGINE_FOLDER")
    state = Path(kept) if kept else tmp_path_factory.mktemp("engine")
    state.mkdir(exist_ok=True)
    folder = tmp_path_factory.mktemp("compose") / "dmlkit"
    _copy_checkout(folder)
    with engine.running(state) as environment:
        environment |= {
            "BASE_IMAGE": engine.make_base_image(state, environment),
            "PROMETHEUS_IMAGE": "dmlkit-test-prometheus",
            "DMLKIT_WORKER_MEMORY": "3g",
            "JUPYTER_TOKEN": TOKEN,
            **{port: str(_free_port()) for port in PORTS},
        }
        composed = Composed(folder, environment)
        try:
            composed.compose("up", "--detach", "--build", "--scale", "worker=2")
            yield composed
        finally:
            composed.compose("--profile", "monitoring", "down", "--volumes", "--timeout=5")
    if not kept:
        shutil.rmtree(state, ignore_errors=True)


def _copy_checkout(folder: Path) -> None:
    """Copy what git knows of and does not ignore, with the authorities that this host trusts."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for authority in Path("/usr/local/share/ca-certificates").glob("*.crt"):
        shutil.copy(authority, folder / "deploy/certificates")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
