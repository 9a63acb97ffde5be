"""The benchmark of panels: what it measures, and when it says that systems agree."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import panel, panel_run
from benchmarks.panel_data import DEVIATIONS, HORIZON, make_panel, sample_rows


@pytest.fixture
def run_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run systems in this process; one of them stands in for the peer."""

    def one_run(_system: str, task: str, options: argparse.Namespace) -> dict[str, Any]:
        file = str(tmp_path / "run.npz")
        threads = str(options.threads)
        panel_run.main(["dmlkit", task, str(int(options.rows)), threads, file])
        with np.load(file) as found:
            return {name: found[name] for name in found.files}

    monkeypatch.setattr(panel, "one_run", one_run)


@pytest.mark.usefixtures("run_here")
def test_features_and_forecasts_are_measured_in_turns_and_compared(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    small = ["--rows", "8e3", "--repeat", "1", "--threads", "1"]
    panel.main([*small, "--peer", "python", "--json", str(path)])
    results = json.loads(path.read_text())
    assert [(each["task"], each["system"]) for each in results] == [
        (task, system) for task in panel.TASKS for system in panel.SYSTEMS
    ]
    for each in results:
        assert each["agrees"] is True
        assert each["differs"] == 0
        assert len(each["seconds_all"]) == 1
        assert each["peak_rss_bytes"] > each["added_rss_bytes"] >= 0


@pytest.mark.usefixtures("run_here")
def test_without_a_peer_only_ours_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    panel.main(["--rows", "2e4", "--repeat", "1", "--task", "features", "--threads", "1"])
    assert "name its environment with --peer" in " ".join(capsys.readouterr().out.split())


def test_a_value_that_differs_or_is_missing_is_found() -> None:
    features = panel_run.dmlkit_features(make_panel(20_000), 1).to_numpy()
    assert features.shape == (len(sample_rows(len(make_panel(20_000)))), 16)
    assert panel.agree(features, features)
    for column, change, agrees in [
        (0, 1e-3, False),
        (0, 1e-7, True),
        (DEVIATIONS[0], 1e-3, True),
        (DEVIATIONS[0], 1e-1, False),
        (1, np.nan, False),
    ]:
        other = features.copy()
        other[7, column] += change
        assert panel.agree(features, other) is agrees
    assert not panel.agree(features, features[1:])
    forecasts = np.arange(HORIZON, dtype=float)
    assert panel.agree(forecasts, forecasts * 1.01)
    assert not panel.agree(forecasts, forecasts * 1.5)
