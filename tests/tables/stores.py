"""An S3 server of the tests' own, in its own process."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import fsspec

SECRET = "a-secret-of-the-tests"


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """Run moto's server; give the environment in which Python's tools and Delta Lake use it."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    code = "from moto.server import main; import sys; main(sys.argv[1:])"
    server = subprocess.Popen(
        [sys.executable, "-c", code, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(address, server)
        # Of a server of an earlier test module, whose address file systems keep.
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.kill()
        server.wait()


def make_bucket(environment: dict[str, str], name: str) -> str:
    """Make a bucket and return its address."""
    url = f"{environment['AWS_ENDPOINT_URL']}/{name}"
    urllib.request.urlopen(urllib.request.Request(url, method="PUT", data=b"")).close()
    return f"s3://{name}"


@contextmanager
def variables(environment: dict[str, str]) -> Iterator[None]:
    """Have variables in the environment for a while."""
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _await(address: str, server: subprocess.Popen) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{address}/moto-api/", timeout=5).close()
            return
        except OSError:
            assert server.poll() is None, "moto's server ended"
            assert time.monotonic() < until, "moto's server doesn't answer"
            time.sleep(0.2)
