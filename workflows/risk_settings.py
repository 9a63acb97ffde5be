"""The settings of the patient-risk job, each with its default and what it means."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dmlkit import read_table
from dmlkit.boosting import XGBClassifier
from dmlkit.model_selection import GroupSplit
from dmlkit.preprocessing import (
    ColumnTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    Pipeline,
    SimpleImputer,
    StandardScaler,
    TargetEncoder,
)
from dmlkit.tables import Column, Schema
from dmlkit.workflow import Settings, load_configuration

__all__ = ["RiskSettings", "flag", "identifier_type", "matching_preset"]

#: Levels with fewer rows have no column of their own.
RARE = 100


class ColumnNames(Settings):
    """What the table calls the columns that the job needs."""

    stay_id: str = "stay_id"
    patient_id: str = "patient_id"
    readmitted: str = "readmitted"


class Generate(Settings):
    """The table that is made when none is given."""

    patients: int = Field(6000, gt=0)
    seed: int = 0


class Coding(Settings):
    """How the table writes what is missing, and that a patient came back within 30 days."""

    missing: tuple[str, ...] = ("?",)
    positive: tuple[str, ...] = ("1",)


class Validation(Settings):
    """How many bad rows the job bears, and whether they are kept (with what identifies them)."""

    max_bad_share: float = Field(0.01, ge=0, le=1)
    keep_bad_rows: bool = False


class Features(Settings):
    """The columns that the risk is told from, by what they hold."""

    numbers: tuple[str, ...] = (
        "days", "lab_tests", "procedures", "medications", "outpatient_visits",
        "emergency_visits", "inpatient_visits", "diagnoses",
    )  # fmt: skip
    ordered: tuple[str, ...] = ("age", "glucose")
    categories: tuple[str, ...] = (
        "sex", "race", "payer", "admission", "discharge", "specialty",
    )  # fmt: skip
    codes: tuple[str, ...] = ("diagnosis_1", "diagnosis_2", "diagnosis_3")

    @property
    def text(self) -> list[str]:
        """The columns whose values are levels."""
        return [*self.ordered, *self.categories, *self.codes]

    @property
    def names(self) -> list[str]:
        """All columns."""
        return [*self.numbers, *self.text]

    def schema_for(self, identifier: str) -> Schema:
        """Return the schema of the stays, without patient and label, for `dmlkit score`."""
        numbers = [Column(name, "float64", nullable=True) for name in self.numbers]
        text = [Column(name, "string", nullable=True) for name in self.text]
        return Schema([Column("stay_id", identifier), *numbers, *text], unique=["stay_id"])

    def for_trees(self) -> ColumnTransformer:
        """Return what makes these columns fit for boosted trees, which bear missing values."""
        ordinal = OrdinalEncoder(handle_unknown="use_encoded_value")
        one_hot = OneHotEncoder(handle_unknown="ignore", min_frequency=RARE)
        return ColumnTransformer(
            [
                ("number", "passthrough", list(self.numbers)),
                ("order", ordinal, list(self.ordered)),
                ("level", one_hot, list(self.categories)),
                ("risk", TargetEncoder(), [*self.categories, *self.codes]),
            ],
            verbose_feature_names_out=False,
        )

    def for_linear_model(self) -> ColumnTransformer:
        """Return what makes them fit for logistic regression."""
        levels = OneHotEncoder(handle_unknown="ignore", min_frequency=RARE)
        codes = Pipeline([("encode", TargetEncoder()), ("scale", StandardScaler())])
        numbers = Pipeline(
            [("fill", SimpleImputer(strategy="median")), ("scale", StandardScaler())]
        )
        return ColumnTransformer(
            [
                ("linear_number", numbers, list(self.numbers)),
                ("linear_level", levels, [*self.ordered, *self.categories]),
                ("linear_code", codes, list(self.codes)),
            ]
        )


class Split(Settings):
    """Shares of the patients that are kept apart; all stays of a patient are in one part."""

    test_share: float = Field(0.2, gt=0, lt=1)
    validation_share: float = Field(0.15, gt=0, lt=1)
    seed: int = 0

    def by_patient(self) -> GroupSplit:
        """Return the split."""
        return GroupSplit(**self.model_dump())


class Model(BaseModel):
    """Parameters of `XGBClassifier`; any other of XGBoost's may be added."""

    model_config = ConfigDict(extra="allow", frozen=True)

    n_estimators: int = 600
    learning_rate: float = 0.05
    max_depth: int = 4
    min_child_weight: float = 20
    subsample: float = 0.8
    colsample_bytree: float = 0.5
    reg_lambda: float = 10
    eval_metric: str = "logloss"
    early_stopping_rounds: int = 40
    random_state: int = 0
    device: str = "auto"

    @model_validator(mode="after")
    def _parameters_are_known(self) -> "Model":
        XGBClassifier(**self.model_dump())
        return self


class Calibration(Settings):
    """How scores become probabilities, on the validation patients."""

    method: Literal["isotonic", "sigmoid"] = "sigmoid"


class Capacity(Settings):
    """For which share of the discharged patients there is time to follow up."""

    share: float = Field(0.1, gt=0, le=1)


class Evaluation(Settings):
    """How the model is judged."""

    replicates: int = Field(200, ge=0)
    groups: tuple[str, ...] = ("age", "sex", "race")
    reference: dict[str, float] = Field(default_factory=dict)


class RiskSettings(Settings):
    """Settings of the workflow ``patient-risk``."""

    columns: ColumnNames = ColumnNames()
    generate: Generate = Generate()
    coding: Coding = Coding()
    validation: Validation = Validation()
    features: Features = Features()
    split: Split = Split()
    model: Model = Model()
    calibration: Calibration = Calibration()
    capacity: Capacity = Capacity()
    evaluation: Evaluation = Evaluation()

    @model_validator(mode="after")
    def _identifiers_are_no_features(self) -> "RiskSettings":
        own = self.columns.model_dump()
        for name in self.features.names:
            if name in own or name in own.values():
                raise ValueError(
                    f"the column {name!r} identifies or labels a stay; it is no feature"
                )
        for name in self.evaluation.groups:
            if name not in self.features.text:
                raise ValueError(
                    f"evaluation.groups names {name!r}, which is not among features.ordered, "
                    "features.categories or features.codes"
                )
        return self

    def renamed(self) -> dict[str, str]:
        """Return what the table calls each column, by our names."""
        return self.columns.model_dump() | {name: name for name in self.features.names}


def matching_preset(path: str, presets: Iterable[Path]) -> Path | None:
    """Return the preset whose column names a table has, unless it has the default names."""
    there = set(read_table(path).columns)
    if set(RiskSettings().renamed().values()) <= there:
        return None
    for preset in sorted(presets):
        names = load_configuration(RiskSettings, file=preset).renamed()
        if set(names.values()) <= there:
            return preset
    return None


def identifier_type(table: Any, name: str) -> str:
    """Return the schema type of an identifier: whole numbers, or else text."""
    return "int64" if pd.api.types.is_any_real_numeric_dtype(table[name].dtype) else "string"


def flag(label: pd.Series, positive: Sequence[str]) -> pd.Series:
    """Return 1 where a label, as text, is one of those that count as readmitted."""
    return label.isin(list(positive)).astype("int8")
