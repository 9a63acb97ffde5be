"""Fixtures of the tests of tables."""

from collections.abc import Iterator
from pathlib import Path

import dask
import pytest


@pytest.fixture
def no_cluster_unless_asked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Compute in this process, but for tests with a client."""
    if "client" in request.fixturenames:
        yield
    else:
        with dask.config.set(scheduler="sync"):
            yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a table is to be written."""
    return tmp_path / "table"
