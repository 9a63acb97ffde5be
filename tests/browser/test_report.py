"""A report in a real browser: it draws its charts, asks for nothing, and fits narrow screens."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dmlkit.metrics import Costs, evaluate_binary
from dmlkit.metrics.report import ReportInputs, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip

#: Tells the page around it of errors, of what was fetched or refused or is too wide, of drawings.
PROBE = """<script>
const seen = {errors: [], refused: []};
addEventListener("error", event => seen.errors.push(event.message));
addEventListener("securitypolicyviolation", event => seen.refused.push(event.blockedURI));
setTimeout(() => {
  const drawings = host => [...host.querySelectorAll("*")].reduce(
    (sum, element) => sum + (element.localName === "path")
      + (element.shadowRoot ? drawings(element.shadowRoot) : 0), 0);
  seen.fetched = performance.getEntriesByType("resource").map(entry => entry.name);
  seen.tooWide = [...document.querySelectorAll("main *")].filter(
    element => element.getBoundingClientRect().right > innerWidth + 0.5).length;
  seen.width = innerWidth;
  seen.paths = [...document.querySelectorAll(".chart")].map(drawings);
  parent.postMessage(JSON.stringify(seen), "*");
}, 1500);
</script>"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "report.html"
    random = np.random.default_rng(3)
    score = random.beta(0.4, 4, 3000)
    label, amount = random.random(3000) < score, random.gamma(2, 40, 3000)
    scores = pd.DataFrame({"label": label.astype("int8"), "score": score, "amount": amount})
    evaluation = evaluate_binary(scores, label="label", score="score", costs=Costs())
    long_names = [f"terminal_id_fraud_mean_{days}d_delay_7d" for days in (1, 7)] + ["f" * 80]
    importance = pd.DataFrame({"feature": long_names, "gain": 1 / 3, "shap": [0.3, 0.2, 0.1]})
    pairs = pd.DataFrame({"feature": long_names[0], "other": long_names[1:], "shap": [0.2, 0.1]})
    points = pd.concat([pairs] * 50).assign(
        value=random.random(100), other_value=random.random(100), shap=random.normal(size=100)
    )
    curve = {"validation": {"aucpr": [0.1, 0.3, 0.2]}}
    write_report(
        path,
        ReportInputs(
            "Fraud detection",
            "$$x$$ is not taken for TeX",
            evaluation,
            importance=importance,
            interactions=pairs,
            interaction_points=points,
            learning_curve=curve,
            positives="$$x$$",
        ),
    )
    return path


#: A frame can be as narrow as a telephone; windows without a screen have 500 pixels at least.
FRAME = """<body><iframe src="probed.html" width="{width}" height="900" style="border: 0"></iframe>
<script>onmessage = event => document.body.dataset.seen = event.data;</script>"""


def visit(report: Path, width: int, tmp_path: Path) -> dict:
    """Open the report in a frame so wide, and return what the probe saw."""
    html = report.read_text(encoding="utf-8").replace("<title>", f"{PROBE}<title>", 1)
    (tmp_path / "probed.html").write_text(html, encoding="utf-8")
    around = tmp_path / "around.html"
    around.write_text(FRAME.format(width=width))
    profile, waits = f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=5000"
    command = [CHROMIUM, *FLAGS, profile, waits, "--dump-dom", around.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    return json.loads(unescape(re.search(r'data-seen="([^"]*)"', dom)[1]))


@pytest.mark.parametrize("width", [380, 1400])
def test_charts_are_drawn_without_asking_for_anything(report, tmp_path, width):
    seen = visit(report, width, tmp_path)
    assert seen["errors"] == seen["refused"] == seen["fetched"] == []
    assert len(seen["paths"]) == 8
    assert all(paths > 5 for paths in seen["paths"])
    assert (seen["width"], seen["tooWide"]) == (width, 0)
