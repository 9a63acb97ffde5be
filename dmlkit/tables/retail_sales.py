"""`retail_demand`: sales of any number of shops, made where they are needed.

The shops are simulated in `retail_world`.
"""

import math
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.system import CPU_COUNT

from dmlkit.cluster import current_client
from dmlkit.errors import ConfigurationError
from dmlkit.tables.retail_world import RetailWorld, simulate_item

__all__ = ["retail_demand"]

PARTITION_BYTES = 128 * 2**20
#: Three numbers of 4 bytes, a time, and five small numbers and prices.
BYTES_PER_ROW = 4 + 8 + 4 + 4 + 2 + 1 + 4 + 1 + 1


def retail_demand(
    items: int = 200,
    shops: int = 10,
    days: int = 730,
    seed: int = 0,
    *,
    start: str = "2023-01-01",
    partitions: int | None = None,
) -> Any:
    """Return a lazy table of simulated daily sales, one series for each item in each shop.

    Items sell much or little, with a trend, a yearly and a weekly season and a December. Promotions
    cut the price and are known ahead. A tenth of the items come late, some go early. Now and then a
    shelf is empty for some days: nothing is sold then, whatever was wanted.

    The rows depend on the arguments, not on how they are partitioned: each item is drawn from
    random numbers of its own.

    Parameters
    ----------
    items, shops, days : int
    seed : int
        Not negative. With another one, all rows are others.
    start : str
        The first day.
    partitions : int, optional
        At most one for each item. Without it: of about 128 MiB, but enough to use all cores.

    Returns
    -------
    dask.dataframe.DataFrame
        Item after item, in each shop after shop, in each by day; every series in one partition.
        Columns ``unique_id`` (int32, ``item_id * shops + shop_id``), ``ds`` (datetime64[us]), ``y``
        (float32, units sold), ``item_id`` (int32), ``shop_id`` (int16), ``category`` (int8),
        ``price`` (float32), ``promotion`` (int8, 0 or 1) and ``in_stock`` (int8, 0 where the shelf
        was empty that day; not known ahead).

    Raises
    ------
    ConfigurationError
        A number is out of its range, or `start` is no date.

    Examples
    --------
    >>> from dmlkit.tables.generate import retail_demand
    >>> sales = retail_demand(items=4, shops=2, days=30, partitions=2)
    >>> sales.npartitions, int(sales.unique_id.nunique().compute())
    (2, 8)
    """
    least = {"items": 1, "shops": 1, "days": 1, "seed": 0, "partitions": 1}
    given = {"items": items, "shops": shops, "days": days, "seed": seed, "partitions": partitions}
    for name, number in given.items():
        if number is not None and (not isinstance(number, int) or number < least[name]):
            raise ConfigurationError(
                f"{name} is {number!r}; it must be a whole number from {least[name]}."
            )
    if items * shops >= 2**31 or shops >= 2**15:
        raise ConfigurationError(
            f"{items:,} items in {shops:,} shops are too many: identifiers are numbers of 4 bytes, "
            "those of shops of 2."
        )
    if partitions is None:
        client = current_client()
        cores = CPU_COUNT if client is None else sum(client.nthreads().values())
        size = items * shops * days * BYTES_PER_ROW
        partitions = max(math.ceil(size / PARTITION_BYTES), 2 * cores)
    partitions = min(items, partitions)
    world = RetailWorld(items, shops, days, _parse_day(start), seed)
    edges = [items * part // partitions for part in range(partitions + 1)]
    return dd.from_map(
        _simulate_items,
        edges[:-1],
        edges[1:],
        world=world,
        meta=_sales_of(0, world).iloc[:0],
        label="retail-demand",
    )


def _simulate_items(begin: int, end: int, world: RetailWorld) -> pd.DataFrame:
    return pd.concat([_sales_of(item, world) for item in range(begin, end)], ignore_index=True)


def _sales_of(item: int, world: RetailWorld) -> pd.DataFrame:
    """Return the rows of one item, shop after shop."""
    sales = simulate_item(world, item)
    shops, days = sales.units.shape
    time = (world.first_day + np.arange(sales.first, sales.stop)).astype("datetime64[us]")
    shop = np.repeat(np.arange(shops, dtype=np.int16), days)
    return pd.DataFrame(
        {
            "unique_id": (item * shops + shop.astype(np.int32)).astype(np.int32),
            "ds": np.tile(time, shops),
            "y": sales.units.ravel(),
            "item_id": np.full(shops * days, item, np.int32),
            "shop_id": shop,
            "category": np.full(shops * days, sales.category, np.int8),
            "price": np.tile(sales.price, shops),
            "promotion": np.tile(sales.promotion, shops),
            "in_stock": sales.in_stock.ravel(),
        },
        copy=False,
    )


def _parse_day(start: str) -> np.datetime64:
    try:
        return np.datetime64(pd.Timestamp(start).date(), "D")
    except (TypeError, ValueError):
        raise ConfigurationError(
            f"start is {start!r}; it must be a date such as '2025-01-01'."
        ) from None
