"""The settings of the predictive-maintenance job, each with its default and what it means."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dmlkit.boosting import XGBRegressor
from dmlkit.features import Columns, FeatureSet, Ratio, TimeWindows
from dmlkit.metrics import AlarmCosts
from dmlkit.model_selection import GroupSplit
from dmlkit.tables import Column, Schema
from dmlkit.workflow import Settings, load_configuration

__all__ = ["MaintenanceSettings", "matching_preset"]

#: As long as any machine lives.
WHOLE_LIFE = "36500d"


class ColumnNames(Settings):
    """What the tables call the columns that the job needs.

    `time` is a datetime, or the number of a cycle. `failed` is 1 in a machine's last reading when
    it failed then; without the column all machines of the table failed after their last reading.
    """

    machine_id: str = "machine_id"
    time: str = "time"
    failed: str | None = "failed"


class Files(Settings):
    """Tables in the folder of ``--data``, where train and test machines are given.

    `test` has machines up to some moment, `truth` (with the columns of `truth_columns`) how many
    cycles each had left then. Without them, one table is split by machine.
    """

    train: str | None = None
    test: str | None = None
    truth: str | None = None
    truth_columns: tuple[str, str] = ("unit", "RUL")

    @model_validator(mode="after")
    def _all_or_none(self) -> "Files":
        given = [self.train, self.test, self.truth]
        if any(given) and not all(given):
            raise ValueError("name all of train, test and truth, or none of them")
        return self


class Generate(Settings):
    """The fleet that is made when no table is given."""

    machines: int = Field(250, gt=0)
    seed: int = 0


class Validation(Settings):
    """How many bad rows the job bears."""

    max_bad_share: float = Field(0.01, ge=0, le=1)


class Features(Settings):
    """What of the sensors is looked at.

    `windows` are in cycles. To the mean of a sensor over each and over the whole life so far come
    the ratios of the shortest window to the others: how far a machine is from its own normal.
    """

    sensors: tuple[str, ...] = ("temperature", "vibration", "pressure", "current", "noise")
    conditions: tuple[str, ...] = ("load",)
    windows: tuple[int, ...] = (5, 20, 50)

    def feature_set(self, cycle: str) -> FeatureSet:
        """Return the features."""
        step = pd.Timedelta(cycle)
        lengths = [f"{int(step.total_seconds()) * window}s" for window in sorted(self.windows)]
        everything = [*lengths, WHOLE_LIFE]
        sensors = {sensor: ["mean"] for sensor in self.sensors}
        windows = TimeWindows("machine_id", "time", everything, sensors)
        first = self.sensors[0]
        age = TimeWindows("machine_id", "time", [WHOLE_LIFE], {first: ["count"]})
        ratios = [
            Ratio(mean(sensor, lengths[0]), mean(sensor, other), name=f"{sensor}_now_over_{other}")
            for sensor in self.sensors
            for other in everything[1:]
        ]
        plain = Columns([*self.sensors, *self.conditions])
        return FeatureSet([plain, windows, age, *ratios])

    def schema_for(self, machine: str) -> Schema:
        """Return the schema of the readings."""
        numbers = [Column(name, "float64") for name in (*self.sensors, *self.conditions)]
        return Schema(
            [Column("machine_id", machine), Column("time", "datetime"), *numbers],
            unique=["machine_id", "time"],
            time="time",
        )


def mean(sensor: str, window: str) -> str:
    """Return the name of a window's feature."""
    return f"machine_id_{sensor}_mean_{window}"


class Split(Settings):
    """Shares of the machines that are kept apart; all readings of a machine are in one part."""

    test_share: float = Field(0.25, gt=0, lt=1)
    validation_share: float = Field(0.2, gt=0, lt=1)
    seed: int = 0

    def by_machine(self, given: bool) -> GroupSplit:
        """Return the split; of given train machines only validation machines are kept apart."""
        shares = self.model_dump()
        if given:  # the "test" of this split is what is watched
            shares |= {"test_share": self.validation_share, "validation_share": 0.0}
        return GroupSplit(**shares)


class Target(Settings):
    """What is predicted: the remaining life in cycles, up to `cap`; and failure within `horizon`.

    A machine that will live for long shows no sign of how long: beyond the cap, predictions would
    be guesses, and so it is where training and the capped error end.
    """

    cap: float = Field(125, gt=0)
    horizon: float = Field(30, gt=0)
    cycle: str = "1h"


class Model(BaseModel):
    """Parameters of `XGBRegressor`; any other of XGBoost's may be added."""

    model_config = ConfigDict(extra="allow", frozen=True)

    n_estimators: int = 800
    learning_rate: float = 0.03
    max_depth: int = 4
    min_child_weight: float = 20
    subsample: float = 0.7
    colsample_bytree: float = 0.3
    reg_lambda: float = 5
    early_stopping_rounds: int = 50
    random_state: int = 0
    device: str = "auto"

    @model_validator(mode="after")
    def _parameters_are_known(self) -> "Model":
        XGBRegressor(**self.model_dump())
        return self


class Costs(Settings):
    """Of a cycle of life thrown away, and of a failure; a repair needs `notice` cycles."""

    early: float = Field(1.0, ge=0)
    late: float = Field(100.0, ge=0)
    notice: float = Field(5.0, ge=0)

    def costs(self) -> AlarmCosts:
        """Return them as the metrics take them."""
        return AlarmCosts(**self.model_dump())


class Evaluation(Settings):
    """How the model is judged."""

    replicates: int = Field(200, ge=0)
    reference: dict[str, float] = Field(default_factory=dict)


class MaintenanceSettings(Settings):
    """Settings of the workflow ``predictive-maintenance``."""

    columns: ColumnNames = ColumnNames()
    files: Files = Files()
    generate: Generate = Generate()
    validation: Validation = Validation()
    features: Features = Features()
    split: Split = Split()
    target: Target = Target()
    model: Model = Model()
    costs: Costs = Costs()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _the_horizon_is_within_the_cap(self) -> "MaintenanceSettings":
        if self.target.horizon >= self.target.cap:
            raise ValueError(
                f"target.horizon ({self.target.horizon:g}) must be below target.cap "
                f"({self.target.cap:g}): beyond it, lives are not told apart"
            )
        return self

    def renamed(self) -> dict[str, str]:
        """Return what the table calls each column, by our names."""
        given = self.columns.model_dump(exclude_none=True)
        return given | {name: name for name in (*self.features.sensors, *self.features.conditions)}


def matching_preset(path: str, presets: Iterable[Path]) -> Path | None:
    """Return the preset whose files a folder has, if any."""
    folder: Any = Path(path)
    for preset in sorted(presets):
        files = load_configuration(MaintenanceSettings, file=preset).files
        names = (files.train, files.test, files.truth)
        if all(name is not None and (folder / name).exists() for name in names):
            return preset
    return None
