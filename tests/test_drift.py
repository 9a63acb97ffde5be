"""Two tables are compared column by column, in one pass each, whatever their partitions."""

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from dmlkit.drift import compare_tables
from dmlkit.errors import InputError, MissingColumnError
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
    with pytest.raises(InputError, match="no rows in one of the tables"):
        compare_tables(before, after.iloc[:0], columns=["amount"])
