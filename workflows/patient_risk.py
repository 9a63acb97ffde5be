"""Patient risk: hospital stays in; who will come back within 30 days, for a clinician to act on.

Run it with ``dmlkit run patient-risk --data TABLE --out FOLDER``, or without ``--data`` on
generated stays. The settings are in ``risk_settings.py``; the stages are all here. Nothing that
is kept, from the first stage to the report, has an identifier of a stay or a patient in it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dmlkit.boosting import Bundle, XGBClassifier, feature_importance, feature_interactions
from dmlkit.linear_model import LogisticRegression
from dmlkit.metrics import Calibrator, evaluate_binary, evaluate_groups, threshold_at_capacity
from dmlkit.model_selection import TrainValidationTest, count_parts
from dmlkit.scoring import CalibratedModel, blank_markers, read_renamed
from dmlkit.tables import Column, Schema, check_table
from dmlkit.tables.generate import patient_stays
from dmlkit.workflow import BUNDLE, TABLE, Run, Workflow
from dmlkit.workflows.risk_artefacts import write_artefacts
from dmlkit.workflows.risk_plan import plan_risk
from dmlkit.workflows.risk_prepared import PREPARED, Prepared, prepare_parts
from dmlkit.workflows.risk_settings import (
    RiskSettings,
    flag,
    identifier_type,
    matching_preset,
)

job = Workflow(
    "patient-risk",
    RiskSettings,
    "Hospital stays in; who comes back within 30 days, calibrated, fair and readable.",
    presets=sorted((Path(__file__).parent / "configs").glob("risk_*.toml")),
    matches=matching_preset,
    makes_data=True,
    plans=plan_risk,
)


@job.stage(uses=["columns", "features", "coding", "generate"])
def read(run: Run) -> Any:
    """Read the table under the names that the job uses, or make one."""
    settings = run.configuration
    if run.data is None:
        table = patient_stays(**settings.generate.model_dump())
        table = table[list(settings.renamed())]
    else:
        table = read_renamed(run.data, settings.renamed())
    identifiers = ("stay_id", "patient_id")
    run.note(identifiers={name: identifier_type(table, name) for name in identifiers})
    return blank_markers(table, settings.coding.missing)


@job.stage(uses=["validation", "features", "coding"])
def validate(run: Run, read: Any) -> Any:
    """Let good rows go on; too many bad ones end the job. Which they are is not kept."""
    settings = run.configuration
    identifiers = run.records["read"].notes["identifiers"]
    schema = settings.features.schema_for(identifiers["stay_id"])
    own = [Column("patient_id", identifiers["patient_id"]), Column("readmitted", "string")]
    checked = check_table(
        read,
        Schema([*schema.columns, *own], unique=schema.unique),
        quarantine=run.quarantine if settings.validation.keep_bad_rows else None,
        max_bad_share=settings.validation.max_bad_share,
    )
    run.note(rows=checked.rows, bad_rows=checked.bad_rows, reasons=checked.reasons)
    run.note(schema=schema.to_dict())
    if checked.bad_rows:
        run.warn(f"{checked.bad_rows:,} of {checked.rows:,} rows are bad and left out.")
    # Not as a column of its own: good rows come of two tables, the rows and where the bad ones are,
    # and Dask would shuffle both where a column meets them again.
    meta = checked.frame._meta.astype({"readmitted": "int8"})
    return checked.frame.map_partitions(_flagged, settings.coding.positive, meta=meta)


def _flagged(rows: pd.DataFrame, positive: Sequence[str]) -> pd.DataFrame:
    return rows.assign(readmitted=flag(rows["readmitted"], positive))


@job.stage(uses=["split"])
def split(run: Run, validate: Any) -> TrainValidationTest:
    """Keep patients apart: all stays of one are in one part."""
    parts = run.configuration.split.by_patient().split(validate, "patient_id")
    run.note(parts=count_parts(parts, "readmitted"))
    return parts


@job.stage(uses=["features", "evaluation"], keep=PREPARED)
def prepare(run: Run, split: TrainValidationTest) -> Prepared:
    """Encode columns, codes by the outcomes of other patients; leave out who the patients are."""
    settings = run.configuration
    trees, linear = settings.features.for_trees(), settings.features.for_linear_model()
    groups = settings.evaluation.groups
    prepared = prepare_parts(split, settings.features.names, trees, linear, groups)
    run.note(passes={"trees": trees.passes_, "linear": linear.passes_})
    return prepared


@job.stage(uses=["model", "calibration", "capacity", "coding", "columns"], keep=BUNDLE)
def train(run: Run, prepare: Prepared) -> Bundle:
    """Boost trees, make probabilities of their scores, and find whom there is time for."""
    settings = run.configuration
    names = prepare.names
    fitted, watched = prepare.part("train"), prepare.part("validation")
    model = XGBClassifier(**settings.model.model_dump())
    model.fit(
        fitted[names],
        fitted["readmitted"],
        eval_set=[(watched[names], watched["readmitted"])],
    )
    raw = model.predict_proba(watched[names])[1]
    calibrator = Calibrator(settings.calibration.method).fit(watched["readmitted"], raw)
    threshold = threshold_at_capacity(
        watched["readmitted"], calibrator.predict(raw), share=settings.capacity.share
    )
    (curve,) = model.evals_result().values()
    run.note(learning_curve={"validation": curve})
    run.note(device=model.device_, why=model.device_reason_)
    return Bundle(
        model=model,
        features=prepare.transformer.to_dict(),
        schema=run.records["validate"].notes["schema"],
        threshold=threshold,
        metadata={
            "workflow": run.workflow,
            "columns": {
                name: source
                for name, source in settings.renamed().items()
                if name not in ("patient_id", "readmitted")
            },
            "label": "readmitted",
            "keys": ["stay_id"],
            "missing": list(settings.coding.missing),
            "calibration": calibrator.to_dict(),
        },
    )


@job.stage(keep=TABLE)
def score(run: Run, prepare: Prepared, train: Bundle) -> Any:
    """Score every stay, by the model and by logistic regression on the same rows."""
    fitted = prepare.part("train")
    linear = LogisticRegression().fit(fitted[prepare.linear_names], fitted["readmitted"])
    calibrator = Calibrator.from_dict(train.metadata["calibration"])
    model = CalibratedModel(train.model, calibrator)
    groups = [f"group_{name}" for name in run.configuration.evaluation.groups]
    kept = ["part", "readmitted", "block", *groups]
    meta = prepare.frame._meta[kept].assign(score=0.0, logistic_regression=0.0)
    return prepare.frame.map_partitions(
        _scored, model, linear, prepare.names, prepare.linear_names, kept, meta=meta
    )


def _scored(
    rows: pd.DataFrame, model: Any, linear: Any, names: Any, linear_names: Any, kept: Any
) -> pd.DataFrame:
    scores = {
        "score": model.predict_proba(rows[names])[1].to_numpy(np.float64),
        "logistic_regression": linear.predict_proba(rows[linear_names])[1].to_numpy(np.float64),
    }
    return rows[kept].assign(**scores)


@job.stage(uses=["evaluation"])
def evaluate(run: Run, prepare: Prepared, train: Bundle, score: Any) -> Any:
    """Judge both models on patients that neither has seen, and the first one group by group."""
    settings = run.configuration.evaluation
    test = score[score["part"] == "test"]
    judged, beside = (
        evaluate_binary(
            test,
            label="readmitted",
            score=name,
            entity="block",
            threshold=train.flagged_from(),
            replicates=settings.replicates,
        )
        for name in ("score", "logistic_regression")
    )
    groups = evaluate_groups(
        test,
        label="readmitted",
        score="score",
        groups=[f"group_{name}" for name in settings.groups],
        threshold=train.flagged_from(),
    )
    run.note(rows=judged.rows)
    rows = prepare.part("test")[prepare.names]
    importance = feature_importance(train.model, rows)
    # Only the pairs: a report on patients shows no single stay.
    pairs = feature_interactions(train.model, rows).pairs
    return judged, beside, groups, importance, pairs


@job.stage(uses=["evaluation", "capacity"])
def publish(run: Run, train: Bundle, score: Any, evaluate: Any) -> None:
    """Write metrics, report, model and scores."""
    scores = score[["part", "readmitted", "score"]]
    flagged = scores["score"] >= train.flagged_from()
    write_artefacts(run, train, scores.assign(flagged=flagged), *evaluate)


if __name__ == "__main__":
    import sys

    from dmlkit.cli import main

    main(["run", job.name, *sys.argv[1:]])
