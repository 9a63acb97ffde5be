"""A job's story on a terminal: plain lines, and a live display that fits 80 columns."""

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from dmlkit.observe import (
    Event,
    Notice,
    Outlook,
    StageEvent,
    TrainingRestart,
    TrainingRound,
    WorkerLost,
)
from dmlkit.observe import console as consoles
from dmlkit.observe.console import shortened, show_progress


def stage(state: str, **facts: object) -> StageEvent:
    return StageEvent("fraud-detection", "features", 3, 8, state, **facts)  # type: ignore[arg-type]


DONE = stage("done", seconds=12.34, rows=1_754_155, bytes=115_343_360)


def told(*events: Event, terminal: bool = False) -> str:
    """Return what is printed when these events come."""
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=80, legacy_windows=False)
    with show_progress(console) as listener:
        for event in events:
            listener(event)
    return stream.getvalue()


def test_a_finished_stage_has_a_line_with_time_rows_and_size() -> None:
    assert told(stage("started"), DONE) == (
        "✓ 3/8 features     12.3 s      1,754,155 rows  110.00 MiB\n"
    )


def test_a_stage_that_was_taken_over_says_so() -> None:
    assert re.fullmatch(
        r"↻ 3/8 features .*taken over from an earlier run\n", told(stage("resumed"))
    )


def test_a_stage_that_failed_says_so() -> None:
    assert told(stage("failed", seconds=2.0)).startswith("✗ 3/8 features")


def test_a_training_that_goes_on_says_from_where_and_what_it_cost() -> None:
    restart = TrainingRestart("tcp://10.0.0.1:1234", "Worker x was lost while training.", 151, 140)
    text = told(restart, replace(restart, seconds_lost=2.34))
    assert "! Worker x was lost while training. Training goes on from round 140.\n" in text
    assert "! Training is at round 151 again: 2.3 s lost.\n" in text


def test_notices_and_lost_workers_are_told_at_once() -> None:
    text = told(Notice("11 rows are bad"), WorkerLost(1.0, "tcp://10.0.0.1:1234", 17))
    assert "! 11 rows are bad\n" in text
    assert "! Worker tcp://10.0.0.1:1234 was lost; 17 results are computed again.\n" in text
    killed = told(WorkerLost(1.0, "tcp://10.0.0.1:1234", 17, "killed with SIGKILL"))
    assert killed.startswith("! Worker tcp://10.0.0.1:1234: killed with SIGKILL; 17 results")


def test_nothing_is_said_of_each_task_where_lines_stay() -> None:
    running = [stage("running", tasks_done=n, tasks_total=100) for n in range(100)]
    assert told(stage("started"), *running) == ""


def test_now_and_then_it_is_said_that_a_stage_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consoles, "PLAIN_INTERVAL", -1.0)
    text = told(
        stage("running", tasks_done=5, tasks_total=10, seconds=11.0),
        TrainingRound(3, 300, {"validation_0-aucpr": 0.5}),
    )
    assert text == ("  features: 5/10 tasks, 11 s so far\n  training: round 3/300  aucpr 0.5000\n")


def test_the_live_display_fits_80_columns() -> None:
    text = told(
        stage("started"),
        stage("running", tasks_done=123_456, tasks_total=234_567, seconds=1234.0),
        TrainingRound(123, 3000, {"validation-aucpr": 0.51, "validation-logloss": 0.3217}),
        DONE,
        terminal=True,
    )
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    lines = re.split(r"[\r\n]+", plain)
    assert max(map(len, lines)) <= 80
    assert "✓ 3/8 features     12.3 s" in plain


def test_rows_and_the_time_that_is_left_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consoles, "PLAIN_INTERVAL", -1.0)
    running = stage("running", tasks_done=5, tasks_total=10, seconds=11.0)
    text = told(
        Outlook("read", 52_300, 104_600, 61.0, 190.0),
        running,
        TrainingRound(3, 300, {"validation_0-aucpr": 0.5, "validation_0-logloss": 0.3}),
        Outlook(low=2.0, high=4.0),
        running,
        Outlook("written", 10, None),
        running,
    )
    assert text.splitlines() == [
        "  features: 11 s so far, 52.3k of 105k rows read, 1 to 3 min left",
        "  training: round 3/300  aucpr 0.5000, 1 to 3 min left",
        "  features: 11 s so far, 5/10 tasks, 2 to 4 s left",
        "  features: 5/10 tasks, 11 s so far",
    ]


def test_what_is_told_beside_the_bar_fits_80_columns() -> None:
    outlook = Outlook("written", 123_456_789, 234_567_890, 6100.0, 19000.0)
    metrics = {"validation-aucpr": 0.51, "validation-logloss": 0.3217}
    beside = [
        consoles._how_far(stage("running", tasks_done=123_456, tasks_total=234_567), outlook),
        consoles._round(TrainingRound(123, 3000, metrics), outlook),
    ]
    before = len("⠋ 3/8 features  ") + 16 + 1
    assert max(map(len, beside)) <= 80 - before, beside


def test_paths_below_the_working_directory_are_shortened(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    assert shortened(f"In '{out}/a' and /else{out}/b.") == f"In 'out/a' and /else{out}/b."
    monkeypatch.chdir("/")
    assert shortened("In /tmp/out.") == "In /tmp/out."
