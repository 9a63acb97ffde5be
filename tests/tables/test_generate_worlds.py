"""Generated stays and fleets: the same rows on any partitions, and with something to learn."""

import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError
from dmlkit.tables.generate import machine_fleet, patient_stays

pytestmark = pytest.mark.usefixtures("in_this_process")


@pytest.mark.parametrize(
    ("make", "count"), [(patient_stays, 2_100), (machine_fleet, 120)], ids=["stays", "fleet"]
)
def test_rows_do_not_depend_on_partitions(make, count) -> None:
    one, three = (make(count, seed=4, partitions=number) for number in (1, 3))
    assert (one.npartitions, three.npartitions) == (1, 3)
    found = three.compute().reset_index(drop=True)
    pd.testing.assert_frame_equal(one.compute().reset_index(drop=True), found)
    assert not make(count, seed=5, partitions=3).compute().reset_index(drop=True).equals(found)


def test_a_patient_who_came_back_has_a_next_stay_within_30_days() -> None:
    stays = patient_stays(1_000).compute()
    admitted = stays.groupby("patient_id")["admitted"]
    left = stays["admitted"] + pd.to_timedelta(stays["days"], unit="D")
    wait = (admitted.shift(-1) - left).dt.total_seconds() / 86_400
    back = stays["readmitted"] == 1
    assert (wait[back & wait.notna()] <= 30).all()
    assert not (wait[~back] <= 30).any()


def test_wear_shows_before_a_failure() -> None:
    fleet = machine_fleet(50).compute()
    failed = fleet[fleet.groupby("machine_id")["failed"].transform("max") == 1]
    ends = failed.groupby("machine_id").tail(5)["temperature"].mean()
    starts = failed.groupby("machine_id").head(50)["temperature"].mean()
    assert ends > starts + 5
    assert (fleet.groupby("machine_id")["time"].diff().dropna() == np.timedelta64(1, "h")).all()


def test_sizes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="patients is 0"):
        patient_stays(0)
    with pytest.raises(ConfigurationError, match="partitions is 9"):
        machine_fleet(100, partitions=9)
