"""A short run of the crash matrix of `benchmarks.writes`, and whether that would find a loss."""

from collections import Counter

import pytest

from benchmarks.writes import BASE, OTHER, ROWS, VICTIM, as_table, judge, run_trials

KILLED, DONE = {VICTIM: "killed", OTHER: "done"}, {VICTIM: "done", OTHER: "done"}


@pytest.mark.slow
@pytest.mark.cluster
def test_killed_writers_lose_duplicate_and_halve_nothing() -> None:
    trials = run_trials(kills=4, seed=0, stores=["local"])
    assert [trial.write for trial in trials] == ["create", "append", "overwrite", "partitions"]
    for trial in trials:
        found = (trial.rows_lost, trial.rows_duplicated, trial.half_writes, trial.files_left)
        assert (found, trial.unclear) == ((0, 0, 0, 0), ""), trial
    assert as_table(trials).row_count == 4


@pytest.mark.parametrize(
    ("write", "rows", "ends", "lost", "half"),
    [
        ("append", {BASE: ROWS, OTHER: ROWS}, KILLED, 0, 0),
        ("append", {BASE: ROWS, OTHER: ROWS, VICTIM: ROWS}, KILLED, 0, 0),
        ("append", {BASE: ROWS, OTHER: ROWS}, DONE, ROWS, 0),
        ("append", {OTHER: ROWS}, KILLED, ROWS, 0),
        ("append", {BASE: ROWS, OTHER: ROWS, VICTIM: 5}, KILLED, 0, 1),
        ("overwrite", {VICTIM: ROWS}, KILLED, 0, 0),
        ("overwrite", {BASE: ROWS}, KILLED, ROWS, 0),
        ("overwrite", {VICTIM: ROWS, OTHER: ROWS}, KILLED, 0, 1),
        ("partitions", {VICTIM: ROWS, OTHER: ROWS}, DONE, 0, 1),
        ("create", {}, KILLED, ROWS, 0),
        ("create", {}, {VICTIM: "killed", OTHER: "refused"}, 0, 0),
    ],
)
def test_what_is_lost_or_halved_is_found(
    write: str, rows: dict[int, int], ends: dict[int, str], lost: int, half: int
) -> None:
    assert judge(write, Counter(rows), ends) == (lost, half)
