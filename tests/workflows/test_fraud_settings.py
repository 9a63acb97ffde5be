"""The fraud job's settings: what contradicts itself is refused, presets are found by columns."""

from pathlib import Path

import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError, DmlkitError
from dmlkit.workflow import find_workflow, load_configuration
from dmlkit.workflows.fraud_settings import FraudSettings, identifier_types

job = find_workflow("fraud-detection")


def settings(*assignments: str) -> FraudSettings:
    return load_configuration(FraudSettings, assignments=assignments)


def test_the_presets_are_valid() -> None:
    assert job.presets
    for preset in job.presets:
        assert load_configuration(FraudSettings, file=preset).split.train_days > 0


def test_a_window_over_the_label_waits_until_labels_are_known() -> None:
    with pytest.raises(ConfigurationError, match=r"'terminal_id' has the delay 7 days.*10 days"):
        settings("split.delay_days=10")


def test_a_window_over_the_label_without_a_delay_is_refused() -> None:
    window = (
        '[{kind = "time_windows", by = "customer_id", time = "time", windows = ["1d"], '
        'aggregate = {fraud = ["mean"]}}]'
    )
    with pytest.raises(ConfigurationError, match="'customer_id' has the delay 0 days"):
        settings(f"features={window}")


def test_a_condition_on_the_label_waits_like_a_window_over_it() -> None:
    window = (
        '[{kind = "time_windows", by = "customer_id", time = "time", windows = ["1d"], '
        'aggregate = {amount = ["sum"]}, where = "fraud == 1"}]'
    )
    with pytest.raises(ConfigurationError, match="'customer_id' has the delay 0 days"):
        settings(f"features={window}")


@pytest.mark.parametrize(
    "step",
    [
        '{kind = "columns", names = ["fraud"]}',
        '{kind = "ratio", numerator = "fraud", denominator = "amount"}',
    ],
)
def test_the_label_is_no_feature(step: str) -> None:
    with pytest.raises(ConfigurationError, match="the label 'fraud' cannot be a feature"):
        settings(f"features=[{step}]")


def test_without_a_start_the_last_days_are_the_test() -> None:
    periods = settings().split.periods("2025-01-01 00:00:00", "2025-03-31 23:59:59")
    assert periods.test_end == pd.Timestamp("2025-04-01")


def test_a_start_before_the_table_is_refused() -> None:
    split = settings("split.train_start=2024-12-01").split
    with pytest.raises(DmlkitError, match="2025-01-01"):
        split.periods("2025-01-01", "2025-03-31")


def test_identifiers_may_be_numbers_or_text() -> None:
    table = pd.DataFrame({"transaction_id": [1], "customer_id": ["c"], "terminal_id": [True]})
    types = {"transaction_id": "int64", "customer_id": "string", "terminal_id": "string"}
    assert identifier_types(table) == types
    schema = settings().validation.schema_for(types)
    assert schema.unique == ("transaction_id",)
    assert {column.name: column.dtype for column in schema.columns}["customer_id"] == "string"


def test_any_parameter_of_xgboost_may_be_set() -> None:
    parameters = settings("model.subsample=0.5").model.parameters(early_stopping=True)
    assert (parameters["subsample"], parameters["early_stopping_rounds"]) == (0.5, 30)
    assert settings().model.parameters(early_stopping=False)["early_stopping_rounds"] is None


def test_a_misspelled_parameter_is_found_before_the_job_starts() -> None:
    expected = r"Setting 'model': Unknown parameter 'maxdepth' \(nearest: 'max_depth'\)"
    with pytest.raises(ConfigurationError, match=expected):
        settings("model.maxdepth=3")


def test_a_preset_is_found_by_the_columns_of_the_table(tmp_path: Path) -> None:
    preset = job.presets[0]
    names = load_configuration(FraudSettings, file=preset).columns.model_dump()
    for columns, expected in ((names.values(), preset), (names, None), (["other"], None)):
        path = tmp_path / "table.csv"
        path.write_text(",".join(columns) + "\n" + ",".join("1" for _ in columns) + "\n")
        assert job.matching_preset(str(path)) == expected


def test_numbers_some_of_which_are_missing_stay_numbers() -> None:
    table = pd.DataFrame({"transaction_id": [1], "customer_id": [7.0], "terminal_id": [None]})
    assert identifier_types(table.astype({"terminal_id": "Int64"})) == dict.fromkeys(table, "int64")
