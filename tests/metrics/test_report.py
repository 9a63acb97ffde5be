"""A report is one file: it tells all there is, fetches nothing, and bears what is missing."""

import re
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import OutputError
from dmlkit.metrics import BinaryEvaluation, Costs, evaluate_binary
from dmlkit.metrics.report import BadRows, Period, ReportInputs, StageTime, write_report
from dmlkit.metrics.report.budget import budgets, gain_chart
from dmlkit.metrics.report.learning import learning_charts
from dmlkit.metrics.report.tables import feature_rows
from dmlkit.metrics.report.wording import wording_of

NAMES = {"label": "label", "score": "score"}
HOSTILE = "</script><script>alert('$$x$$')</script>&\"'"
COSTS = Costs(check=10)


class Page(HTMLParser):
    """What a page says, apart from styles and scripts, and what it refers to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.labels: list[str] = []
        self.scripts = 0
        self._inside = ""
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.scripts += tag == "script"
        named = dict(attrs)
        self.links += [named[name] or "" for name in ("src", "href", "action") if name in named]
        self.labels += [named["aria-label"] or ""] if "aria-label" in named else []

    def handle_endtag(self, _tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            return
        self.words.append(data.strip())
        if self._inside in ("h1", "h2", "h3"):
            self.headings.append(data)


@pytest.fixture(scope="module")
def evaluation(scores: pd.DataFrame) -> BinaryEvaluation:
    return evaluate_binary(
        scores, **NAMES, time="time", entity="card", costs=COSTS, replicates=20, k=20
    )


def _points() -> pd.DataFrame:
    """Rows of three pairs: two numbers, of which some are missing; a number and text; two texts."""
    random = np.random.default_rng(1)
    numbers = random.random(200).astype(object)
    shops, towns = random.choice(["a", "b", "c", "d"], 200), random.choice(["x", "y"], 200)
    pairs = {
        ("amount", "night"): (numbers, [None, *numbers[1:]]),
        ("shop", "amount"): (shops, numbers),
        ("shop", "town"): (shops, towns),
    }
    tables = [
        pd.DataFrame({"feature": feature, "other": other, "value": value, "other_value": beside})
        for (feature, other), (value, beside) in pairs.items()
    ]
    return pd.concat(tables, ignore_index=True).assign(shap=random.normal(size=600))


@pytest.fixture(scope="module")
def inputs(evaluation: BinaryEvaluation) -> ReportInputs:
    return ReportInputs(
        title="Fraud detection",
        subtitle="6,000 transactions judged",
        facts=[("Table", "transactions/*.parquet")],
        periods=[
            Period("train", datetime(2025, 2, 1), datetime(2025, 2, 22), 18000, 500),
            Period("delay", datetime(2025, 2, 22), datetime(2025, 3, 1)),
            Period("test", datetime(2025, 3, 1), datetime(2025, 3, 8), 6000, 180),
        ],
        evaluation=evaluation,
        importance=pd.DataFrame(
            {"feature": ["amount", "night"], "gain": [0.25, 0.75], "shap": [1.5, 0.2]}
        ),
        interactions=pd.DataFrame(
            {"feature": ["amount", "night"], "other": ["night", "shop"], "shap": [0.4, 0.1]}
        ),
        interaction_points=_points(),
        stages=[StageTime("read", 24000, None, 0.4), StageTime("train", None, 52000, 71.0)],
        bad_rows=[BadRows("amount is missing", 12, "row 4711 of part-3.csv")],
        warnings=["A worker was lost."],
        learning_curve={"validation": {"aucpr": [0.2, 0.5, 0.4]}},
        reference={"roc_auc": 0.99, "matthews_correlation": 0.61},
        costs=COSTS,
        positives="frauds",
    )


@pytest.fixture
def written(tmp_path: Path):
    def write(inputs: ReportInputs) -> Page:
        write_report(tmp_path / "report.html", inputs)
        return Page(tmp_path / "report.html")

    return write


@pytest.fixture(scope="module")
def page(inputs: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, inputs)
    return Page(path)


def test_the_report_fetches_nothing_from_elsewhere(page):
    assert page.links == []
    assert "@import" not in page.html.split("</style>")[0]
    # and should a name or a new BokehJS want to: the browser is told not to
    assert "default-src 'none'" in page.html.split("<title>")[0]


def test_it_carries_the_core_of_bokehjs_only(page):
    assert len(page.html) < 2_000_000


def test_all_metrics_are_there_with_their_intervals(page, evaluation):
    for metric in evaluation.metrics:
        assert wording_of(metric).name in page.text
    low, high = evaluation.intervals["roc_auc"]
    assert f"{evaluation.metrics['roc_auc']:.3f} {low:.3f} to {high:.3f}" in page.text
    assert evaluation.interval_method in page.text


def test_pairs_of_features_are_told_and_drawn_where_one_is_a_number(page):
    assert "Features that act together" in page.headings
    assert "amount with night" in page.text
    assert "0.400" in page.text
    drawn = [heading for heading in page.headings if " with " in heading]
    assert drawn == ["amount with night", "amount with shop"]
    assert "night below 0." in page.text
    assert "shop: a" in page.text


def test_without_interactions_there_is_no_word_of_them(written, inputs):
    page = written(replace(inputs, interactions=None, interaction_points=None))
    assert "act together" not in page.text
    only_pairs = written(replace(inputs, interaction_points=None))
    assert "act together" in only_pairs.text
    assert not [heading for heading in only_pairs.headings if " with " in heading]


def test_the_metrics_that_decide_come_first(page):
    headings = page.headings[:5]
    assert headings == ["Fraud detection", "Card precision at 20", "Average precision", "ROC AUC",
                        "Recall"]  # fmt: skip


def test_published_values_stand_beside_ours(page):
    assert "Published: 0.990, above our interval" in page.text


def test_a_published_value_that_we_do_not_have_is_told(page):
    assert "Matthews correlation – 0.610" in page.text  # noqa: RUF001


def test_it_says_what_was_run_on_what(page):
    assert "Table transactions/*.parquet" in page.text
    assert "A worker was lost." in page.text
    assert "amount is missing row 4711 of part-3.csv 12" in page.text


def test_the_split_is_told_as_dates_rows_and_positives(page):
    assert "train 1 to 21 Feb 2025 21 18,000 500 2.8%" in page.text
    assert "delay 22 to 28 Feb 2025 7" in page.text
    assert any("test 1 to 7 Mar 2025" in label for label in page.labels)


def test_each_chart_has_a_title_a_sentence_and_words_for_who_does_not_see_it(page):
    titles = ["ROC curve", "Precision and recall", "Scores", "Calibration", "Gain by budget"]
    for title in [*titles, "Learning curve"]:
        assert title in page.headings
    spoken = " ".join(page.labels)
    for words in ("ROC curve, area 0.", "Average precision 0.", "Histogram of", "Calibration in",
                  "The gain is highest", "best: 0.5000 in round 2"):  # fmt: skip
        assert words in spoken


def test_the_best_budget_is_marked(page, evaluation):
    best = evaluation.gain.gain.argmax()
    rows, gain = evaluation.gain.checked[best], evaluation.gain.gain[best]
    assert re.search(rf"{rows:,.0f} \([\d.]+%\) best [\d,]+ {gain:,.0f}", page.text)
    assert "A check costs 10.00. Each of the frauds that is missed costs its amount." in page.text


def test_features_are_ordered_by_shap(page):
    assert "amount 1.500 25.0% night 0.200 75.0%" in page.text


def test_a_feature_that_only_gain_puts_first_is_there_too():
    names = [f"feature{number}" for number in range(40)]
    importance = pd.DataFrame(
        {"feature": names, "gain": [0.001] * 39 + [0.9], "shap": range(40, 0, -1)}
    )
    told = [row.name for row in feature_rows(importance)]
    assert told[0] == "feature0"
    assert told[-1] == "feature39"
    assert "feature30" not in told


def test_features_may_be_the_index(inputs):
    told = inputs.importance
    assert feature_rows(told.set_index("feature")) == feature_rows(told)
    assert feature_rows(told.head(0)) == feature_rows(None) == []


def test_stages_have_times_rows_and_sizes(page):
    assert "1 min 11 s in all" in page.text
    assert "read 0.40 s 24,000" in page.text
    assert "train 1 min 11 s 50.78 kiB" in page.text


def test_text_from_outside_is_shown_and_not_run(inputs, written):
    page = written(
        replace(
            inputs,
            title=HOSTILE,
            subtitle=HOSTILE,
            facts=[(HOSTILE, HOSTILE)],
            periods=[replace(inputs.periods[0], name=HOSTILE)],
            importance=inputs.importance.assign(feature=[HOSTILE, "b"]),
            stages=[StageTime(HOSTILE, 1, 1, 1.0, HOSTILE)],
            bad_rows=[BadRows(HOSTILE, 1, HOSTILE)],
            warnings=[HOSTILE],
            learning_curve={HOSTILE: {HOSTILE: [0.1, 0.2]}},
            reference={HOSTILE: 0.1},
            positives=HOSTILE,
        )
    )
    assert page.scripts == 3  # BokehJS, the charts, and printing
    assert page.text.count("alert('$$x$$')") > 12


def test_only_the_evaluation_is_needed(written, scores):
    frame = scores.head(200)
    page = written(ReportInputs("Mine", "", evaluate_binary(frame, **NAMES, replicates=0)))
    assert "ROC AUC" in page.text
    for absent in ("Split in time", "What was run", "Bad rows", "What checking pays", "The model",
                   "Where the time went", "Published"):  # fmt: skip
        assert absent not in page.headings


def test_no_bad_rows_is_said_where_rows_were_checked(inputs, written):
    assert "None: every row keeps the rules" in written(replace(inputs, bad_rows=[])).text


@pytest.mark.parametrize(("missed", "best"), [(0.0, "0"), (1e9, "6,000")])
def test_checking_that_never_pays_or_always_does(scores, missed, best):
    scores = scores.assign(label=[0, 1] * 3000, score=[0.9, 0.1] * 3000)
    costs = Costs(check=10, missed=missed)
    curve = evaluate_binary(scores, **NAMES, costs=costs, replicates=0).gain
    assert [budget.checked for budget in budgets(curve) if budget.best] == [best]
    assert f"when {best} rows are checked" in gain_chart(curve, "frauds").spoken


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_one_score_for_all_rows(inputs, written, scores):
    evaluation = evaluate_binary(scores.assign(score=0.25), **NAMES, costs=COSTS, replicates=5)
    page = written(replace(inputs, evaluation=evaluation))
    assert "ROC AUC 0.500" in page.text


@pytest.mark.parametrize(
    "curves",
    [{}, {"validation": {}}, {"validation": {"aucpr": []}}, {"v": {"aucpr": [float("nan")]}}],
)
def test_no_learning_curve(curves):
    assert learning_charts(curves) == []


def test_each_metric_of_training_has_a_chart_with_a_line_for_each_set():
    both = {"logloss": [0.6, 0.3, 0.4], "auc": [0.6, 0.8, 0.7]}
    charts = learning_charts({"train": both, "validation": both})
    assert [[key.text for key in chart.keys] for chart in charts] == [
        ["logloss, train", "logloss, validation", "Best: 0.3000 in round 2"],
        ["auc, train", "auc, validation", "Best: 0.8000 in round 2"],
    ]


def test_a_report_that_cannot_be_written_leaves_the_old_one(inputs, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    monkeypatch.setattr("dmlkit.metrics.report.page.render_report", lambda _: "new")
    with pytest.raises(OutputError, match=r"report\.html.*No space left"):
        write_report(path, inputs)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_error(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr("dmlkit.metrics.report.page.render_report", lambda _: "new")
    with pytest.raises(OutputError, match="No such file or directory"):
        write_report(tmp_path / "nowhere" / "report.html", inputs)
