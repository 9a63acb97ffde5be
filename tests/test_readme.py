"""What the README tells people to type works, and the files that it points to are there."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import LocalCluster, default_client

from dmlkit.cli import main
from dmlkit.tables.generate import card_transactions

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(page: Path) -> list[str]:
    lines = [line for block in blocks(page, "console") for line in block.splitlines()]
    return [command for line in lines for command in line.partition("#")[0].split(" && ")]


def of_program(name: str, *pages: Path) -> list[str]:
    return [line for page in pages for line in commands(page) if line.startswith(f"{name} ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tables that the examples name."""
    folder = tmp_path_factory.mktemp("readme")
    table = card_transactions(300, 600, days=75, start="2025-01-01", partitions=3)
    table = table.drop(columns="fraud_scenario")
    table.to_parquet(folder / "transactions", write_index=False)
    table.partitions[2].compute().tail(500).to_parquet(folder / "today.parquet", index=False)
    return folder


@pytest.fixture(autouse=True)
def in_folder(
    folder: Path, process_cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.chdir(folder)
    with dask.config.set({"scheduler-address": process_cluster.scheduler_address}):
        yield


@pytest.mark.slow
def test_the_commands_of_the_readme_run_in_order(
    folder: Path, process_cluster: LocalCluster
) -> None:
    lines = of_program("dmlkit", ROOT / "README.md")
    assert len(lines) >= 4
    for line in lines:
        arguments = shlex.split(
            line.replace("tls://10.0.0.1:8786", process_cluster.scheduler_address)
        )
        with pytest.raises(SystemExit) as exit_:
            main(arguments[1:])
        assert exit_.value.code == 0, line
    for name in ("report.html", "metrics.json", "model", "scores", "manifest.json"):
        assert (folder / "out" / name).exists()
    assert (folder / "scores").is_dir()


@pytest.mark.slow
def test_the_python_of_the_readme_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = blocks(ROOT / "README.md", "python")
    try:
        exec(compile(program, "README.md", "exec"), {"__name__": "__main__"})
    finally:
        default_client().close()  # a program's ends with it
    assert "roc_auc" in capsys.readouterr().out


def test_the_python_of_contributing_declares_a_workflow() -> None:
    (program,) = blocks(ROOT / "CONTRIBUTING.md", "python")
    names: dict[str, object] = {"__name__": "example"}
    exec(compile(program, "CONTRIBUTING.md", "exec"), names)
    assert [stage.name for stage in names["job"].stages] == ["large", "publish"]  # type: ignore[attr-defined]


def test_each_make_target_that_is_named_exists() -> None:
    named = {line.split()[1] for line in of_program("make", *PAGES)}
    assert {"demo", "test", "check"} <= named
    for target in named:
        environment = {**os.environ, "MAKEFLAGS": ""}
        subprocess.run(
            ["make", "-n", target], cwd=ROOT, env=environment, check=True, capture_output=True
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_point_to_files_that_are_there(page: Path) -> None:
    targets = re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_benchmarks_that_are_named_can_be_run() -> None:
    pattern = r"python -m benchmarks\.(\w+)"
    named = {name for page in PAGES for name in re.findall(pattern, page.read_text())}
    assert named
    assert [name for name in named if not (ROOT / "benchmarks" / f"{name}.py").is_file()] == []
