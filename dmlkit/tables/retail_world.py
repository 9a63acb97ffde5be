"""The simulated shops behind generated sales: items, their seasons, promotions and empty shelves.

Everything of an item is drawn from random numbers that the seed and the item name, so that any
item can be made alone. Turning items into a table is the business of `generate`.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["ItemSales", "RetailWorld", "simulate_item"]

CATEGORIES = 8
#: What streams of random numbers are for; the values are part of what a seed means.
FOR_SHOPS, FOR_CATEGORIES, FOR_ITEM = range(3)
#: Items that come late, and that go early.
NEW_ITEMS, ENDED_ITEMS = 0.10, 0.04
#: Units a day in a shop of size 1: the middle item's, and how far items lie apart (of the log).
LEVEL, LEVEL_SPREAD = 6.0, 1.1
#: Days between promotions, on average, how long they take, and what is off the price.
PROMOTION_EVERY, PROMOTION_DAYS = 45, (5, 14)
PRICE_CUTS = np.array([0.1, 0.2, 0.3])
#: A shelf that is full empties on one day of so many, and stays so for as long on average.
EMPTY_ONCE_IN, EMPTY_DAYS = 120, 4
#: How much sales vary around what is expected beyond chance: the shape of a gamma distribution.
EVENNESS = 8.0


@dataclass(frozen=True)
class RetailWorld:
    """What decides every row of a generated table."""

    items: int
    shops: int
    days: int
    first_day: np.datetime64
    seed: int

    def stream(self, purpose: int, number: int = 0) -> np.random.Generator:
        """Return the random numbers for one purpose."""
        key = np.random.SeedSequence([self.seed, purpose, number])
        return np.random.Generator(np.random.PCG64(key))


@dataclass(frozen=True)
class ItemSales:
    """The sales of one item in all shops.

    Attributes
    ----------
    first, stop : int
        The days on which it is sold.
    category : int
    price : (days,) float32 array
    promotion : (days,) int8 array
    units : (shops, days) float32 array
        Sold; less than wanted where a shelf was empty.
    in_stock : (shops, days) int8 array
    """

    first: int
    stop: int
    category: int
    price: NDArray[np.float32]
    promotion: NDArray[np.int8]
    units: NDArray[np.float32]
    in_stock: NDArray[np.int8]


def simulate_item(world: RetailWorld, item: int) -> ItemSales:
    """Return the sales of an item, the same ones each time."""
    random = world.stream(FOR_ITEM, item)
    first, stop = _life(world.days, random)
    category = int(random.integers(CATEGORIES))
    level = LEVEL * np.exp(random.normal(0, LEVEL_SPREAD))
    promotion, cut = _promotions(world.days, random)
    usual_price = np.round(np.exp(random.normal(1.5, 0.6)), 2)
    elasticity = random.uniform(1.5, 4.0)
    course = _course(world, category, random) * (1 - cut) ** -elasticity
    wanted = level * course * _shops(world)[:, None] * _drift(world, random)
    wanted = wanted * random.gamma(EVENNESS, 1 / EVENNESS, wanted.shape)
    in_stock = ~_empty_shelves(wanted.shape, random)
    units = random.poisson(wanted) * in_stock
    days = slice(first, stop)
    return ItemSales(
        first,
        stop,
        category,
        np.round(usual_price * (1 - cut[days]), 2).astype(np.float32),
        promotion[days].astype(np.int8),
        units[:, days].astype(np.float32),
        in_stock[:, days].astype(np.int8),
    )


@lru_cache(maxsize=2)
def _shops(world: RetailWorld) -> NDArray[np.float64]:
    """Return the size of each shop."""
    sizes: NDArray[np.float64] = np.exp(world.stream(FOR_SHOPS).normal(0, 0.4, world.shops))
    return sizes


@lru_cache(maxsize=2)
def _weeks(world: RetailWorld) -> NDArray[np.float64]:
    """Return how a week's sales spread over its days, for each category."""
    random = world.stream(FOR_CATEGORIES)
    usual = np.array([0.85, 0.8, 0.85, 0.95, 1.15, 1.35, 1.05])
    weeks: NDArray[np.float64] = usual * np.exp(random.normal(0, 0.15, (CATEGORIES, 7)))
    return weeks


def _life(days: int, random: np.random.Generator) -> tuple[int, int]:
    """Return the first day of an item and the first one after its last."""
    first, stop = 0, days
    kind, when = random.random(2)
    if kind < NEW_ITEMS:
        first = int(when * 0.95 * days)
    elif kind < NEW_ITEMS + ENDED_ITEMS:
        stop = days - int(when * 0.5 * days)
    return first, stop


def _promotions(
    days: int, random: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which days are of a promotion, and what is off the price."""
    promoted, cut = np.zeros(days, np.bool_), np.zeros(days)
    day = int(random.exponential(PROMOTION_EVERY))
    while day < days:
        length = int(random.integers(*PROMOTION_DAYS, endpoint=True))
        promoted[day : day + length] = True
        cut[day : day + length] = random.choice(PRICE_CUTS)
        day += length + 7 + int(random.exponential(PROMOTION_EVERY))
    return promoted, cut


def _course(world: RetailWorld, category: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Return how much is wanted of an item each day, 1 on average: trend, year, week, December."""
    day = np.arange(world.days)
    weekday = (world.first_day.astype("int64") + 3 + day) % 7  # 1970 began on a Thursday
    of_year = world.first_day + day
    date = (of_year - of_year.astype("datetime64[Y]")).astype("int64") / 365.25
    trend = np.exp(random.normal(0, 0.15) * day / 365)
    peak, swing = random.random(), random.uniform(0, 0.35)
    year = 1 + swing * np.cos(2 * np.pi * (date - peak))
    december = 1 + random.uniform(0, 0.8) * np.exp(-(((date - 0.965) / 0.02) ** 2))
    return np.asarray(trend * year * december * _weeks(world)[category][weekday])


def _drift(world: RetailWorld, random: np.random.Generator) -> NDArray[np.float64]:
    """Return how each shop's liking of the item wanders, week by week."""
    weeks = -(-world.days // 7)
    steps = random.normal(0, 0.05, (world.shops, weeks))
    level = random.normal(0, 0.25, world.shops)
    drift = np.empty((world.shops, weeks))
    for week in range(weeks):
        level = 0.98 * level + steps[:, week]
        drift[:, week] = level
    return np.asarray(np.exp(np.repeat(drift, 7, axis=1)[:, : world.days]))


def _empty_shelves(shape: tuple[int, ...], random: np.random.Generator) -> NDArray[np.bool_]:
    """Return on which days each shop had none left."""
    days = shape[1]
    begins = random.random(shape) < 1 / EMPTY_ONCE_IN
    lengths = random.geometric(1 / EMPTY_DAYS, shape)
    until = np.where(begins, np.arange(days) + lengths, 0)
    return np.asarray(np.maximum.accumulate(until, axis=1) > np.arange(days))
