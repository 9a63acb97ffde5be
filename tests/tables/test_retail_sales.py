"""Generated sales: the same rows however partitioned, and what a forecaster is to find in them."""

import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError
from dmlkit.tables.generate import retail_demand


@pytest.fixture(scope="module")
def sales() -> pd.DataFrame:
    return retail_demand(items=40, shops=3, days=400, seed=1, partitions=2).compute()


def test_rows_do_not_depend_on_partitions(sales):
    other = retail_demand(items=40, shops=3, days=400, seed=1, partitions=7).compute()
    pd.testing.assert_frame_equal(
        sales.reset_index(drop=True), other.reset_index(drop=True), check_exact=True
    )
    assert not sales["y"].equals(retail_demand(40, 3, 400, seed=2).compute()["y"])


def test_a_series_is_an_item_in_a_shop_with_a_row_a_day_in_one_partition():
    lazy = retail_demand(items=5, shops=2, days=60, partitions=3)
    parts = [part.compute()["unique_id"].unique() for part in lazy.partitions]
    assert np.concatenate(parts).tolist() == list(range(10))
    rows = lazy.compute()
    assert (rows["unique_id"] == rows["item_id"] * 2 + rows["shop_id"]).all()
    apart = rows.groupby("unique_id")["ds"].diff().dropna()
    assert (apart == pd.Timedelta(days=1)).all()


def test_promotions_sell_more_empty_shelves_nothing_and_some_items_are_new_or_end(sales):
    sold = sales[sales["in_stock"] == 1].pivot_table("y", "item_id", "promotion")
    assert (sold[1] > sold[0]).mean() > 0.8
    assert (sales.loc[sales["in_stock"] == 0, "y"] == 0).all()
    assert 0.01 < (sales["in_stock"] == 0).mean() < 0.08
    life = sales.groupby("item_id")["ds"].agg(["min", "max"])
    assert 0 < (life["min"] > life["min"].min()).mean() < 0.4
    assert (life["max"] < life["max"].max()).any()
    assert np.isfinite(sales["y"]).all()
    assert (sales["y"] >= 0).all()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"items": 0}, "items is 0"),
        ({"shops": 40_000}, "too many"),
        ({"start": "soon"}, "start is 'soon'"),
    ],
)
def test_wrong_sizes_are_told(arguments, told):
    with pytest.raises(ConfigurationError, match=told):
        retail_demand(**arguments)
