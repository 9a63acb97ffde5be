"""The simulated world behind generated card transactions: who lives where, buys what, is robbed.

Everything is drawn from streams of random numbers that the seed, the purpose and the day name, so
that any day can be made alone. Turning days into a table is the business of `generate`.
"""

import threading
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Day",
    "Population",
    "World",
    "choose_terminals",
    "populate",
    "robbed_customers",
    "robbed_terminals",
    "simulate_day",
]

SECONDS_PER_DAY = 86_400
#: The Fraud Detection Handbook's world, which others are scaled from.
TERMINALS, CUSTOMERS, SIDE, RADIUS = 10_000, 5_000, 100.0, 5.0
ROBBED_TERMINALS_PER_DAY, ROBBED_TERMINAL_DAYS = 2, 28
ROBBED_CUSTOMERS_PER_DAY, ROBBED_CUSTOMER_DAYS = 3, 14
LARGE_CENTS = 220_00
#: What streams of random numbers are for; the values are part of what a seed means.
FOR_CUSTOMERS, FOR_TERMINALS, FOR_DAY, FOR_ROBBED_CUSTOMERS, FOR_ROBBED_TERMINALS = range(5)
#: A customer who finds no terminal in so many tries has none in reach (about 1 of 3 is in reach).
TRIES = 2_000
ROWS_PER_BLOCK = 65_536


@dataclass(frozen=True)
class World:
    """What decides every row of a generated table."""

    customers: int
    terminals: int
    seed: int

    def stream(self, purpose: int, day: int = 0) -> np.random.Generator:
        """Return the random numbers for one purpose on one day."""
        key = np.random.SeedSequence([self.seed, purpose, day])
        return np.random.Generator(np.random.PCG64(key))

    @property
    def side(self) -> float:
        """Side of the square that all live in: about 78 terminals are in reach at any size."""
        return SIDE * float(np.sqrt(self.terminals / TERMINALS))


@dataclass(frozen=True)
class Population:
    """Places and habits of customers, and places of terminals, sorted into cells of a grid.

    A cell is at least as wide as a customer reaches, so that all terminals in reach are in the
    nine cells around the customer: no list of them is needed.

    Attributes
    ----------
    customer_x, customer_y : array of float64, shape (customers,)
    mean_amount : array of float64, shape (customers,)
        In cents; the standard deviation is half of it.
    daily_rate : array of float64, shape (customers,)
        Transactions a day.
    terminal_x, terminal_y : array of float64, shape (terminals,)
        In the order of the cells.
    terminal_id : array of int32, shape (terminals,)
        The terminal at each position of that order.
    first : array of int64, shape (cells * cells + 1,)
        Position of the first terminal of each cell, row by row.
    cells : int
        In a row.
    cell_side : float
    """

    customer_x: NDArray[np.float64]
    customer_y: NDArray[np.float64]
    mean_amount: NDArray[np.float64]
    daily_rate: NDArray[np.float64]
    terminal_x: NDArray[np.float64]
    terminal_y: NDArray[np.float64]
    terminal_id: NDArray[np.int32]
    first: NDArray[np.int64]
    cells: int
    cell_side: float


@dataclass(frozen=True)
class Day:
    """The transactions of one day, in the order of time; arrays of one length."""

    second: NDArray[np.int32]
    customer_id: NDArray[np.int32]
    terminal_id: NDArray[np.int32]
    cents: NDArray[np.int64]
    scenario: NDArray[np.int8]


_building = threading.Lock()


def populate(world: World) -> Population:
    """Return the population of a world; a process keeps the last two it was asked for."""
    with _building:
        return _populate(world)


@lru_cache(maxsize=2)
def _populate(world: World) -> Population:
    random = world.stream(FOR_CUSTOMERS)
    customer_x, customer_y = random.uniform(0, world.side, (2, world.customers))
    mean_amount = random.uniform(5_00, 100_00, world.customers)
    daily_rate = random.uniform(0, 4, world.customers)
    random = world.stream(FOR_TERMINALS)
    terminal_x, terminal_y = random.uniform(0, world.side, (2, world.terminals))
    cells = max(1, int(world.side // RADIUS))
    cell_side = world.side / cells
    cell = _cell_of(terminal_y, cells, cell_side) * cells + _cell_of(terminal_x, cells, cell_side)
    order = np.argsort(cell, kind="stable")
    return Population(
        customer_x,
        customer_y,
        mean_amount,
        daily_rate,
        terminal_x[order],
        terminal_y[order],
        order.astype(np.int32),
        np.searchsorted(cell[order], np.arange(cells * cells + 1)),
        cells,
        cell_side,
    )


def _cell_of(place: NDArray[np.float64], cells: int, cell_side: float) -> NDArray[np.int64]:
    return np.minimum((place / cell_side).astype(np.int64), cells - 1)


def simulate_day(world: World, day: int) -> Day:
    """Draw the transactions of a day, those by thieves too.

    Parameters
    ----------
    world : World
    day : int
        From 0, the first day of the table.
    """
    population, random = populate(world), world.stream(FOR_DAY, day)
    purchases = random.poisson(population.daily_rate)
    customer = np.repeat(np.arange(world.customers, dtype=np.int32), purchases)
    second = random.normal(SECONDS_PER_DAY / 2, 20_000, len(customer)).astype(np.int32)
    inside = (second > 0) & (second < SECONDS_PER_DAY)
    customer, second = customer[inside], second[inside]
    cents = _draw_cents(population.mean_amount[customer], random)
    terminal = choose_terminals(population, customer, random)
    order = np.argsort(second, kind="stable")
    order = order[terminal[order] >= 0]
    second, customer = second[order], customer[order]
    terminal, cents = terminal[order], cents[order]
    scenario = np.where(cents > LARGE_CENTS, 1, 0).astype(np.int8)
    scenario[_among(terminal, robbed_terminals(world, day), world.terminals)] = 2
    victims = np.flatnonzero(_among(customer, robbed_customers(world, day), world.customers))
    scenario[victims[random.random(len(victims)) < 1 / 3]] = 3
    return Day(second, customer, terminal, np.where(scenario == 3, cents * 5, cents), scenario)


def _draw_cents(mean: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.int64]:
    cents = random.normal(mean, mean / 2)
    negative = np.flatnonzero(cents < 0)
    cents[negative] = random.uniform(0, 2 * mean[negative])
    return np.rint(cents).astype(np.int64)


def choose_terminals(
    population: Population, customer: NDArray[np.int32], random: np.random.Generator
) -> NDArray[np.int32]:
    """Choose one of the terminals in reach for each row, each as likely as the others.

    Returns
    -------
    array of int32
        The terminal's number, or -1 where none is in reach.
    """
    # In blocks, because the search needs some 30 times the memory of its result.
    blocks = range(0, len(customer), ROWS_PER_BLOCK)
    chosen = [
        _choose_terminals(population, customer[start : start + ROWS_PER_BLOCK], random)
        for start in blocks
    ]
    return np.concatenate([np.empty(0, np.int32), *chosen])


def _choose_terminals(
    population: Population, customer: NDArray[np.int32], random: np.random.Generator
) -> NDArray[np.int32]:
    """Draw terminals of the nine cells around each customer until they are in reach."""
    terminal = np.full(len(customer), -1, np.int32)
    x, y = population.customer_x[customer], population.customer_y[customer]
    first, last = _rows_of_cells(population, x, y)
    ends = np.cumsum(last - first, axis=0)
    pending = np.arange(len(customer))
    for _ in range(TRIES):
        drawn = (random.random(len(pending)) * ends[2, pending]).astype(np.int64)
        row = (drawn >= ends[:2, pending]).sum(axis=0)
        position = last[row, pending] - (ends[row, pending] - drawn)
        # With no terminal around, the position may be past the last one.
        position = np.minimum(position, len(population.terminal_x) - 1)
        distance_x = population.terminal_x[position] - x[pending]
        distance_y = population.terminal_y[position] - y[pending]
        near = distance_x**2 + distance_y**2 < RADIUS**2
        terminal[pending[near]] = population.terminal_id[position[near]]
        pending = pending[~near]
        if not len(pending):
            break
    return terminal


def _rows_of_cells(
    population: Population, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the terminals of three cells side by side begin and end, three such rows."""
    cells = population.cells
    column = _cell_of(x, cells, population.cell_side)
    row = _cell_of(y, cells, population.cell_side) + np.array([[-1], [0], [1]])
    start = np.clip(row, 0, cells - 1) * cells
    first = population.first[start + np.maximum(column - 1, 0)]
    last = population.first[start + np.minimum(column + 1, cells - 1) + 1]
    outside = (row < 0) | (row >= cells)
    return first, np.where(outside, first, last)


def robbed_terminals(world: World, day: int) -> NDArray[np.int64]:
    """Return the terminals where, on this day, every purchase is a fraud."""
    return _chosen_lately(
        world,
        FOR_ROBBED_TERMINALS,
        world.terminals,
        Fraction(ROBBED_TERMINALS_PER_DAY, TERMINALS),
        range(max(0, day - ROBBED_TERMINAL_DAYS + 1), day + 1),
    )


def robbed_customers(world: World, day: int) -> NDArray[np.int64]:
    """Return the customers a third of whose purchases, on this day, is a fraud."""
    return _chosen_lately(
        world,
        FOR_ROBBED_CUSTOMERS,
        world.customers,
        Fraction(ROBBED_CUSTOMERS_PER_DAY, CUSTOMERS),
        range(max(0, day - ROBBED_CUSTOMER_DAYS + 1), day + 1),
    )


def _chosen_lately(
    world: World, purpose: int, size: int, daily_share: Fraction, days: range
) -> NDArray[np.int64]:
    """Return who of `size` was chosen on one of the days, each day its share, spread evenly."""
    daily = daily_share * size
    chosen = []
    for day in days:
        count = int((day + 1) * daily) - int(day * daily)
        chosen.append(world.stream(purpose, day).choice(size, count, replace=False, shuffle=False))
    return np.unique(np.concatenate(chosen))


def _among(
    identifier: NDArray[np.int32], members: NDArray[np.int64], size: int
) -> NDArray[np.bool_]:
    is_member = np.zeros(size, np.bool_)
    is_member[members] = True
    return is_member[identifier]
