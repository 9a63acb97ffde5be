"""Two tables are compared column by column, in one pass each, whatever their partitions."""

import json

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from dmlkit.drift import compare_seasons, compare_tables
from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.metrics.report import write_drift_report
from tests import jobs


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(2)

    def month(shift: float, start: str) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "amount": random.normal(shift, 1, 3_000),
                "same": random.integers(0, 5, 3_000),
                "channel": random.choice(
                    ["web", "shop"], 3_000, p=[0.5 + shift / 3, 0.5 - shift / 3]
                ),
                "time": pd.Timestamp(start) + pd.to_timedelta(random.integers(0, 30, 3_000), "D"),
                "id": np.arange(3_000).astype(str),
            }
        )

    return month(0.0, "2025-01-01"), month(0.6, "2025-02-01")


@pytest.mark.parametrize("partitions", [1, 3, 16])
def test_distances_are_those_of_all_rows(tables, partitions) -> None:
    before, after = (dd.from_pandas(each, npartitions=partitions) for each in tables)
    with dask.config.set(scheduler="synchronous"):
        found = compare_tables(before, after).set_index("column")
    expected = ks_2samp(tables[0]["amount"], tables[1]["amount"]).statistic
    assert found.loc["amount", "ks"] == pytest.approx(expected, abs=1e-12)
    assert found["verdict"].to_dict() == {
        "time": "shifted",
        "amount": "shifted",
        "channel": "changed",
        "same": "stable",
    }  # and no "id", which is another one in each row


def test_missing_values_and_new_levels_are_told(tables) -> None:
    before, _ = tables
    after = before.assign(
        amount=before["amount"].mask(before.index < 600),
        channel=before["channel"].mask(before.index < 300, "phone"),
    )
    found = compare_tables(before, after, columns=["amount", "channel"]).set_index("column")
    assert found.loc["amount", "missing_after"] == pytest.approx(0.2)
    assert found.loc["channel", "new_levels"] == pytest.approx(0.1)
    assert (found["psi"] > 0.25).all()


def test_the_report_and_the_command_tell_it(tables, tmp_path, scheduler) -> None:
    for name, table in zip(("before", "after"), tables, strict=True):
        table.to_parquet(tmp_path / f"{name}.parquet")
    outcome = jobs.dmlkit(
        *("compare", tmp_path / "before.parquet", tmp_path / "after.parquet"),
        *("--out", tmp_path / "drift.html", "--scheduler", scheduler),
    )
    assert outcome.code == 0, outcome.stderr
    assert "shifted" in outcome.stdout
    page = (tmp_path / "drift.html").read_text()
    assert "2 of 4 columns have shifted, 1 more have changed" in page


def test_hostile_names_stay_text(tables, tmp_path) -> None:
    name = "<script>alert(1)</script>"
    before, after = (each[["amount"]].rename(columns={"amount": name}) for each in tables)
    write_drift_report(tmp_path / "drift.html", compare_tables(before, after), "a", "b")
    assert "<script>" not in (tmp_path / "drift.html").read_text()


def test_mistakes_are_told(tables) -> None:
    before, after = tables
    with pytest.raises(MissingColumnError, match="'amuont'"):
        compare_tables(before, after, columns=["amuont"])
    with pytest.raises(InputError, match="share no column"):
        compare_tables(before[["id"]], after[["id"]])
    with pytest.raises(InputError, match="The table after has no rows"):
        compare_tables(before, after.iloc[:0], columns=["amount"])


@pytest.fixture(scope="module")
def shops() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ten weeks, and one of which a Saturday and a Sunday are missing; Fridays got dearer."""
    random = np.random.default_rng(3)

    def sales(start: str, days: int) -> pd.DataFrame:
        time = pd.Timestamp(start) + pd.to_timedelta(random.integers(0, days * 24, 200 * days), "h")
        weekend = time.day_of_week >= 5
        amount = random.lognormal(np.where(weekend, 4, 3), 0.5)
        kind = np.where(random.random(len(time)) < np.where(weekend, 0.8, 0.2), "family", "office")
        return pd.DataFrame({"time": time, "amount": amount, "kind": kind, "id": time.astype(str)})

    before, after = sales("2025-01-06", 70), sales("2025-03-17", 5)
    friday = after["time"].dt.day_of_week == 4
    return before, after.assign(amount=after["amount"].where(~friday, after["amount"] * 2))


@pytest.mark.parametrize("partitions", [0, 1, 3, 16])
def test_a_missing_weekend_is_no_change(shops, partitions) -> None:
    before, after = (
        dd.from_pandas(each, npartitions=partitions, sort=False) if partitions else each
        for each in shops
    )
    with dask.config.set(scheduler="synchronous"):
        found = compare_seasons(before, after, time="time", columns=["amount", "kind"])
    columns = found.columns.set_index("column")
    assert columns.loc["kind", "psi_as_is"] > 0.1 > 0.02 > columns.loc["kind", "psi"]
    assert columns.loc["kind", "verdict"] == "stable"
    assert columns.loc["amount", "worst_season"] == "Friday"
    seasons = found.seasons.set_index(["column", "season"])
    assert seasons.loc[("amount", "Friday"), "psi"] > 0.5
    assert seasons.loc[("amount", "Monday"), "verdict"] in ("stable", "changed")
    assert seasons.loc[("kind", "Sunday"), "rows_after"] == 0
    assert np.isnan(seasons.loc[("kind", "Sunday"), "psi"])
    assert found.left_out == 0


def test_like_with_like_is_what_rows_drawn_by_season_are(shops) -> None:
    """Rows before, drawn so that seasons are as frequent as after, compared as they are."""
    before, after = shops
    found = compare_seasons(before, after, time="time", columns=["amount", "kind"]).columns
    days = after["time"].dt.day_of_week.value_counts()
    drawn = [
        before[before["time"].dt.day_of_week == day].sample(rows * 50, replace=True, random_state=0)
        for day, rows in days.items()
    ]
    expected = compare_tables(pd.concat(drawn), after, columns=["amount", "kind"])
    for name in ("psi", "ks"):
        np.testing.assert_allclose(found[name], expected[name], atol=0.01)


def test_alone_a_season_is_compared_as_a_table_is(shops) -> None:
    before, after = (each[each["time"].dt.day_of_week == 4] for each in shops)
    found = compare_seasons(*shops, time="time").seasons.set_index(["column", "season"])
    expected = compare_tables(before, after, columns=["amount"])
    assert found.loc[("amount", "Friday"), "psi"] == pytest.approx(expected.loc[0, "psi"])
    assert found.loc[("amount", "Friday"), "ks"] == pytest.approx(expected.loc[0, "ks"])


def test_months_that_were_not_there_before_are_left_out(shops) -> None:
    before = shops[0]
    early, late = before[before["time"] < "2025-02-15"], before[before["time"] >= "2025-02-15"]
    found = compare_seasons(early, late, time="time", season="month")
    expected = (late["time"].dt.month == 3).mean()
    assert found.left_out == pytest.approx(expected)
    names = found.seasons["season"].unique().tolist()
    assert names == ["January", "February", "March"]
    with pytest.raises(InputError, match="no season in common"):
        compare_seasons(before[before["time"] < "2025-02-01"], late, time="time", season="month")


def test_the_report_and_the_command_tell_of_seasons(shops, tmp_path, scheduler) -> None:
    for name, table in zip(("before", "after"), shops, strict=True):
        table.to_parquet(tmp_path / f"{name}.parquet")
    outcome = jobs.dmlkit(
        *("compare", tmp_path / "before.parquet", tmp_path / "after.parquet"),
        *("--time", "time", "--out", tmp_path / "drift.html", "--scheduler", scheduler, "--json"),
    )
    assert outcome.code == 0, outcome.stderr
    told = json.loads(outcome.stdout)
    assert {row["season"] for row in told["seasons"]} >= {"Monday", "Sunday"}
    page = (tmp_path / "drift.html").read_text()
    assert "Season by season" in page
    assert "Like is compared with like" in page
    assert "1 of the columns that are stable over all has shifted within a season" in page
    assert '<td class="number shifted"' in page


def test_mistakes_about_seasons_are_told(shops) -> None:
    before, after = shops
    with pytest.raises(ConfigurationError, match="season is 'tide'"):
        compare_seasons(before, after, time="time", season="tide")
    with pytest.raises(MissingColumnError, match="nearest: 'time'"):
        compare_seasons(before, after, time="times")
    with pytest.raises(InputError, match="'kind' of the table before is"):
        compare_seasons(before, after, time="kind")
    with pytest.raises(InputError, match="1 of 1,000 rows of a partition have no 'time'"):
        compare_seasons(
            before, after.assign(time=after["time"].mask(after.index == 3)), time="time"
        )
    with pytest.raises(InputError, match="share no column"):
        compare_seasons(before[["time"]], after[["time"]], time="time")
    with pytest.raises(InputError, match="share no column"):
        compare_seasons(
            before[["time", "id"]], after[["time", "id"]].assign(id=range(1000)), time="time"
        )
