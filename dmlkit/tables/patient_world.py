"""The simulated hospital behind generated stays: who is ill with what, and who comes back.

Patients are drawn in blocks of a fixed size from random numbers of the block's own, so that any
block can be made alone. Turning blocks into a table is the business of `generate`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["PATIENTS_PER_BLOCK", "simulate_patients"]

PATIENTS_PER_BLOCK = 1_000
#: So many stays of one patient at most; they come within about two years.
MOST_STAYS = 12
#: What a stay without any reason to come back has, as log-odds.
BASE = -3.0
#: The chance to come for something else, later than 30 days.
LATER = 0.3

CODES, COMMON = 700, 1.1
RACES = ("Caucasian", "AfricanAmerican", "Hispanic", "Asian", "Other")
RACE_SHARES = (0.72, 0.18, 0.04, 0.02, 0.04)
ADMISSIONS = {"emergency": 0.15, "urgent": 0.05, "elective": -0.2}
ADMISSION_SHARES = (0.55, 0.2, 0.25)
DISCHARGES = {"home": -0.15, "home care": 0.1, "nursing facility": 0.35, "rehabilitation": 0.9}
DISCHARGE_SHARES = (0.62, 0.15, 0.17, 0.06)
SPECIALTIES = (
    "Internal medicine", "Cardiology", "Surgery", "Nephrology", "Orthopedics", "Pulmonology",
    "Psychiatry", "Oncology", "Urology", "Gastroenterology",
)  # fmt: skip
MISSING = "?"


@dataclass(frozen=True)
class _Codes:
    """Diagnoses: how common each is, and what it adds to the risk."""

    names: NDArray[np.object_]
    share: NDArray[np.float64]
    effect: NDArray[np.float64]


def _codes(seed: int) -> _Codes:
    random = _stream(seed, 0)
    numbers = random.permutation(np.arange(100, 100 + CODES))
    share = 1 / np.arange(1, CODES + 1) ** COMMON
    names = np.array([f"{number}" for number in numbers], dtype=object)
    return _Codes(names, share / share.sum(), random.normal(0, 0.45, CODES))


def _stream(seed: int, block: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, block])))


def simulate_patients(block: int, patients: int, seed: int) -> pd.DataFrame:
    """Return all stays of a block of patients, by patient and time.

    Parameters
    ----------
    block : int
        From 0.
    patients : int
        In this block, up to `PATIENTS_PER_BLOCK`.
    seed : int
    """
    random, codes = _stream(seed, block + 1), _codes(seed)
    people = _people(random, patients)
    stays = []
    frailty = random.normal(0, 0.6, patients)
    chronic = random.choice(CODES, (patients, 2), p=codes.share)
    here = np.arange(patients)
    time = np.datetime64("2024-01-01", "h") + random.integers(0, 365 * 24, patients)
    visits = np.zeros(patients, dtype=np.int64)
    for _ in range(MOST_STAYS):
        stay = _stay(random, codes, people.iloc[here], chronic[here], frailty[here], visits[here])
        risk = stay.pop("risk").to_numpy()
        back = random.random(len(here)) < 1 / (1 + np.exp(-risk))
        later = ~back & (random.random(len(here)) < LATER)
        stays.append(stay.assign(person=here, admitted=time[here], readmitted=back.astype(np.int8)))
        wait = np.where(back, random.integers(24, 30 * 24, len(here)),
                        random.integers(31 * 24, 300 * 24, len(here)))  # fmt: skip
        left = stay["days"].to_numpy() * 24
        time[here] += (left + wait).astype("timedelta64[h]")
        visits[here] += 1
        here = here[back | later]
    return _table(pd.concat(stays, ignore_index=True), block)


def _people(random: np.random.Generator, patients: int) -> pd.DataFrame:
    decade = np.clip(random.normal(6.6, 1.6, patients), 0, 9).astype(np.int64)
    race = random.choice(np.array(RACES, dtype=object), patients, p=RACE_SHARES)
    race[random.random(patients) < 0.02] = MISSING
    sex = random.choice(np.array(["female", "male"], dtype=object), patients, p=[0.54, 0.46])
    payer = random.choice(np.array(["public", "private", "self"], dtype=object), patients)
    payer[random.random(patients) < 0.4] = MISSING
    return pd.DataFrame({"decade": decade, "sex": sex, "race": race, "payer": payer})


def _stay(
    random: np.random.Generator,
    codes: _Codes,
    people: pd.DataFrame,
    chronic: NDArray[np.int64],
    frailty: NDArray[np.float64],
    visits: NDArray[np.int64],
) -> pd.DataFrame:
    """Draw one stay of each person, and the log-odds of coming back."""
    count = len(people)
    main = random.choice(CODES, count, p=codes.share)
    admission = random.choice(len(ADMISSIONS), count, p=ADMISSION_SHARES)
    discharge = random.choice(len(DISCHARGES), count, p=DISCHARGE_SHARES)
    severity = frailty + random.normal(0, 0.6, count)
    inpatient = random.poisson(np.exp(-1 + frailty)) + visits
    emergency = random.poisson(np.exp(-1.5 + 0.6 * frailty))
    days = np.clip(random.poisson(3 + np.exp(0.5 + 0.4 * severity)), 1, 14)
    risk = (
        BASE
        + 0.5 * severity
        + 0.28 * np.minimum(inpatient, 6)
        + 0.12 * np.minimum(emergency, 4)
        + 0.06 * (people["decade"].to_numpy() - 6)
        + 0.03 * days
        + codes.effect[main]
        + 0.5 * codes.effect[chronic].sum(axis=1)
        + np.array(list(ADMISSIONS.values()))[admission]
        + np.array(list(DISCHARGES.values()))[discharge]
    )
    specialty = random.choice(np.array(SPECIALTIES, dtype=object), count)
    specialty[random.random(count) < 0.45] = MISSING
    second = codes.names[chronic[:, 1]].copy()
    second[random.random(count) < 0.05] = MISSING
    glucose = np.array(["none", "normal", "high"], dtype=object)
    return people.assign(
        admission=np.array(list(ADMISSIONS), dtype=object)[admission],
        discharge=np.array(list(DISCHARGES), dtype=object)[discharge],
        specialty=specialty,
        days=days,
        lab_tests=random.poisson(35 + 5 * severity.clip(-3, 3)),
        procedures=random.poisson(1.3, count),
        medications=random.poisson(12 + 3 * severity.clip(-3, 3)),
        outpatient_visits=random.poisson(0.4, count),
        emergency_visits=emergency,
        inpatient_visits=inpatient,
        diagnoses=np.clip(random.poisson(6 + severity), 1, 16),
        diagnosis_1=codes.names[main],
        diagnosis_2=codes.names[chronic[:, 0]],
        diagnosis_3=second,
        glucose=random.choice(glucose, count, p=[0.8, 0.12, 0.08]),
        risk=risk,
    )


def _table(stays: pd.DataFrame, block: int) -> pd.DataFrame:
    """Order stays by patient and time, and give all the types that a table has."""
    stays = stays.sort_values(["person", "admitted"], kind="stable", ignore_index=True)
    number = stays.groupby("person").cumcount()
    patient = block * PATIENTS_PER_BLOCK + stays.pop("person").to_numpy()
    decade = stays.pop("decade")
    ages = np.array([f"[{10 * each}-{10 * each + 10})" for each in range(10)], dtype=object)
    stays.insert(0, "stay_id", patient * 100 + number.to_numpy())
    stays.insert(1, "patient_id", patient)
    stays.insert(2, "admitted", stays.pop("admitted").to_numpy().astype("datetime64[us]"))
    stays.insert(3, "age", ages[decade.to_numpy()])
    text = stays.select_dtypes(["object", "str"]).columns
    numbers = [name for name in stays.select_dtypes("int64").columns if not name.endswith("_id")]
    return stays.astype(dict.fromkeys(text, "str") | dict.fromkeys(numbers, "int32"))
