"""What notebooks show of estimators: as told, escaped, and without computing anything."""

from dataclasses import dataclass
from typing import Any

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client

from dmlkit.boosting import XGBRegressor
from dmlkit.html_estimators import described, html_of, html_of_weights
from dmlkit.html_tables import Curve
from dmlkit.linear_model import Ridge
from dmlkit.preprocessing import ColumnTransformer, OneHotEncoder, Pipeline, StandardScaler
from dmlkit.search import ParameterSearch


def rows() -> pd.DataFrame:
    """Two columns, one of which would be markup; what the label is made of."""
    random = np.random.default_rng(0)
    table = pd.DataFrame({"&b>": random.normal(size=400), "plain": random.normal(size=400)})
    return table.assign(y=3 * table["&b>"] + table["plain"])


def test_parameters_stand_beside_their_defaults_only_where_they_differ() -> None:
    shown = html_of(Ridge(alpha=2.5))
    assert shown.count("2.5") == 1
    assert shown.index("2.5") < shown.index(">1<")
    assert shown.count("True") == 1


def test_names_of_columns_stay_text() -> None:
    table = rows()
    shown = html_of(Ridge().fit(table[["&b>", "plain"]], table["y"]))
    assert "&amp;b&gt;" in shown
    assert "&b>" not in shown


def test_nothing_lazy_is_computed() -> None:
    def fail(part: pd.DataFrame) -> pd.DataFrame:
        raise AssertionError

    lazy = dd.from_pandas(rows(), npartitions=2).map_partitions(fail, meta=rows())

    @dataclass
    class Learns:
        given: Any

        def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002
            return {"given": self.given}

    assert "DataFrame of dask, not computed" in html_of(Learns(lazy))


def test_steps_within_steps_are_told_by_their_places() -> None:
    numbers = Pipeline([("scale", StandardScaler(with_mean=False))])
    columns = ColumnTransformer([("numbers", numbers, ["a"]), ("codes", OneHotEncoder(), ["<i>"])])
    shown = columns._repr_html_()
    assert "numbers / scale" in shown
    assert "StandardScaler(with_mean=False)" in shown
    assert "&lt;i&gt;" in shown


def test_the_course_of_a_training_is_drawn(client: Client) -> None:
    table = rows()
    features = table[["&b>", "plain"]]
    model = XGBRegressor(n_estimators=7, eval_metric="rmse")
    model.fit(features, table["y"], eval_set=[(features, table["y"])])
    shown = model._repr_html_()
    assert "7 rounds on 2 features" in shown
    assert "in round 7 of 7" in shown
    assert shown.index("&amp;b&gt;") < shown.index("plain")  # it is worth more
    (points,) = [each.split('"')[0] for each in shown.split('points="')[1:]]
    heights = [float(point.split(",")[1]) for point in points.split()]
    assert heights == sorted(heights)  # the error falls: downwards is a larger number


def test_the_best_trials_of_a_search_come_first(client: Client) -> None:
    table = rows()
    features = table[["&b>", "plain"]]
    search = ParameterSearch(
        XGBRegressor(n_estimators=5), {"max_depth": [1, 4]}, sampler="grid", pruner=None
    )
    assert "not fitted" in search._repr_html_()
    search.fit(features, table["y"], eval_set=[(features, table["y"])])
    shown = search._repr_html_()
    assert "2 trials (2 complete)" in shown
    assert f"{search.best_score_:,.6g}" in shown
    scores = search.trials_["score"]
    assert shown.rindex(f"{scores.min():,.4g}") < shown.rindex(f"{scores.max():,.4g}")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (True, "True"),
        (12_345, "12,345"),
        (float("nan"), "nan"),
        (np.arange(2), "[0, 1]"),
        (np.zeros((3, 4)), "3 x 4 float64, 0 to 0"),
        ([[1.0] * 9, [2.0] * 9], "2 x 9 float64, 1 to 2"),
        (np.array([np.nan] * 9), "9 float64"),
        (rows(), "DataFrame of 400 x 3"),
        ("x" * 500, "'" + "x" * 42 + "..." + "x" * 43 + "'"),
    ],
)
def test_values_are_told_in_a_line(value: Any, told: str) -> None:
    assert described(value) == told


def test_of_many_features_those_that_weigh_most_are_shown() -> None:
    shown = html_of_weights([f"f{number}" for number in range(30)], np.arange(30.0), "weight")
    assert "the 12 that weigh most, of 30" in shown
    assert "f29<" in shown
    assert "f17<" not in shown


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0], list(range(1000))])
def test_a_curve_stays_in_its_frame(values: list[float]) -> None:
    points = str(Curve(values)).split('points="')[1].split('"')[0].split()
    assert len(points) <= 240
    for point in points:
        across, down = map(float, point.split(","))
        assert 0 <= across <= 240
        assert 0 <= down <= 44
