"""Rows that a stage reads and writes: so far, of how many, how fast; as data and on workers."""

from pathlib import Path

import pandas as pd
import pytest
from distributed import Client

from dmlkit import read_table, write_table
from dmlkit.observe import install, take_snapshot
from dmlkit.observe.flows import FlowRecord
from dmlkit.observe.runs import StageProgress
from dmlkit.observe.wording import facts_of
from tests.observe.test_losses_of_workers import until


def flow_of(sizes: list[int], parts_total: int) -> FlowRecord:
    """A flow of which partitions of these sizes are through, one in a second."""
    flow = FlowRecord("read")
    flow.tick(0.0, parts_total)
    for number, rows in enumerate(sizes):
        flow.add(("read", number), "read", rows, 8 * rows)
        flow.tick(number + 1.0, parts_total)
    return flow


def test_what_is_to_come_is_taken_to_be_like_what_is_done() -> None:
    told = flow_of([100, 300], parts_total=8).view()
    assert (told["rows"], told["bytes"], told["parts"]) == (400, 3200, 2)
    assert (told["rows_total"], told["rows_per_second"]) == (1600, 200.0)
    assert told["left"] is not None
    assert told["left"]["low"] < 6 < told["left"]["high"]


def test_of_what_has_not_begun_nothing_is_told() -> None:
    told = flow_of([], parts_total=8).view()
    assert told["rows_total"] is told["rows_per_second"] is told["left"] is None


def test_when_all_partitions_are_done_the_rows_are_known() -> None:
    assert flow_of([100, 300], parts_total=2).view()["rows_total"] == 400
    flow = flow_of([100], parts_total=2)  # the last look was before the last partition
    flow.end()
    assert (flow.view()["rows_total"], flow.view()["left"]) == (100, None)


def test_a_partition_that_is_computed_again_counts_once() -> None:
    flow = flow_of([100], parts_total=2)
    flow.add(("read", 0), "read", 100, 800)
    assert (flow.rows, flow.parts) == (100, 1)


@pytest.mark.parametrize(
    ("sizes", "parts_total", "share"),
    [
        ([10_000] * 6, 6, None),
        ([10_000] * 5 + [60_000], 6, 60 / 110),
        ([60_000] + [10_000] * 5, 60, None),  # of what is to come, it will be little
        ([10] * 5 + [60], 6, None),  # too few rows to matter
        ([0, 0, 0, 0, 50_000], 5, 1.0),
    ],
)
def test_one_partition_with_most_rows_is_told(
    sizes: list[int], parts_total: int, share: float | None
) -> None:
    assert flow_of(sizes, parts_total).skew == share


def test_workers_tell_the_rows_of_a_running_stage(client: Client, tmp_path: Path) -> None:
    table = pd.DataFrame({"a": range(1000)})
    for number in range(4):
        (tmp_path / "in").mkdir(exist_ok=True)
        table.to_parquet(tmp_path / "in" / f"{number}.parquet", index=False)
    install(client)
    run = {"run": "flows", "client": client.id, "workflow": "copy", "stages": ["copy"]}
    client.log_event("dmlkit", {"kind": "workflow", "state": "started", **run})
    client.log_event("dmlkit", {"kind": "stage", "stage": "copy", "state": "started", **run})
    write_table(read_table(tmp_path / "in", partition_bytes=1), tmp_path / "out")

    def flows() -> dict:
        (found,) = (each for each in take_snapshot(client)["workflows"] if each["id"] == "flows")
        return {flow["what"]: flow for flow in found["stages"][0]["flows"]}

    told = until(lambda: flows() if flows().get("written", {}).get("rows") == 4000 else None)
    assert told["read"]["rows"] == 4000
    assert told["read"]["bytes"] >= 32_000
    assert until(lambda: flows()["written"]["parts_total"] == 4)
    assert flows()["written"]["rows_total"] == 4000
    client.log_event("dmlkit", {"kind": "workflow", "state": "done", **run})


def test_the_terminal_tells_rows_as_they_come() -> None:
    stage = StageProgress("read", 1, state="running", started=0.0)
    stage.flows["read"] = flow_of([100_000, 300_000], parts_total=8)
    assert "400k of about 1.6M rows read, 200k a second" in facts_of(stage.view(2.0))
