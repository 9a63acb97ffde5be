"""What code a stage is made of: changed helpers are seen, installed packages are not."""

import importlib
import linecache
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from dmlkit.workflow import own_files as looked_for
from dmlkit.workflow.fingerprint import fingerprint_code
from dmlkit.workflow.own_files import own_files

FILES = {
    "the_job.py": "import the_helpers\nfrom the_limits import LIMIT\n"
    "def stage(run):\n    import the_lazy\n    return the_helpers.clean\n",
    "the_helpers.py": "from the_deep.far import away\ndef clean(frame): return away(frame)\n",
    "the_limits.py": "LIMIT = 3\n",
    "the_lazy.py": "import numpy\n",
    "the_deep/__init__.py": "",
    "the_deep/far.py": "def away(frame):\n"
    "    from . import nearer\n    from .. import beyond\n    return frame\n",
    "the_deep/nearer.py": "broken(",
    "the_other.py": "",
}


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A workflow in a folder with helpers, of which none is in a package with it."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("the_job")
    for name in [name for name in sys.modules if name.startswith("the_")]:
        del sys.modules[name]


def test_imports_are_followed_within_the_folder_of_the_workflow(
    job: ModuleType, tmp_path: Path
) -> None:
    found = [path.relative_to(tmp_path).as_posix() for path in own_files(job)]
    assert found == sorted(set(FILES) - {"the_job.py", "the_other.py"})
    assert "the_lazy" not in sys.modules


@pytest.mark.parametrize(
    "name", ["the_job.py", "the_helpers.py", "the_limits.py", "the_lazy.py", "the_deep/far.py"]
)
def test_a_stage_is_another_when_a_helper_changed(
    job: ModuleType, tmp_path: Path, name: str
) -> None:
    before = fingerprint_code(job.stage)
    (tmp_path / "the_other.py").write_text("changed = 1")
    assert fingerprint_code(job.stage) == before
    (tmp_path / name).write_text(f"{FILES[name]}\nchanged = 1\n")
    assert fingerprint_code(job.stage) != before


def type_in(notebook: ModuleType, text: str) -> None:
    """Run a cell of a notebook, which keeps its source as IPython does."""
    name = f"<cell {len(linecache.cache)}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    exec(compile(text, name, "exec"), vars(notebook))


def test_what_is_typed_into_a_notebook_is_code_too(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = ModuleType("notebook")
    monkeypatch.setitem(sys.modules, "notebook", notebook)
    before = ""
    for cell in (
        "def clean(a): return a\ndef stage(run): return clean(1)\ndef other(run): return 1\n",
        "def clean(a): return -a\n",
        "def stage(run): return clean(2)\n",
    ):
        type_in(notebook, cell)
        stages = [notebook.stage, notebook.other]
        assert fingerprint_code(notebook.stage, stages) != before
        before = fingerprint_code(notebook.stage, stages)
        assert fingerprint_code(notebook.stage, stages) == before
    type_in(notebook, "def other(run): return 2\n")
    assert fingerprint_code(notebook.stage, [notebook.stage, notebook.other]) == before


def test_installed_packages_below_the_workflow_are_left_out(
    job: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looked_for, "INSTALLED", [tmp_path / "the_deep"])
    assert [path.name for path in own_files(job)] == [
        "the_helpers.py",
        "the_lazy.py",
        "the_limits.py",
    ]
    # A workflow that is installed itself is of its author all the same.
    monkeypatch.setattr(looked_for, "INSTALLED", [tmp_path.parent])
    assert len(own_files(job)) == 6
