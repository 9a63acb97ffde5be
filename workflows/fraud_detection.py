"""Fraud detection: card transactions in; a judged model, its report and scores out.

Run it with ``dmlkit run fraud-detection --data TABLE --out FOLDER``, or without ``--data`` on
generated transactions. The settings are in ``fraud_settings.py``; the stages are all here.
"""

from pathlib import Path
from typing import Any

import dask.dataframe as dd

from dmlkit.boosting import Bundle, XGBClassifier, feature_importance, feature_interactions
from dmlkit.features import FeatureSet
from dmlkit.metrics import best_threshold, evaluate_binary
from dmlkit.model_selection import TrainValidationTest, count_periods, drop_known_entities
from dmlkit.scoring import read_renamed, score_rows
from dmlkit.tables import CheckedTable, check_table
from dmlkit.tables.generate import card_transactions
from dmlkit.workflow import BUNDLE, TABLE, Run, Workflow
from dmlkit.workflows.fraud_artefacts import write_artefacts
from dmlkit.workflows.fraud_plan import plan_fraud
from dmlkit.workflows.fraud_settings import FraudSettings, identifier_types, matching_preset

#: Seconds of the stages with two workers of one thread on two cores, once all is compiled: medians
#: of three runs on a million generated transactions.
TOOK: dict[str, dict[str, float]] = {
    "seconds": {
        "read": 0.0, "validate": 2.6, "features": 5.5, "split": 1.4, "train": 9.9,
        "score": 1.9, "evaluate": 4.1, "publish": 1.0,
    },
    "rows": {"validate": 1_060_644},
}  # fmt: skip

job = Workflow(
    "fraud-detection",
    FraudSettings,
    "Card transactions in; a judged model, its report and scores out.",
    presets=sorted((Path(__file__).parent / "configs").glob("fraud_*.toml")),
    matches=matching_preset,
    makes_data=True,
    took=TOOK,
    plans=plan_fraud,
)

#: What identifies a scored row.
KEYS = ["transaction_id", "time", "customer_id", "terminal_id", "amount"]


@job.stage(uses=["columns", "generate"])
def read(run: Run) -> Any:
    """Read the table under the names that the job uses, or make one."""
    if run.data is None:
        table = card_transactions(**run.configuration.generate.model_dump())
        run.note(types=identifier_types(table))
        return table
    names = run.configuration.columns.model_dump()
    run.note(types=identifier_types(read_renamed(run.data, names)))
    return read_renamed(run.data, names, as_text=True)


@job.stage(uses=["validation"])
def validate(run: Run, read: Any) -> Any:
    """Let good rows go on, and put bad ones in quarantine; too many of them end the job."""
    settings = run.configuration.validation
    schema = settings.schema_for(run.records["read"].notes["types"])
    quarantine = run.quarantine
    checked = check_table(read, schema, quarantine=quarantine, max_bad_share=settings.max_bad_share)
    run.note(rows=checked.rows, bad_rows=checked.bad_rows, reasons=checked.reasons)
    run.note(first=str(checked.time_minimum), last=str(checked.time_maximum))
    run.note(schema=schema.to_dict(), examples=checked.examples, quarantine=quarantine)
    if checked.bad_rows:
        run.warn(_told(checked, quarantine))
    # Looked at here already: a split that does not fit is told before the long stages, not after.
    run.configuration.split.periods(str(checked.time_minimum), str(checked.time_maximum))
    return checked.frame


def _told(checked: CheckedTable, quarantine: str) -> str:
    reasons = sorted(checked.reasons.items(), key=lambda item: -item[1])
    return (
        f"{checked.bad_rows:,} of {checked.rows:,} rows are bad and left out: "
        + "; ".join(f"{rows:,} with {reason}" for reason, rows in reasons)
        + f". They are in {quarantine}"
    )


@job.stage(uses=["features"], keep=TABLE)
def features(run: Run, validate: Any) -> Any:
    """Add what was known of the card and the terminal when each transaction was made."""
    feature_set = FeatureSet.from_dict({"steps": run.configuration.features}).fit(validate)
    run.note(feature_set=feature_set.to_dict(), names=feature_set.get_feature_names_out())
    return feature_set.transform(validate)


@job.stage(uses=["split"])
def split(run: Run, features: Any) -> TrainValidationTest:
    """Train on the past, wait until its labels are known, test on what comes after."""
    table = run.records["validate"].notes
    periods = run.configuration.split.periods(table["first"], table["last"])
    parts = periods.split(features, "time")
    if run.configuration.split.drop_known_cards:
        test = drop_known_entities(
            parts.test,
            features,
            entity="customer_id",
            time="time",
            label="fraud",
            known_from=periods.train_start,
            delay_days=periods.delay_days,
        )
        parts = parts._replace(test=test)
    run.note(periods=count_periods(periods, parts, "fraud"))
    return parts


@job.stage(uses=["model", "costs"], keep=BUNDLE)
def train(run: Run, split: TrainValidationTest) -> Bundle:
    """Boost trees, until the validation rows say that it is enough where there are any."""
    notes = run.records["features"].notes
    names = notes["names"]
    watched = split.validation is not None
    model = XGBClassifier(**run.configuration.model.parameters(early_stopping=watched))
    X, y = split.train[names], split.train["fraud"]
    judged = split.validation if watched else split.train
    model.fit(X, y, eval_set=[(judged[names], judged["fraud"]) if watched else (X, y)])
    threshold = best_threshold(
        score_rows(model, judged, names, keep=["fraud", "amount"]),
        label="fraud",
        score="score",
        costs=run.configuration.costs.costs(),
    )
    (curve,) = model.evals_result().values()
    run.note(learning_curve={"validation" if watched else "training": curve})
    run.note(device=model.device_, why=model.device_reason_)
    return Bundle(
        model=model,
        features=notes["feature_set"],
        schema=run.records["validate"].notes["schema"],
        threshold=threshold,
        metadata={
            "workflow": run.workflow,
            "columns": run.configuration.columns.model_dump(),
            "label": "fraud",
            "keys": KEYS,
        },
    )


@job.stage(keep=TABLE)
def score(run: Run, split: TrainValidationTest, train: Bundle) -> Any:
    """Score every row of every part with the model."""
    names = run.records["features"].notes["names"]
    parts = [
        score_rows(train.model, part, names, keep=[*KEYS, "fraud"]).assign(part=name)
        for name, part in split._asdict().items()
        if part is not None
    ]
    return dd.concat(parts)


@job.stage(uses=["costs", "evaluation"])
def evaluate(run: Run, split: TrainValidationTest, train: Bundle, score: Any) -> Any:
    """Judge the model on the test rows, as a bank would use it: so many cards checked a day."""
    settings = run.configuration.evaluation
    evaluation = evaluate_binary(
        score[score["part"] == "test"],
        label="fraud",
        score="score",
        time="time",
        entity="customer_id",
        threshold=train.flagged_from(),
        k=settings.cards_checked_per_day,
        costs=run.configuration.costs.costs(),
        replicates=settings.replicates,
    )
    names = run.records["features"].notes["names"]
    run.note(rows=evaluation.rows)
    rows = split.test[names]
    explained = feature_importance(train.model, rows), feature_interactions(train.model, rows)
    return evaluation, *explained


@job.stage
def publish(run: Run, train: Bundle, score: Any, evaluate: Any) -> None:
    """Write metrics, report, model and scores."""
    write_artefacts(run, train, score, *evaluate)


if __name__ == "__main__":
    import sys

    from dmlkit.cli import main

    main(["run", job.name, *sys.argv[1:]])
