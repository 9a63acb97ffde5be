"""A training whose processes the kernel ends for want of memory goes on with rows in files."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from dmlkit.boosting import XGBClassifier, launcher
from dmlkit.boosting.training_data import in_files as elastic_in_files
from dmlkit.errors import TrainingError

pytestmark = pytest.mark.cluster

GROUPS = Path("/sys/fs/cgroup/memory")
FEATURES = [f"x{number}" for number in range(20)]
ROWS = 200_000

#: Of the group: less than a training process takes with these rows.
LIMIT = 250 * 2**20


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of this test's own."""
    folder = GROUPS / f"dmlkit-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").read_text()
    except OSError as error:
        pytest.skip(f"no group whose memory is limited can be made: {error}")
    yield folder
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with contextlib.suppress(OSError):  # its processes are ending
            folder.rmdir()
            return
        time.sleep(0.1)


@pytest.fixture
def confined(group: Path) -> Iterator[Client]:
    """A client of a worker whose training processes are in that group."""
    with Client(
        n_workers=1, threads_per_worker=1, memory_limit="4GiB", dashboard_address=None
    ) as client:
        client.run(_enter, str(group))
        yield client


def _enter(group: str) -> None:
    launcher._running()
    assert launcher._launcher is not None
    Path(group, "cgroup.procs").write_text(str(launcher._launcher[0].pid))


def part(number: int) -> pd.DataFrame:
    values = np.random.default_rng(number).normal(size=(ROWS, len(FEATURES))).astype(np.float32)
    table = pd.DataFrame(values, columns=FEATURES)
    return table.assign(label=(values[:, 0] + values[:, 1] > 1).astype(np.int8))


def fitted(**parameters: Any) -> XGBClassifier:
    table = dd.from_map(part, range(8), meta=part(0).iloc[:0])
    model = XGBClassifier(n_estimators=5, max_depth=3, **parameters)
    return model.fit(table[FEATURES], table["label"])


def kills_in(group: Path) -> int:
    lines = (group / "memory.oom_control").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def lift_limit_after_a_kill(group: Path) -> None:
    until = time.monotonic() + 60
    while not kills_in(group) and time.monotonic() < until:
        time.sleep(0.01)
    (group / "memory.limit_in_bytes").write_text("-1")


def test_rows_go_to_files_where_memory_runs_out(
    group: Path, confined: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = []

    def in_files(*arguments: Any) -> Any:
        moved.append(True)
        return elastic_in_files(*arguments)

    monkeypatch.setattr("dmlkit.boosting.elastic.in_files", in_files)
    undisturbed = fitted()
    assert undisturbed.restarts_ == ()
    (group / "memory.limit_in_bytes").write_text(str(LIMIT))
    # How little is enough with rows in files depends on what else the system keeps in memory.
    lifting = threading.Thread(target=lift_limit_after_a_kill, args=(group,))
    lifting.start()
    model = fitted()
    lifting.join()
    assert len(model.restarts_) == 1
    assert "killed by the system, which had no memory left" in model.restarts_[0].reason
    assert moved == [True]
    assert model.get_booster().save_raw() == undisturbed.get_booster().save_raw()


@pytest.mark.long
def test_without_files_it_ends_with_advice(group: Path, confined: Client) -> None:
    (group / "memory.limit_in_bytes").write_text(str(LIMIT))
    before = confined.run(os.getpid)
    with pytest.raises(TrainingError, match=r"no memory left .* use larger ones"):
        fitted(external_memory=False)
    assert confined.run(os.getpid) == before  # the worker lives on
