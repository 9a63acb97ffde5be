"""What a process may use: the least of the machine and of each cgroup above it."""

from pathlib import Path

import pytest

from dmlkit.cluster import limits as module
from dmlkit.cluster.limits import Limits, limits

MIB = 2**20


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty file system of cgroups, on a machine of 8 cores and 8,192 MiB."""
    monkeypatch.setattr(module, "CGROUPS", tmp_path)
    monkeypatch.setattr(module, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(module, "CPU_COUNT", 8)
    monkeypatch.setattr(module, "MEMORY_LIMIT", 8192 * MIB)
    return tmp_path


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_without_cgroups_it_is_the_machine(groups: Path) -> None:
    assert limits() == Limits(8, 8192 * MIB)


def test_the_limits_of_the_own_group_and_of_those_above_count(groups: Path) -> None:
    write(groups / "own", "0::/system.slice/job_7/step_0\n")
    write(groups / "system.slice/job_7/memory.max", f"{1024 * MIB}\n")
    write(groups / "system.slice/job_7/step_0/memory.max", "max\n")
    write(groups / "system.slice/job_7/step_0/cpu.max", "250000 100000\n")
    write(groups / "system.slice/cpu.max", "max 100000\n")
    assert limits() == Limits(3, 1024 * MIB)  # 2.5 cores are worth three threads


def test_version_1_of_cgroups_is_read_too(groups: Path) -> None:
    write(groups / "own", "5:memory:/job\n4:cpu,cpuacct:/job\n")
    write(groups / "memory/job/memory.limit_in_bytes", f"{512 * MIB}\n")
    write(groups / "cpu,cpuacct/job/cpu.cfs_quota_us", "200000\n")
    write(groups / "cpu,cpuacct/job/cpu.cfs_period_us", "100000\n")
    assert limits() == Limits(2, 512 * MIB)


def test_no_limit_is_no_limit(groups: Path) -> None:
    write(groups / "own", "4:cpu:/\n")
    write(groups / "cpu/cpu.cfs_quota_us", "-1\n")
    write(groups / "cpu/cpu.cfs_period_us", "100000\n")
    assert limits() == Limits(8, 8192 * MIB)
