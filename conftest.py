"""What holds for all tests, also for the examples in docstrings."""

import dask
import pytest
from distributed import default_client


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget a client that is closed.

    Where two were closed in the order in which they were opened, Dask goes on looking for one.
    """
    try:
        default_client()
    except ValueError:
        dask.config.config.pop("scheduler", None)
