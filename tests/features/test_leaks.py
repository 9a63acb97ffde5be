"""No feature of a row changes when rows after its time do: of each transformer there is."""

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from dmlkit import features
from dmlkit.features import (
    AsOf,
    Calendar,
    Columns,
    FeatureSet,
    Holidays,
    PanelLags,
    Ratio,
    TimeWindows,
    ZScore,
)
from dmlkit.features.aggregates import AGGREGATES
from tests.features.conftest import payments

NOW = pd.Timestamp("2025-02-01")
PARAMETERS = {"share": ":12.5", "decayed_sum": ":2d", "decayed_mean": ":2d"}
EVERY_AGGREGATE = [f"{name}{PARAMETERS.get(name, '')}" for name in AGGREGATES]


def table() -> pd.DataFrame:
    rows = payments(800).dropna(subset=["card", "time"])
    return rows.drop_duplicates(["card", "time"], ignore_index=True)


def changed(rows: pd.DataFrame, after: pd.Timestamp = NOW) -> pd.DataFrame:
    """Return other values in rows after a time, some of them left out, and more of them."""
    random = np.random.default_rng(1)
    later = rows[rows["time"] > after].sample(frac=0.7, random_state=1)
    later = later.assign(
        amount=random.permutation(later["amount"]) * 7,
        fraud=1 - later["fraud"],
        card=random.permutation(later["card"]),
    ).drop_duplicates(["card", "time"])
    more = later.assign(time=later["time"] + pd.Timedelta("61D"), number=later["number"] + 10_000)
    return pd.concat([rows[rows["time"] <= after], later, more], ignore_index=True)


def lazy(rows: pd.DataFrame, inputs: int = 3) -> dd.DataFrame:
    return dd.from_pandas(rows, npartitions=inputs, sort=False)


def balances(rows: pd.DataFrame) -> dd.DataFrame:
    return lazy(rows[["card", "time", "amount"]].rename(columns={"amount": "balance"}), 2)


WINDOWS = TimeWindows("card", "time", ["2d", "30d"], {"amount": EVERY_AGGREGATE})

#: Steps by the names under which they are exported; one that looks at another table is given it.
STEPS = {
    "AsOf": lambda rows: [AsOf(balances(rows), "card", "time", columns=["balance"], age="age")],
    "Calendar": lambda _: [Calendar("time", ["hour", "weekday"])],
    "Columns": lambda _: [Columns(["amount", "fraud"])],
    "Holidays": lambda _: [Holidays("time", "BE")],
    "PanelLags": lambda _: [
        PanelLags([1, 2], {1: ["rolling_mean:3"]}, series="card", time="time", value="amount")
    ],
    "Ratio": lambda _: [WINDOWS, Ratio("amount", "card_amount_mean_30d", name="ratio")],
    "TimeWindows": lambda _: [WINDOWS],
    "ZScore": lambda _: [
        WINDOWS,
        ZScore("amount", "card_amount_mean_30d", "card_amount_std_30d", name="z"),
    ],
}


def known_until_now(rows: pd.DataFrame, steps: list, order: str) -> pd.DataFrame:
    found = FeatureSet(steps).transform(lazy(rows), order=order).compute(scheduler="sync")
    names = [name for step in steps for name in step.get_feature_names_out()]
    return found[found["time"] <= NOW].sort_values("number", ignore_index=True)[names]


@pytest.mark.parametrize("order", ["entity", "input"])
@pytest.mark.parametrize("name", STEPS)
def test_what_happens_later_changes_no_feature(name, order):
    rows, others = table(), changed(table())
    found = known_until_now(rows, STEPS[name](rows), order)
    assert len(found) > 200
    assert found.notna().any().all()
    assert_frame_equal(found, known_until_now(others, STEPS[name](others), order), check_exact=True)


def test_labels_that_are_known_late_change_no_earlier_feature():
    rows = table()
    late = TimeWindows("card", "time", ["30d"], {"fraud": ["mean", "sum"]}, delay="7d")
    until = NOW - pd.Timedelta("7D")
    others = rows.assign(fraud=np.where(rows["time"] > until, 1 - rows["fraud"], rows["fraud"]))
    assert (others["fraud"] != rows["fraud"])[rows["time"] <= NOW].sum() > 50
    found = known_until_now(rows, [late], "entity")
    assert_frame_equal(found, known_until_now(others, [late], "entity"), check_exact=True)


def test_every_transformer_that_is_exported_is_looked_at():
    exported = {name for name in features.__all__ if hasattr(getattr(features, name), "kind")}
    assert exported == STEPS.keys()
