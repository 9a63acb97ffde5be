"""Rows that lie well are not moved: what is known of them, and that features stay the same."""

from pathlib import Path

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from dmlkit import read_table
from dmlkit.errors import InputError
from dmlkit.features import FeatureSet, TimeWindows
from dmlkit.features.entity_key import EntityKey
from dmlkit.features.layout import HashRanges, TimeSlices, WholeEntities, known_layout
from dmlkit.tables import Column, Schema, check_table
from tests.features.conftest import payments
from tests.features.test_input_order import STEP, by_number, lazy, same_features

KEY = EntityKey(("card",), "time")
SHORT = TimeWindows("card", "time", ["1d"], {"amount": ["sum", "nunique"]}, delay="36h")


def moved(frame: dd.DataFrame) -> bool:
    """Tell whether rows are cut by the hash of an entity."""
    return any("_cut" in str(key) for key in dict(frame.dask))


def in_files(folder: Path, parts: list[pd.DataFrame]) -> dd.DataFrame:
    """Write a file for each part, and read them, a partition each."""
    for number, part in enumerate(parts):
        part.to_parquet(folder / f"part-{number:02d}.parquet", index=False)
    return read_table(folder, partition_bytes=1)


def slices(table: pd.DataFrame, days: int = 10) -> list[pd.DataFrame]:
    starts = pd.date_range("2025-01-01", "2025-03-01", freq=f"{days}D")
    number = np.searchsorted(starts, table["time"].fillna(starts[0]), side="right")
    return [part for _, part in table.groupby(number)]


# What is known


def test_footers_tell_slices_of_time(tmp_path):
    parts = slices(payments())
    layout = known_layout(in_files(tmp_path, parts), KEY)
    assert isinstance(layout, TimeSlices)
    assert layout.rows == tuple(map(len, parts))
    firsts = [part["time"].min().value // 1000 for part in parts]
    assert list(layout.first) == firsts


@pytest.mark.parametrize("unit", ["s", "ms", "ns"])
def test_slices_are_told_in_the_unit_of_the_key(tmp_path, unit):
    table = payments().assign(time=lambda table: table["time"].dt.as_unit(unit))
    frame = in_files(tmp_path, slices(table))
    for key_unit, factor in (("us", 1000), ("ns", 1)):
        layout = known_layout(frame, EntityKey(("card",), "time", key_unit))
        assert layout.last[-1] == table["time"].dt.as_unit("ns").max().value // factor


def test_a_value_in_one_file_only_is_whole(tmp_path):
    table = payments().dropna(subset="card")
    halves = [part for _, part in table.groupby(table["card"] < 10)]
    frame = in_files(tmp_path, halves)
    assert known_layout(frame, KEY) == WholeEntities()
    assert isinstance(known_layout(frame, EntityKey(("terminal",), "time")), TimeSlices)


def test_the_values_of_folders_are_whole(tmp_path):
    for country, part in payments().dropna(subset="time").groupby("country", observed=True):
        folder = tmp_path / f"country={country}"
        folder.mkdir()
        part.drop(columns="country").to_parquet(folder / "part.parquet", index=False)
    frame = read_table(tmp_path)
    assert known_layout(frame, EntityKey(("country",), "time")) == WholeEntities()
    assert known_layout(frame, EntityKey(("country", "card"), "time")) == WholeEntities()
    step = TimeWindows("country", "time", ["3d"], {"amount": ["sum"]})
    found = step.transform(frame, order="input")
    assert not moved(found)
    same_features(found, frame, step)


def test_rows_that_dask_has_shuffled_are_whole():
    frame = lazy(payments(), 4).shuffle("card", npartitions=4)
    assert known_layout(frame, KEY) == WholeEntities()
    assert known_layout(frame, EntityKey(("card", "terminal"), "time")) == WholeEntities()
    assert known_layout(frame, EntityKey(("terminal",), "time")) is None
    found = STEP.transform(frame, order="input")
    assert not any("_sample" in str(key) for key in dict(found.dask))
    names = ["number", *STEP.get_feature_names_out()]
    expected = STEP.transform(lazy(payments(), 1)).compute(scheduler="sync")
    found = by_number(found.compute(scheduler="sync")[names])
    assert_frame_equal(found, by_number(expected[names]), check_exact=True)


def test_what_changes_times_or_entities_is_not_trusted(tmp_path):
    frame = in_files(tmp_path, slices(payments()))
    kept = frame[frame["amount"] > 10].assign(more=1)[["card", "time", "amount"]]
    assert isinstance(known_layout(kept, KEY), TimeSlices)
    assert known_layout(frame.assign(time=frame["time"] + pd.Timedelta("9D")), KEY) is None
    assert known_layout(frame.map_partitions(lambda part: part), KEY) is None
    assert known_layout(frame.repartition(npartitions=2), KEY) is None
    ranges = STEP.transform(lazy(payments(), 4))
    assert known_layout(ranges[ranges["amount"] > 10].assign(more=1), KEY) == HashRanges()
    assert known_layout(ranges.assign(card=ranges["number"]), KEY) is None
    assert known_layout(ranges, EntityKey(("terminal",), "time")) is None
    assert known_layout(ranges.partitions[[1, 2]].optimize(), KEY) is None


def test_what_is_known_of_a_table_is_known_of_its_good_rows(tmp_path):
    columns = [Column("card", "int64"), Column("time", "datetime"), Column("amount", "float64")]
    frame = in_files(tmp_path, slices(payments()))
    checked = check_table(frame, Schema(columns), max_bad_share=0.9)
    assert checked.bad_rows > 0
    layout = known_layout(checked.frame, KEY)
    assert isinstance(layout, TimeSlices)
    assert layout == known_layout(frame, KEY)
    step = TimeWindows("card", "time", ["3d"], {"amount": ["sum"]})
    found = step.transform(checked.frame, order="input")
    assert not moved(found)
    same_features(found, checked.frame, step)


def test_texts_that_become_one_number_are_not_whole(tmp_path):
    for card in ("1", "01"):  # each in a file of its own, and one card after the check
        table = pd.DataFrame({"card": [card] * 3, "time": pd.date_range("2025", periods=3)})
        table.to_parquet(tmp_path / f"{card}.parquet", index=False)
    frame = read_table(tmp_path, partition_bytes=1)
    key = EntityKey(("card",), "time")
    assert known_layout(frame, key) == WholeEntities()
    kinds = {"str": WholeEntities(), "int64": None}
    for kind, layout in kinds.items():
        dtype = "string" if kind == "str" else kind
        schema = Schema([Column("card", dtype), Column("time", "datetime")])
        assert known_layout(check_table(frame, schema).frame, key) == layout


def test_text_files_and_frames_in_memory_tell_nothing(tmp_path):
    payments().to_csv(tmp_path / "table.csv", index=False)
    assert known_layout(read_table(tmp_path / "table.csv", partition_bytes=9000), KEY) is None
    assert known_layout(lazy(payments(), 3), KEY) is None


def test_files_without_statistics_tell_nothing(tmp_path):
    for name in "ab":
        payments().to_parquet(tmp_path / f"{name}.parquet", index=False, write_statistics=False)
    assert known_layout(read_table(tmp_path, partition_bytes=1), KEY) is None


def test_one_partition_has_all_there_is():
    found = STEP.transform(lazy(payments(), 1), order="input")
    assert not moved(found)
    same_features(found, lazy(payments(), 1))


# Slices of time


@pytest.mark.parametrize("days", [4, 10, 100])
def test_slices_read_back_in_time_and_no_row_is_moved(tmp_path, days):
    table = payments()
    frame = in_files(tmp_path, slices(table, days))
    found = SHORT.transform(frame, order="input")
    assert not moved(found)
    same_features(found, frame, SHORT)


def test_slices_that_overlap_and_have_no_times_see_each_other(tmp_path):
    table = payments().sort_values("time", na_position="first", ignore_index=True)
    parts = [table[number::2] for number in range(2)]
    parts += [table.head(9), table.head(0), table.tail(150)]
    parts[2] = parts[2].assign(time=pd.Series(pd.NaT, parts[2].index, "datetime64[us]"))
    parts = [part.assign(number=lambda p, n=n: p.index + 1000 * n) for n, part in enumerate(parts)]
    frame = in_files(tmp_path, parts)
    assert isinstance(known_layout(frame, KEY), TimeSlices)
    found = SHORT.transform(frame, order="input")
    same_features(found, frame, SHORT)


def test_windows_that_reach_far_are_shuffled(tmp_path):
    frame = in_files(tmp_path, slices(payments(), 1))
    far = TimeWindows("card", "time", ["40d"], {"amount": ["sum"]})
    found = far.transform(frame, order="input")
    assert moved(found)
    same_features(found, frame, far)
    assert "partitions would see" in far.explain(frame, order="input")


def test_a_file_that_changed_after_it_was_looked_at_is_told(tmp_path):
    parts = slices(payments())
    found = SHORT.transform(in_files(tmp_path, parts), order="input")
    later = parts[2].assign(time=parts[2]["time"] + pd.Timedelta("90D"))
    later.to_parquet(tmp_path / "part-02.parquet", index=False)
    with pytest.raises(InputError, match=r"'time' from 2025-04-\d\d .* read the table again"):
        found.compute(scheduler="sync")


# What an earlier step left


def large_entity() -> pd.DataFrame:
    """Return payments of which half are of one card, over several partitions."""
    table = payments(2000).dropna(subset=["card", "time"])
    table.loc[table["number"] % 2 == 0, "card"] = 7
    return table


@pytest.mark.parametrize("order", ["entity", "input"])
@pytest.mark.parametrize("partitions", [1, 4, 12])
def test_a_second_step_on_the_entity_moves_nothing(order, partitions):
    table = large_entity()
    second = TimeWindows("card", "time", ["2d", "30d"], {"amount": ["mean", "count"]})
    once = SHORT.transform(lazy(table, 5), partitions=partitions)
    twice = second.transform(once, order=order)
    fresh = second.transform(lazy(once.compute(scheduler="sync"), 3))
    cuts = [sum("_cut" in str(key) for key in dict(each.dask)) for each in (once, twice)]
    assert cuts[0] == cuts[1]
    assert_frame_equal(
        twice.compute(scheduler="sync").reset_index(drop=True),
        fresh.compute(scheduler="sync").reset_index(drop=True),
        check_exact=True,
    )


def test_rows_may_be_left_out_between_two_steps():
    once = SHORT.transform(lazy(large_entity(), 5), partitions=9)
    few = once[once["amount"] > 20]
    twice = STEP.transform(few)
    assert twice.npartitions == 9
    same = STEP.transform(lazy(few.compute(scheduler="sync"), 2)).compute(scheduler="sync")
    assert_frame_equal(
        twice.compute(scheduler="sync").reset_index(drop=True),
        same.reset_index(drop=True),
        check_exact=True,
    )


@pytest.mark.parametrize("by", ["terminal", ["country", "online"], "booked"])
def test_entities_of_any_kind_and_rows_without_one_or_a_time_stay_right(by):
    table = payments(1500)
    table.loc[table["terminal"] == "3", "time"] = pd.NaT
    first = TimeWindows(by, "time", ["2d"], {"amount": ["sum"]})
    second = TimeWindows(by, "time", ["9d", "30d"], {"amount": ["mean"], "card": ["nunique"]})
    once = first.transform(lazy(table, 5), partitions=12)
    twice = second.transform(once)
    assert not any("ranges_of" in str(key) for key in set(twice.dask) - set(once.dask))
    fresh = second.transform(lazy(table, 3), partitions=1).compute(scheduler="sync")
    names = ["number", *second.get_feature_names_out()]
    found = by_number(twice.compute(scheduler="sync")[names])
    assert_frame_equal(found, by_number(fresh[names]), check_exact=True)


def test_footers_are_not_read_where_rows_come_out_by_entity(tmp_path):
    frame = in_files(tmp_path, slices(payments()))
    for file in tmp_path.iterdir():
        file.unlink()
    SHORT.transform(frame)  # nothing is read before it is computed
    with pytest.raises(InputError):
        SHORT.transform(frame, order="input")


def test_a_set_after_a_set_moves_nothing():
    first = FeatureSet([SHORT]).transform(lazy(large_entity(), 5), partitions=6)
    assert known_layout(first, KEY) == HashRanges()
    assert "none is moved" in FeatureSet([STEP]).explain(first)


def test_other_partitions_that_are_asked_for_are_made():
    once = SHORT.transform(lazy(payments(), 5), partitions=6)
    assert STEP.transform(once, partitions=3).npartitions == 3


def test_explain_tells_what_would_be_moved_otherwise(tmp_path):
    frame = in_files(tmp_path, slices(payments()))
    told = SHORT.explain(frame, order="input")
    assert "partitions read back in time, and see" in told
    assert "where a shuffle would move" in told
    assert "with order='input', partitions read back in time" in SHORT.explain(frame)
    unknown = SHORT.explain(lazy(payments(), 3), order="input")
    assert "are moved by a hash of card, and its 16 bytes of features come back" in unknown
    whole = lazy(payments(), 4).shuffle("card")
    assert "each entity is in one partition already" in SHORT.explain(whole, order="input")


def test_features_are_by_number_in_every_way(tmp_path):
    table = payments()
    frame = in_files(tmp_path, slices(table))
    ways = [
        SHORT.transform(frame, order="input"),
        SHORT.transform(frame),
        SHORT.transform(lazy(table, 3), order="input"),
    ]
    first, *others = (by_number(way.compute(scheduler="sync")) for way in ways)
    for other in others:
        features = SHORT.get_feature_names_out()
        assert_frame_equal(first[features], other[features], check_exact=True)
