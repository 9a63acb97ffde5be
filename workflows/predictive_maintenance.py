"""Predictive maintenance: sensor readings in; the life each machine has left, and alarms, out.

Run it with ``dmlkit run predictive-maintenance --data TABLE --out FOLDER``, or without ``--data``
on a generated fleet. The settings are in ``maintenance_settings.py``; the stages are all here.
"""

from pathlib import Path
from typing import Any

import dask.dataframe as dd
import pandas as pd

from dmlkit.boosting import Bundle, XGBRegressor, feature_importance, feature_interactions
from dmlkit.metrics import Calibrator, evaluate_alarms, evaluate_binary, evaluate_regression
from dmlkit.model_selection import TrainValidationTest
from dmlkit.tables import check_table
from dmlkit.workflow import BUNDLE, TABLE, Run, Workflow
from dmlkit.workflows.maintenance_artefacts import write_artefacts
from dmlkit.workflows.maintenance_lives import (
    count_parts,
    last_moments,
    predicted,
    read_fleet,
    read_given,
    with_remaining_life,
)
from dmlkit.workflows.maintenance_plan import plan_maintenance
from dmlkit.workflows.maintenance_settings import MaintenanceSettings, matching_preset

job = Workflow(
    "predictive-maintenance",
    MaintenanceSettings,
    "Sensor readings in; the life each machine has left, alarms and what they cost, out.",
    presets=sorted((Path(__file__).parent / "configs").glob("maintenance_*.toml")),
    matches=matching_preset,
    makes_data=True,
    plans=plan_maintenance,
)


@job.stage(uses=["columns", "features", "files", "generate", "target"])
def read(run: Run) -> Any:
    """Read the tables under the names that the job uses, or make a fleet."""
    settings = run.configuration
    given = settings.files.train is not None
    table = read_given(run.data, settings) if given else read_fleet(run.data, settings)
    numbered = pd.api.types.is_any_real_numeric_dtype(table["machine_id"].dtype)
    run.note(given=given, machine="int64" if numbered else "string")
    return table


@job.stage(uses=["validation", "features"])
def validate(run: Run, read: Any) -> Any:
    """Let good readings go on, and put bad ones in quarantine; too many of them end the job."""
    settings = run.configuration
    schema = settings.features.schema_for(run.records["read"].notes["machine"])
    checked = check_table(
        read,
        schema,
        quarantine=run.quarantine,
        max_bad_share=settings.validation.max_bad_share,
    )
    run.note(rows=checked.rows, bad_rows=checked.bad_rows, reasons=checked.reasons)
    run.note(schema=schema.to_dict(), examples=checked.examples)
    if checked.bad_rows:
        run.warn(f"{checked.bad_rows:,} of {checked.rows:,} readings are bad and left out.")
    return checked.frame


@job.stage(uses=["features", "target"], keep=TABLE)
def features(run: Run, validate: Any) -> Any:
    """Add what each sensor did of late, what is normal for the machine, and the life left."""
    settings = run.configuration
    known = with_remaining_life(validate, settings.target.cycle)
    feature_set = settings.features.feature_set(settings.target.cycle).fit(known)
    run.note(feature_set=feature_set.to_dict(), names=feature_set.get_feature_names_out())
    featured = feature_set.transform(known)
    left = featured["remaining"]
    horizon, cap = settings.target.horizon, settings.target.cap
    return featured.assign(capped=left.clip(upper=cap), fails=(left <= horizon).astype("int8"))


@job.stage(uses=["split"])
def split(run: Run, features: Any) -> TrainValidationTest:
    """Keep machines apart; leave out those that still run; judge given ones at their last cycle."""
    given = run.records["read"].notes["given"]
    known = features.dropna(subset=["remaining"])
    splitter = run.configuration.split.by_machine(given)
    if given:
        train, _, validation = splitter.split(known[known["given"] == "train"], "machine_id")
        test = last_moments(known[known["given"] == "test"])
        parts = TrainValidationTest(train, validation, test)
    else:
        parts = splitter.split(known, "machine_id")
    run.note(parts=count_parts(parts))
    return parts


@job.stage(uses=["model", "target", "costs", "columns", "features"], keep=BUNDLE)
def train(run: Run, split: TrainValidationTest) -> Bundle:
    """Boost trees until other machines say it is enough; then once more, on those machines too."""
    settings = run.configuration
    names = run.records["features"].notes["names"]
    watched = split.validation
    model = XGBRegressor(**settings.model.model_dump())
    model.fit(
        split.train[names],
        split.train["capped"],
        eval_set=[(watched[names], watched["capped"])],
    )
    seen = predicted(watched, model, names, settings.target.cap)
    calibrator = Calibrator("isotonic").fit(seen["fails"], -seen["prediction"])
    risks = seen.assign(risk=calibrator.predict(-seen["prediction"]))
    alarms = evaluate_alarms(
        risks,
        entity="machine_id",
        remaining="remaining",
        score="risk",
        costs=settings.costs.costs(),
    )
    (curve,) = model.evals_result().values()
    run.note(learning_curve={"validation": curve})
    run.note(device=model.device_, why=model.device_reason_, rounds=model.best_iteration + 1)
    rounds = {"n_estimators": model.best_iteration + 1, "early_stopping_rounds": None}
    final = XGBRegressor(**settings.model.model_dump() | rounds)
    everything = dd.concat([split.train, watched])
    final.fit(everything[names], everything["capped"])
    return Bundle(
        model=final,
        features=run.records["features"].notes["feature_set"],
        schema=run.records["validate"].notes["schema"],
        threshold=float(alarms.thresholds[alarms.best]),
        metadata={
            "workflow": run.workflow,
            "columns": {
                name: source for name, source in settings.renamed().items() if name != "failed"
            },
            "cycle": settings.target.cycle,
            "keys": ["machine_id", "time"],
            "calibration": calibrator.to_dict(),
        },
    )


@job.stage(keep=TABLE)
def score(run: Run, split: TrainValidationTest, train: Bundle) -> Any:
    """Predict the life left and the risk of failure within the horizon, for every part."""
    names = run.records["features"].notes["names"]
    calibrator = Calibrator.from_dict(train.metadata["calibration"])
    cap = run.configuration.target.cap
    frames = []
    for part, rows in split._asdict().items():
        found = predicted(rows, train.model, names, cap)
        risk = calibrator.predict(-found["prediction"])
        frames.append(found.assign(risk=risk).assign(part=part))
    return dd.concat(frames)


@job.stage(uses=["costs", "evaluation", "target"])
def evaluate(run: Run, split: TrainValidationTest, train: Bundle, score: Any) -> Any:
    """Judge the life left, the risk and the alarms on machines that the model has not seen."""
    settings = run.configuration
    test = score[score["part"] == "test"]
    bootstrap = {"entity": "machine_id", "replicates": settings.evaluation.replicates}
    lives = {
        name: evaluate_regression(test, label=label, prediction="prediction", **bootstrap)
        for name, label in (("", "remaining"), ("_capped", "capped"))
    }
    risk = evaluate_binary(
        test, label="fails", score="risk", threshold=train.flagged_from(), **bootstrap
    )
    alarms = None
    if not run.records["read"].notes["given"]:  # given test machines end before they fail
        alarms = evaluate_alarms(
            test,
            entity="machine_id",
            remaining="remaining",
            score="risk",
            costs=settings.costs.costs(),
        )
    points = test[["remaining", "prediction"]].compute()
    run.note(rows=risk.rows)
    names = run.records["features"].notes["names"]
    rows = split.test[names]
    explained = feature_importance(train.model, rows), feature_interactions(train.model, rows)
    return lives, risk, alarms, points, *explained


@job.stage(uses=["evaluation", "costs", "target"])
def publish(run: Run, train: Bundle, score: Any, evaluate: Any) -> None:
    """Write metrics, report, model and scores."""
    scores = score.assign(flagged=score["risk"] >= train.flagged_from())
    write_artefacts(run, train, scores, *evaluate)


if __name__ == "__main__":
    import sys

    from dmlkit.cli import main

    main(["run", job.name, *sys.argv[1:]])
