import subprocess
import sys

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from dmlkit.errors import ConfigurationError
from dmlkit.tables.card_world import (
    RADIUS,
    Population,
    World,
    choose_terminals,
    populate,
    robbed_customers,
    robbed_terminals,
)
from dmlkit.tables.generate import card_transactions


def small(**settings) -> pd.DataFrame:
    arguments = {"customers": 100, "terminals": 200, "days": 64, "partitions": 1} | settings
    return card_transactions(**arguments).compute(scheduler="threads").reset_index(drop=True)


@pytest.fixture(scope="module")
def handbook() -> pd.DataFrame:
    """The table of the handbook's size: 5,000 customers, 10,000 terminals, 183 days."""
    return card_transactions(partitions=2).compute(scheduler="threads")


def test_the_rows_do_not_depend_on_the_partitions():
    whole = small(partitions=1)
    assert_frame_equal(whole, small(partitions=7))
    assert_frame_equal(whole, small(partitions=64))


def test_the_rows_do_not_depend_on_the_process():
    command = (
        "from dmlkit.tables.generate import card_transactions as make;"
        "print(make(100, 200, 64, partitions=3).amount.sum().compute(scheduler='sync'))"
    )
    other = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    assert float(other.stdout) == pytest.approx(small().amount.sum(), rel=1e-12)


def test_more_days_only_add_rows():
    longer = small(days=64)
    assert_frame_equal(small(days=10), longer[longer.time < "2025-01-11"])


def test_another_seed_gives_other_rows():
    first, second = small(seed=0), small(seed=1)
    assert len(first) != len(second)
    assert first.amount.iloc[0] != second.amount.iloc[0]


def test_the_columns_have_the_declared_types():
    lazy = card_transactions(customers=10, terminals=20, days=3)
    types = {
        "transaction_id": "int64",
        "time": "datetime64[us]",
        "customer_id": "int32",
        "terminal_id": "int32",
        "amount": "float64",
        "fraud": "int8",
        "fraud_scenario": "int8",
    }
    assert lazy.dtypes.astype(str).to_dict() == types
    assert lazy.compute().dtypes.astype(str).to_dict() == types


def test_a_table_has_the_size_of_the_handbooks(handbook):
    assert len(handbook) == pytest.approx(1_754_155, rel=0.03)
    assert handbook.amount.mean() == pytest.approx(53.6, rel=0.04)


@pytest.mark.parametrize(("scenario", "count"), [(1, 973), (2, 9_077), (3, 4_631)])
def test_frauds_are_as_many_as_the_handbooks(handbook, scenario, count):
    # Over six seeds the counts lie within 10% of the handbook's (which are of one seed).
    assert (handbook.fraud_scenario == scenario).sum() == pytest.approx(count, rel=0.12)


def test_a_row_is_a_fraud_when_it_has_a_scenario(handbook):
    assert ((handbook.fraud_scenario > 0) == (handbook.fraud == 1)).all()
    assert (handbook[handbook.fraud_scenario == 1].amount > 220).all()
    assert (handbook[handbook.amount > 220].fraud == 1).all()


def test_numbers_are_unique_and_increase_with_time(handbook):
    assert handbook.transaction_id.is_unique
    assert handbook.transaction_id.is_monotonic_increasing
    assert handbook.time.is_monotonic_increasing


def test_times_lie_within_the_days_asked_for():
    table = small(days=5, start="2024-02-27")
    assert table.time.min() >= pd.Timestamp("2024-02-27")
    assert table.time.max() < pd.Timestamp("2024-03-03")
    assert table.time.dt.date.nunique() == 5


def test_amounts_are_whole_cents_and_not_negative(handbook):
    cents = handbook.amount * 100
    assert (handbook.amount == np.rint(cents) / 100).all()
    assert handbook.amount.min() >= 0


def test_habits_are_the_customers_own(handbook):
    population = populate(World(5_000, 10_000, 0))
    honest = handbook[handbook.fraud_scenario <= 1]
    habits = honest.groupby("customer_id").amount.agg(["mean", "size"])
    habits = habits[habits["size"] > 300]
    ratio = habits["mean"] / (population.mean_amount[habits.index] / 100)
    # Negative amounts are drawn anew: that raises a mean by about 1 or 2 in a hundred.
    assert ratio.mean() == pytest.approx(1.01, abs=0.02)
    assert ratio.std() < 0.05


@pytest.mark.parametrize("terminals", [1, 60, 2_000, 40_000])
def test_every_terminal_is_in_reach_of_its_customer(terminals):
    world = World(500, terminals, 0)
    population = populate(world)
    table = small(customers=500, terminals=terminals, days=5)
    x, y = np.empty(terminals), np.empty(terminals)
    x[population.terminal_id] = population.terminal_x
    y[population.terminal_id] = population.terminal_y
    distance = np.hypot(
        x[table.terminal_id] - population.customer_x[table.customer_id],
        y[table.terminal_id] - population.customer_y[table.customer_id],
    )
    assert len(table) > 4_000
    assert distance.max() < RADIUS


@pytest.mark.parametrize("terminals", [10_000, 90_000])
def test_a_customer_reaches_about_78_terminals_at_any_size(terminals):
    population = populate(World(300, terminals, 3))
    reached = _in_reach(population).sum(axis=1)
    inner = np.abs(population.customer_x / population.cell_side / population.cells - 0.5) < 0.4
    inner &= np.abs(population.customer_y / population.cell_side / population.cells - 0.5) < 0.4
    assert reached[inner].mean() == pytest.approx(78.5, rel=0.05)


def test_every_terminal_in_reach_is_as_likely_as_the_others():
    customers, draws = 60, 4_000
    world = World(customers, 2_000, 5)
    population = populate(world)
    rows = np.repeat(np.arange(customers, dtype=np.int32), draws)
    drawn = choose_terminals(population, rows, world.stream(99)).reshape(customers, draws)
    statistic, freedom = 0.0, 0
    for customer, near in enumerate(_in_reach(population)):
        numbers, counts = np.unique(drawn[customer], return_counts=True)
        assert set(numbers) == set(population.terminal_id[near])
        expected = draws / len(numbers)
        statistic += ((counts - expected) ** 2 / expected).sum()
        freedom += len(numbers) - 1
    # Chi-squared: the mean is the degrees of freedom, the standard deviation sqrt(2 * freedom).
    assert statistic < freedom + 5 * np.sqrt(2 * freedom)


def _in_reach(population: Population) -> np.ndarray:
    distance_x = population.customer_x[:, None] - population.terminal_x
    distance_y = population.customer_y[:, None] - population.terminal_y
    return np.hypot(distance_x, distance_y) < RADIUS


def test_a_customer_without_terminals_buys_nothing():
    lonely = Population(
        customer_x=np.array([50.0]),
        customer_y=np.array([50.0]),
        mean_amount=np.array([10.0]),
        daily_rate=np.array([2.0]),
        terminal_x=np.array([1.0]),
        terminal_y=np.array([1.0]),
        terminal_id=np.array([0], np.int32),
        first=np.searchsorted([0], np.arange(401)),
        cells=20,
        cell_side=5.0,
    )
    drawn = choose_terminals(lonely, np.zeros(3, np.int32), np.random.default_rng(0))
    assert (drawn == -1).all()


def test_every_purchase_at_a_robbed_terminal_is_a_fraud_for_28_days(handbook):
    world = World(5_000, 10_000, 0)
    assert len(robbed_terminals(world, 0)) == 2
    assert 50 < len(robbed_terminals(world, 100)) <= 56
    day = handbook[handbook.time.dt.normalize() == "2025-04-11"]  # day 100
    robbed = np.isin(day.terminal_id, robbed_terminals(world, 100))
    assert robbed.sum() > 50
    assert day[robbed].fraud_scenario.isin([2, 3]).all()
    assert not (day[~robbed].fraud_scenario == 2).any()
    before, after = robbed_terminals(world, 99), robbed_terminals(world, 128)
    new = np.setdiff1d(robbed_terminals(world, 100), before)
    assert np.isin(new, robbed_terminals(world, 127)).all()
    assert not np.isin(new, after).any()


def test_a_third_of_a_robbed_customers_purchases_is_stolen_for_14_days(handbook):
    world = World(5_000, 10_000, 0)
    assert len(robbed_customers(world, 0)) == 3
    stolen = handbook[handbook.fraud_scenario == 3]
    day = (stolen.time - pd.Timestamp("2025-01-01")).dt.days
    robbed = {number: robbed_customers(world, number) for number in range(183)}
    assert all(customer in robbed[d] for d, customer in zip(day, stolen.customer_id, strict=True))
    all_days = (handbook.time - pd.Timestamp("2025-01-01")).dt.days.to_numpy()
    of_robbed = sum(
        np.isin(handbook.customer_id.to_numpy()[all_days == d], robbed[d]).sum() for d in robbed
    )
    assert len(stolen) / of_robbed == pytest.approx(1 / 3, abs=0.02)
    assert stolen.amount.mean() > 4 * handbook[handbook.fraud == 0].amount.mean()


def test_frauds_stay_in_proportion_in_small_and_large_worlds():
    tenth = World(500, 1_000, 0)
    counts = [len(robbed_terminals(tenth, day)) for day in range(60)]
    assert counts[:5] == [0, 0, 0, 0, 1]  # a fifth of a terminal a day
    assert 4 <= counts[50] <= 6
    assert len(robbed_terminals(World(5_000, 1_000_000, 0), 0)) == 200


def test_a_table_of_a_billion_rows_is_declared_at_no_cost():
    billion = card_transactions(customers=2_850_000, terminals=5_700_000, days=183)
    assert billion.npartitions == 183
    graph = cloudpickle.dumps(billion.optimize().__dask_graph__())
    assert len(graph) < 100_000


def test_one_day_of_a_large_table_is_made_alone():
    large = card_transactions(customers=200_000, terminals=400_000, days=2_600, partitions=2_600)
    day = large.partitions[1_234].compute(scheduler="sync")
    assert len(day) == pytest.approx(388_000, rel=0.02)
    assert (day.time.dt.normalize() == pd.Timestamp("2025-01-01") + pd.Timedelta(days=1_234)).all()


def test_partitions_fill_about_128_mebibytes():
    table = card_transactions(customers=500_000, terminals=1_000_000, days=183)
    bytes_each = 500_000 * 183 * 1.94 * 34 / table.npartitions
    assert 0.8 * 2**27 < bytes_each <= 2**27


def test_the_workers_of_a_cluster_make_the_same_rows(client):
    table = card_transactions(customers=100, terminals=200, days=64)
    assert table.npartitions >= 2
    assert_frame_equal(table.compute().reset_index(drop=True), small())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"customers": 0}, "customers is 0; it must be a whole number from 1"),
        ({"terminals": 2.5}, "terminals is 2.5"),
        ({"days": "many"}, "days is 'many'"),
        ({"days": True}, "days is True"),
        ({"seed": -1}, "seed is -1; it must be a whole number from 0"),
        ({"partitions": 65}, "partitions is 65; it must be a whole number from 1 to 64"),
        ({"start": "yesterday"}, "start is 'yesterday'; it must be a date such as '2025-01-01'"),
        ({"start": None}, "start is None"),
    ],
)
def test_a_wrong_setting_is_named(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        small(**settings)
