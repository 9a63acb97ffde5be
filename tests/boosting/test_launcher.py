"""Processes that train have what a worker's own settings would keep from them."""

import pytest

from dmlkit.boosting.launcher import _environment


def test_settings_of_a_worker_do_not_hold_a_training_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    monkeypatch.setenv("OMP_THREAD_LIMIT", "7")
    found = _environment()
    assert not {"OMP_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_"} & found.keys()
    assert found["OMP_THREAD_LIMIT"] == "7"  # this one is the user's
