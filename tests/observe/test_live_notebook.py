"""The story below a cell of a real notebook, while a job runs in the next one; and when saved."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.jobs import QUICK

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

LIVE = """
from dmlkit import connect
from dmlkit.observe.notebook import live

client = connect(workers=2, threads=1, memory="1GiB")
live()
"""

JOB = """
from dmlkit.workflow import find_workflow, load_configuration, run_workflow

job = find_workflow("fraud-detection")
settings = load_configuration(job.configuration, assignments=SETTINGS)
run_workflow(job, data=DATA, out="out", configuration=settings)
"""

END = """
import time

time.sleep(2)  # until it has been drawn once more
"""


@pytest.mark.long
def test_a_saved_notebook_tells_the_whole_story(transactions_path: Path, tmp_path: Path) -> None:
    known = f"DATA, SETTINGS = {str(transactions_path)!r}, {list(QUICK)!r}\n"
    cells = [nbformat.v4.new_code_cell(text) for text in (LIVE, known + JOB, END)]
    notebook: Any = nbformat.v4.new_notebook(cells=cells)
    where = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(notebook, timeout=240, kernel_name="python3", resources=where).execute()
    nbformat.write(notebook, tmp_path / "saved.ipynb")
    saved = nbformat.read(tmp_path / "saved.ipynb", as_version=4)
    shown = [out["data"] for out in saved.cells[0].outputs if "data" in out]
    story = next(data for data in shown if "text/html" in data)
    text = re.sub(r"<[^>]+>", " ", story["text/html"])
    assert "fraud-detection" in text
    assert text.count("✓") == 8
    assert "done after" in text
    assert "2 workers" in story["text/plain"]  # for who shows no HTML
    errors = [out for cell in saved.cells for out in cell.outputs if out.output_type == "error"]
    assert errors == []
