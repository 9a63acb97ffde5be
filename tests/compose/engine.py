"""A container engine of the tests' own, and a base image of the host's Debian: no pulling."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: What is needed, and the Debian package that has it.
PROGRAMS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "docker-compose": "docker-compose",
    "debootstrap": "debootstrap",
}
BASE_IMAGE = "dmlkit-test-base"


def missing() -> str | None:
    """Say why no engine can be started here, or None."""
    if os.geteuid() != 0:
        return "an engine can only be started by root"
    packages = {package for program, package in PROGRAMS.items() if not shutil.which(program)}
    return f"apt-get install {' '.join(sorted(packages))}" if packages else None


@contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """Run an engine that keeps all it has in a folder; give the environment to use it."""
    socket = folder / "docker.sock"
    with (folder / "engine.log").open("w") as log:
        engine = subprocess.Popen(
            [
                "dockerd",
                *("--data-root", folder / "data"),
                *("--exec-root", folder / "exec"),
                *("--pidfile", folder / "pid"),
                *("--host", f"unix://{socket}"),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    environment = {**os.environ, "DOCKER_HOST": f"unix://{socket}"}
    try:
        _await(lambda: _succeeds(["docker", "info"], environment), engine, folder / "engine.log")
        yield environment
    finally:
        engine.send_signal(signal.SIGTERM)
        try:
            engine.wait(60)
        except subprocess.TimeoutExpired:
            engine.kill()


def make_base_image(folder: Path, environment: dict[str, str]) -> str:
    """Put Debian with Python into the engine, and return the image's name."""
    if _succeeds(["docker", "image", "inspect", BASE_IMAGE], environment):
        return BASE_IMAGE
    root = folder / "base"
    include = "--include=python3,python3-venv,ca-certificates"
    run(["debootstrap", "--variant=minbase", include, _release(), str(root)], environment)
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as archive:
        subprocess.run(
            ["docker", "import", "-", BASE_IMAGE], stdin=archive.stdout, env=environment, check=True
        )
    shutil.rmtree(root)
    return BASE_IMAGE


def run(command: Sequence[str], environment: dict[str, str], **options: Any) -> str:
    """Run a command to its end; return what it printed, or fail with that."""
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-5000:]}"
    return done.stdout


def _succeeds(command: Sequence[str], environment: dict[str, str]) -> bool:
    return subprocess.run(command, env=environment, capture_output=True).returncode == 0


def _await(ready: Any, engine: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + 60
    while not ready():
        assert engine.poll() is None, f"dockerd ended: {log.read_text()[-3000:]}"
        assert time.monotonic() < until, f"dockerd isn't ready: {log.read_text()[-3000:]}"
        time.sleep(0.5)


def _release() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return next((line[17:].strip('"') for line in lines if "VERSION_CODENAME=" in line), "stable")
