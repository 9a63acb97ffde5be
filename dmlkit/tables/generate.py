"""Realistic tables of any size, made where they are needed.

The worlds that the rows come from are simulated in modules of their own (`card_world`, ...).
"""

import math
from collections.abc import Callable
from numbers import Integral
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.system import CPU_COUNT

from dmlkit.cluster import current_client
from dmlkit.errors import ConfigurationError
from dmlkit.tables.card_world import Day, World, simulate_day
from dmlkit.tables.machine_world import MACHINES_PER_BLOCK, simulate_machines
from dmlkit.tables.patient_world import PATIENTS_PER_BLOCK, simulate_patients
from dmlkit.tables.retail_sales import retail_demand

__all__ = ["card_transactions", "machine_fleet", "patient_stays", "retail_demand"]

PARTITION_BYTES = 128 * 2**20
#: Of tables that are made in blocks, unless more are asked for.
MOST_PARTITIONS = 1_000
#: Of the columns together: two of 8 bytes for number and time, one for the amount, and so on.
BYTES_PER_ROW = 8 + 8 + 4 + 4 + 8 + 1 + 1
#: Transactions a day and customer: on average 2 are drawn, and the night cuts off a few.
DAILY_RATE = 1.94
LARGEST_NUMBER = 2**31 - 1


def card_transactions(
    customers: int = 5_000,
    terminals: int = 10_000,
    days: int = 183,
    seed: int = 0,
    *,
    start: str = "2025-01-01",
    partitions: int | None = None,
) -> Any:
    """Return a lazy table of simulated card payments, some of them frauds.

    Customers live in a square, pay at terminals within reach, and have habits: how often, and how
    much. There are three kinds of fraud: amounts over 220 (scenario 1); every payment at a
    terminal in the 28 days after it was tampered with (2); and about a third of a customer's
    payments in the 14 days after the card's number was stolen, at five times the amount (3).

    The rows depend on the arguments, not on how they are partitioned: each day is drawn from
    random numbers of its own. A table of a billion rows costs nothing until it is computed, and
    then a day's memory at a time.

    Parameters
    ----------
    customers, terminals : int
        About 355 rows come from a customer in 183 days. The square grows with the terminals:
        about 78 are in reach of a customer at any size; frauds stay in proportion.
    days : int
    seed : int
        Not negative. With another one, all rows are others.
    start : str
        The first day, such as ``"2025-01-01"``.
    partitions : int, optional
        At most one for each day, which is also the least memory that a partition takes. Without
        it: of about 128 MiB, but enough of them to use all cores.

    Returns
    -------
    dask.dataframe.DataFrame
        In the order of time, with the columns ``transaction_id`` (int64, increasing),
        ``time`` (datetime64[us], whole seconds), ``customer_id`` and ``terminal_id`` (int32, from
        0), ``amount`` (float64, whole cents), ``fraud`` (int8, 0 or 1) and ``fraud_scenario``
        (int8, 0 for an honest payment; never a feature).

    Raises
    ------
    ConfigurationError
        A number is out of its range, or `start` is no date.

    Notes
    -----
    The rules are those of the simulator in Le Borgne, Siblini, Lebichot and Bontempi,
    *Reproducible Machine Learning for Credit Card Fraud Detection - Practical Handbook*, 2022
    (chapter 3). Here a robbed customer's payments are each stolen with a probability of a third,
    where the handbook takes exactly a third of them, and an amount is multiplied once at most.

    Examples
    --------
    >>> from dmlkit.tables.generate import card_transactions
    >>> table = card_transactions(customers=50, terminals=100, days=30, partitions=3)
    >>> table.npartitions
    3
    >>> table.amount.max().compute() > 100
    np.True_
    """
    _check_range("customers", customers, 1, LARGEST_NUMBER)
    _check_range("terminals", terminals, 1, LARGEST_NUMBER)
    _check_range("days", days, 1, 100_000)
    _check_range("seed", seed, 0, None)
    if partitions is None:
        partitions = _default_partitions(customers, days)
    _check_range("partitions", partitions, 1, days)
    first_day = _parse_day(start)
    edges = [days * part // partitions for part in range(partitions + 1)]
    world = World(int(customers), int(terminals), int(seed))
    return dd.from_map(
        _simulate_days,
        edges[:-1],
        edges[1:],
        world=world,
        first_day=first_day,
        meta=_empty_frame(world, first_day),
        label="card-transactions",
    )


def patient_stays(patients: int = 5_000, seed: int = 0, *, partitions: int | None = None) -> Any:
    """Return a lazy table of simulated hospital stays, some followed by another within 30 days.

    Patients have an age, chronic illnesses and a frailty that nobody sees; who was ill often,
    came as an emergency or goes on to nursing comes back more often, and each diagnosis adds to
    it. A question mark stands for what is not known, as in many hospitals' tables.

    Parameters
    ----------
    patients : int
        About 1.6 rows come from each.
    seed : int
        Not negative.
    partitions : int, optional
        At most one for each 1,000 patients; the rows do not depend on it.

    Returns
    -------
    dask.dataframe.DataFrame
        By patient and time, with ``stay_id``, ``patient_id`` (int64), ``admitted``
        (datetime64[us]), ``age`` (bands such as ``[60-70)``), ``sex``, ``race``, ``payer``,
        ``admission``, ``discharge``, ``specialty``, ``glucose``, ``diagnosis_1`` to
        ``diagnosis_3`` (700 codes), counts of days, tests, medications and earlier visits, and
        ``readmitted`` (int8, 1 when the next stay begins within 30 days).

    Raises
    ------
    ConfigurationError
        A number is out of its range.

    Examples
    --------
    >>> from dmlkit.tables.generate import patient_stays
    >>> stays = patient_stays(patients=200).compute()
    >>> bool(0.05 < stays["readmitted"].mean() < 0.3), stays["stay_id"].is_unique
    (True, True)
    """
    _check_range("patients", patients, 1, LARGEST_NUMBER)
    return _in_blocks(simulate_patients, patients, PATIENTS_PER_BLOCK, seed, partitions)


def machine_fleet(machines: int = 200, seed: int = 0, *, partitions: int | None = None) -> Any:
    """Return a lazy table of the hourly readings of simulated machines, most until they failed.

    Sensors follow the load, the wear, and what is usual for each machine; wear is slow at first
    and fast before the end. 15% of the machines still run when the table ends.

    Parameters
    ----------
    machines : int
        About 200 rows come from each.
    seed : int
        Not negative.
    partitions : int, optional
        At most one for each 50 machines; the rows do not depend on it.

    Returns
    -------
    dask.dataframe.DataFrame
        By machine and time, with ``machine_id`` (int32), ``time`` (datetime64[us]), ``load``,
        ``temperature``, ``vibration``, ``pressure``, ``current``, ``noise`` (float64) and
        ``failed`` (int8, 1 in the hour in which the machine failed).

    Raises
    ------
    ConfigurationError
        A number is out of its range.

    Examples
    --------
    >>> from dmlkit.tables.generate import machine_fleet
    >>> readings = machine_fleet(machines=20).compute()
    >>> readings.groupby("machine_id")["failed"].sum().value_counts().to_dict()
    {1: 17, 0: 3}
    """
    _check_range("machines", machines, 1, LARGEST_NUMBER)
    return _in_blocks(simulate_machines, machines, MACHINES_PER_BLOCK, seed, partitions)


def _in_blocks(
    simulate: Callable[[int, int, int], pd.DataFrame],
    count: int,
    size: int,
    seed: int,
    partitions: int | None,
) -> Any:
    """Return a table of so many individuals, made in blocks of a fixed size."""
    _check_range("seed", seed, 0, None)
    blocks = math.ceil(count / size)
    if partitions is None:
        partitions = min(blocks, MOST_PARTITIONS)
    _check_range("partitions", partitions, 1, blocks)
    edges = [blocks * part // partitions for part in range(partitions + 1)]
    return dd.from_map(
        _simulate_blocks,
        edges[:-1],
        edges[1:],
        simulate=simulate,
        count=count,
        size=size,
        seed=seed,
        meta=simulate(0, 1, 0).iloc[:0],
        label=simulate.__name__.replace("_", "-"),
    )


def _simulate_blocks(
    begin: int,
    end: int,
    simulate: Callable[[int, int, int], pd.DataFrame],
    count: int,
    size: int,
    seed: int,
) -> pd.DataFrame:
    """Return the individuals of blocks ``begin`` to ``end - 1``."""
    blocks = [simulate(block, min(size, count - block * size), seed) for block in range(begin, end)]
    return pd.concat(blocks, ignore_index=True)


def _simulate_days(begin: int, end: int, world: World, first_day: np.datetime64) -> pd.DataFrame:
    """Return the transactions of days ``begin`` to ``end - 1``."""
    days = [_to_frame(simulate_day(world, day), day, world, first_day) for day in range(begin, end)]
    return pd.concat(days, ignore_index=True)


def _to_frame(day: Day, number: int, world: World, first_day: np.datetime64) -> pd.DataFrame:
    midnight = (first_day + number).astype("datetime64[us]")
    return pd.DataFrame(
        {
            "transaction_id": number * _most_in_a_day(world.customers) + np.arange(len(day.second)),
            "time": midnight + day.second.astype("timedelta64[s]"),
            "customer_id": day.customer_id,
            "terminal_id": day.terminal_id,
            "amount": day.cents / 100,
            "fraud": (day.scenario > 0).astype(np.int8),
            "fraud_scenario": day.scenario,
        },
        copy=False,
    )


def _empty_frame(world: World, first_day: np.datetime64) -> pd.DataFrame:
    none = np.empty(0, np.int32)
    day = Day(none, none, none, none.astype(np.int64), none.astype(np.int8))
    return _to_frame(day, 0, world, first_day)


def _most_in_a_day(customers: int) -> int:
    """Return a round number that a day's rows won't reach, so that numbers tell their day."""
    most = 4 * customers  # were all customers the busiest
    return int(10 ** math.ceil(math.log10(most + 20 * math.sqrt(most) + 100)))


def _default_partitions(customers: int, days: int) -> int:
    client = current_client()
    cores = CPU_COUNT if client is None else sum(client.nthreads().values())
    size = DAILY_RATE * customers * days * BYTES_PER_ROW
    return min(days, max(math.ceil(size / PARTITION_BYTES), 2 * cores))


def _check_range(name: str, value: Any, least: int, most: int | None) -> None:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):
        upper = "" if most is None else f" to {most:,}"
        raise ConfigurationError(
            f"{name} is {value!r}; it must be a whole number from {least:,}{upper}."
        )


def _parse_day(start: str) -> np.datetime64:
    try:
        day: np.datetime64[Any] = np.datetime64(start, "D")
    except (TypeError, ValueError):
        day = np.datetime64("NaT", "D")
    if np.isnat(day):
        raise ConfigurationError(f"start is {start!r}; it must be a date such as '2025-01-01'.")
    return day
