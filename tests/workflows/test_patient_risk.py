"""The patient-risk job: who is judged, what is kept, and that nobody can be found in it."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable
from distributed import LocalCluster

from dmlkit.boosting import load_bundle
from dmlkit.errors import ConfigurationError
from dmlkit.tables.generate import patient_stays
from dmlkit.workflow import find_workflow, load_configuration
from dmlkit.workflows.risk_settings import RiskSettings
from tests import jobs
from tests.jobs import files_below
from tests.plans import check_plan

job = find_workflow("patient-risk")

QUICK = ("model.n_estimators=25", "model.learning_rate=0.2", "evaluation.replicates=20")


@pytest.fixture(scope="module")
def stays() -> pd.DataFrame:
    """Stays whose identifiers stand out, wherever they may turn up."""
    stays = patient_stays(patients=1_500, seed=1).compute()
    return stays.assign(
        stay_id="stay-" + stays["stay_id"].astype(str),
        patient_id="person-" + stays["patient_id"].astype(str),
    )


@pytest.fixture(scope="module")
def finished(
    stays: pd.DataFrame, process_cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The output of a job on a table with a bad row. Tests do not change it."""
    folder = tmp_path_factory.mktemp("risk")
    bad = stays.astype({"days": "str"}).tail(1).assign(stay_id="stay-bad", days="a while")
    jobs.write_in_parts(pd.concat([stays.astype({"days": "str"}), bad]), folder / "stays", files=2)
    outcome = run(folder / "stays", folder / "out", process_cluster)
    assert outcome.code == 0, outcome.stderr
    return folder / "out"


def run(data: Path, out: Path, cluster: LocalCluster, *options: str) -> jobs.Outcome:
    settings = [part for setting in QUICK for part in ("--set", setting)]
    return jobs.dmlkit(
        *("run", "patient-risk", "--data", data, "--out", out, "--json", *settings),
        *("--scheduler", cluster.scheduler_address, *options),
    )


def test_metrics_tell_how_good_right_and_fair_it_is(finished: Path) -> None:
    metrics = json.loads((finished / "metrics.json").read_text())
    assert metrics["test.roc_auc"] > 0.58
    assert metrics["test.expected_calibration_error"] < 0.08
    assert "test.expected_calibration_error.high" in metrics
    assert metrics["logistic_regression.roc_auc"] > 0.58
    assert metrics["table.bad_rows"] == 1


def test_no_identifier_is_in_any_artefact(finished: Path) -> None:
    for name, content in files_below(finished).items():
        text = content
        if name.endswith(".parquet"):
            text = pd.read_parquet(finished / name).to_csv().encode()
        assert b"person-" not in text, name
        assert b"stay-" not in text, name


def test_no_patient_is_on_two_sides(stays: pd.DataFrame, finished: Path) -> None:
    """The parts are those of the split, which is by patient."""
    parts = RiskSettings().split.by_patient().split(stays, "patient_id")
    metrics = json.loads((finished / "metrics.json").read_text())
    for name, part in parts._asdict().items():
        assert metrics[f"{name}.rows"] == len(part)


def test_no_more_patients_are_flagged_than_there_is_time_for(finished: Path) -> None:
    scores = DeltaTable(str(finished / "scores")).to_pandas()
    validation = scores[scores["part"] == "validation"]
    assert validation["flagged"].mean() <= 0.1
    assert set(scores.columns) == {"part", "readmitted", "score", "flagged"}


def test_the_report_speaks_to_a_clinician(finished: Path) -> None:
    page = (finished / "report.html").read_text()
    for words in ("Of 1,000 patients who go home", "Is it fair", "logistic regression", "[60-70)"):
        assert words in page


def test_new_stays_get_the_scores_of_the_run(
    stays: pd.DataFrame, finished: Path, process_cluster: LocalCluster, tmp_path: Path
) -> None:
    """Scored from the bundle alone, without label and patient, from a CSV file."""
    tested = RiskSettings().split.by_patient().split(stays, "patient_id").test
    tested.drop(columns=["readmitted", "patient_id"]).to_csv(tmp_path / "new.csv", index=False)
    outcome = jobs.dmlkit(
        *("score", finished / "model", "--data", tmp_path / "new.csv", "--json"),
        *("--out", tmp_path / "scored", "--scheduler", process_cluster.scheduler_address),
    )
    assert outcome.code == 0, outcome.stderr
    assert "--history" not in outcome.stderr
    found = DeltaTable(str(tmp_path / "scored")).to_pandas()
    kept = DeltaTable(str(finished / "scores")).to_pandas()
    expected = kept.loc[kept["part"] == "test", "score"]
    assert set(found["stay_id"]) == set(tested["stay_id"])
    pd.testing.assert_series_equal(
        found["score"].sort_values(ignore_index=True),
        expected.sort_values(ignore_index=True),
        atol=1e-6,
    )


def test_a_finished_job_is_taken_over(
    finished: Path, process_cluster: LocalCluster, tmp_path: Path
) -> None:
    out = Path(shutil.copytree(finished, tmp_path / "out"))
    before = (out / "metrics.json").read_text()
    outcome = run(finished.parent / "stays", out, process_cluster, "--resume")
    assert outcome.code == 0, outcome.stderr
    manifest = json.loads((out / "manifest.json").read_text())
    resumed = [stage["name"] for stage in manifest["stages"] if stage["state"] == "resumed"]
    assert {"prepare", "train", "score"} <= set(resumed)
    assert (out / "metrics.json").read_text() == before


def test_the_bundle_has_the_calibration(finished: Path) -> None:
    bundle = load_bundle(finished / "model")
    assert bundle.metadata["calibration"]["method"] == "sigmoid"
    assert bundle.features["kind"] == "column_transformer"


def test_the_preset_is_valid_and_found_by_its_columns(tmp_path: Path) -> None:
    (preset,) = job.presets
    names = load_configuration(RiskSettings, file=preset).renamed().values()
    (tmp_path / "table.csv").write_text(",".join(names) + "\n" + ",".join("1" for _ in names))
    assert job.matching_preset(str(tmp_path / "table.csv")) == preset


def test_what_identifies_a_patient_is_no_feature() -> None:
    with pytest.raises(ConfigurationError, match="'patient_id' identifies or labels a stay"):
        load_configuration(RiskSettings, assignments=['features.codes=["patient_id"]'])
    with pytest.raises(ConfigurationError, match=r"evaluation\.groups names 'income'"):
        load_configuration(RiskSettings, assignments=['evaluation.groups=["income"]'])


def test_the_plan_tells_its_stages_rows_and_files(finished: Path) -> None:
    check_plan(finished, {"validate": 0, "score": 0.01})
