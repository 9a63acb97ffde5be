"""Open files: a limit that is too low is raised, or told of before a cluster is started."""

import subprocess
import sys

import pytest

pytest.importorskip("resource", reason="this system has no such limits")

IN_A_CHILD = """
import resource
from dmlkit.cluster.open_files import allow_open_files
from dmlkit.errors import ClusterError
resource.setrlimit(resource.RLIMIT_NOFILE, (70, 150))
allow_open_files(2)
print(resource.getrlimit(resource.RLIMIT_NOFILE))
allow_open_files(1)
print(resource.getrlimit(resource.RLIMIT_NOFILE))
try:
    allow_open_files(16)
except ClusterError as error:
    print(error)
"""


def test_the_soft_limit_is_raised_and_a_low_hard_limit_is_told() -> None:
    child = subprocess.run(
        [sys.executable, "-c", IN_A_CHILD], capture_output=True, text=True, check=True
    )
    raised, kept, *message = child.stdout.splitlines()
    assert raised == kept
    soft, hard = map(int, raised.strip("()").split(","))
    assert (96 < soft < 150, hard) == (True, 150)
    assert message[0].startswith("This process may have 150 files open (`ulimit -n`)")
    assert "a local cluster of 16 workers needs" in message[0]
    assert "`ulimit -n 3" in message[1]
