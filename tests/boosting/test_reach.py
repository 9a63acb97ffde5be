"""Links between workers: who is let go so that the others reach each other."""

from typing import Any

import pytest
from distributed import Client, LocalCluster

from dmlkit.boosting import reach
from dmlkit.boosting.reach import let_go_unreachable, worst_connected


def test_workers_that_reach_each_other_stay(client: Client) -> None:
    workers = list(client.scheduler_info()["workers"])
    assert let_go_unreachable(client, workers) == {}
    assert list(client.scheduler_info()["workers"]) == workers


def test_one_end_of_a_cut_link_is_let_go_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        LocalCluster(n_workers=3, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        first, second, third = sorted(client.scheduler_info()["workers"])

        async def reaches(address: str, worker: Any) -> bool:
            return {address, worker.address} != {first, third}

        monkeypatch.setattr(reach, "_reaches", reaches)
        assert let_go_unreachable(client, [first, second, third]) == {third: first}
        assert set(client.scheduler_info()["workers"]) == {first, second}


def test_the_middle_of_cut_links_is_the_worst() -> None:
    assert worst_connected({"a": {"b"}, "b": set(), "c": {"b"}}) == "b"
    assert worst_connected({"a": {"b"}, "b": {"a"}, "c": set()}) == "b"
    assert worst_connected({}) is None
