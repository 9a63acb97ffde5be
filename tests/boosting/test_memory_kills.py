"""What the kernel tells of processes that it ended for want of memory."""

import multiprocessing
from pathlib import Path

import pytest

from dmlkit.boosting import memory_kills as module
from dmlkit.boosting.memory_kills import be_ended_first, count_memory_kills


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty file system of control groups, on a machine that has ended one process."""
    monkeypatch.setattr(module, "CGROUPS", tmp_path)
    monkeypatch.setattr(module, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(module, "MACHINE", tmp_path / "vmstat")
    (tmp_path / "vmstat").write_text("pgfault 12\noom_kill 1\n")
    return tmp_path


def test_the_machine_and_both_versions_of_groups_are_counted(groups: Path) -> None:
    assert count_memory_kills() == 1
    (groups / "own").write_text("4:memory:/job\n0::/pod/box\n")
    for folder in ("memory/job", "pod/box"):
        (groups / folder).mkdir(parents=True)
    (groups / "memory/job/memory.oom_control").write_text("under_oom 0\noom_kill 2\n")
    (groups / "pod/box/memory.events").write_text("oom 9\noom_kill 3\noom_group_kill 0\n")
    assert count_memory_kills() == 6


def test_nothing_is_counted_where_nothing_is_told(groups: Path) -> None:
    (groups / "vmstat").write_text("something else\n")
    assert count_memory_kills() == 0


def own_score(answer: "multiprocessing.Queue[str]") -> None:
    be_ended_first()
    answer.put(Path("/proc/self/oom_score_adj").read_text().strip())


@pytest.mark.skipif(not module.OWN_SCORE.exists(), reason="only Linux ranks processes")
def test_a_process_has_itself_ended_before_all_others() -> None:
    context = multiprocessing.get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=own_score, args=(answer,))
    process.start()
    assert answer.get(timeout=60) == "1000"
    process.join()
