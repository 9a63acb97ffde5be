"""Tables that feature tests share: small, and with all that goes wrong in real ones."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

KINDS = ("int64", "Int64", "str", "category", "float64", "int8")
RESOLUTIONS = ("s", "ms", "us", "ns")
DAY = 86_400
START = pd.Timestamp("1969-12-25")

amounts = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-1e9, 1e9),
    st.sampled_from([1e100, -1e100, 1e17, 1e9 + 0.1, -0.0, np.inf, -np.inf, np.nan]),
)


def entities(numbers: list[int | None], kind: str) -> pd.Series:
    """Return entities as a column of a kind; None is missing, where the kind can tell."""
    if kind in ("int64", "int8"):
        return pd.Series([number or 0 for number in numbers], dtype=kind)
    if kind in ("str", "category"):
        names = pd.Series([None if n is None else f"card {n}" for n in numbers], dtype="str")
        return names.astype(kind)
    return pd.Series(numbers, dtype=kind)


def times(seconds: list[int | None], resolution: str, zone: str | None) -> pd.Series:
    """Return times from shortly before 1970 on; None is missing."""
    naive = [pd.NaT if s is None else START + pd.Timedelta(seconds=s) for s in seconds]
    column = pd.Series(pd.array(naive, dtype="datetime64[ns]")).dt.as_unit(resolution)
    return column if zone is None else column.dt.tz_localize("UTC").dt.tz_convert(zone)


@st.composite
def tables(draw: st.DrawFn, most: int = 25) -> pd.DataFrame:
    """Draw a table of few entities and close times, so that ties and full windows are common."""
    row = st.tuples(
        st.one_of(st.none(), st.integers(0, 3)),
        st.one_of(st.none(), st.integers(0, 12).map(lambda step: step * DAY), st.integers(0, DAY)),
        amounts,
    )
    rows = draw(st.lists(row, max_size=most))
    return pd.DataFrame(
        {
            "number": np.arange(len(rows)),
            "card": entities([row[0] for row in rows], draw(st.sampled_from(KINDS))),
            "time": times(
                [row[1] for row in rows],
                draw(st.sampled_from(RESOLUTIONS)),
                draw(st.sampled_from([None, "Europe/Brussels"])),
            ),
            "amount": np.array([row[2] for row in rows], dtype=np.float64),
        }
    )


def payments(rows: int = 500, seed: int = 0) -> pd.DataFrame:
    """Return payments with ties, missing values and every kind of column."""
    rng = np.random.default_rng(seed)
    when = pd.Series(pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 60, rows), "D"))
    table = pd.DataFrame(
        {
            "number": rng.permutation(rows),
            "card": pd.array(rng.integers(0, 20, rows), dtype="Int64"),
            "terminal": pd.Series(rng.integers(0, 30, rows)).astype(str).astype("str"),
            "time": when.dt.as_unit("us"),
            "booked": when.dt.tz_localize("Europe/Brussels").dt.as_unit("ns"),
            "amount": np.round(rng.lognormal(3, 1, rows), 2),
            "country": pd.Categorical(rng.choice(["BE", "FR", "NL"], rows)),
            "fraud": (rng.random(rows) < 0.1).astype(np.int8),
            "online": rng.random(rows) < 0.5,
        }
    )
    table.loc[rng.random(rows) < 0.05, ["card", "amount", "terminal"]] = None
    table.loc[rng.random(rows) < 0.02, ["time"]] = pd.NaT
    return table
