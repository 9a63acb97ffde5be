import pandas as pd
import pytest
from hypothesis import given, settings

from dmlkit.errors import InputError, MissingColumnError
from tests.features.conftest import tables
from tests.features.test_window_aggregates import ALL
from tests.features.test_windows import by_card, windows_of


@settings(max_examples=40)
@given(tables(most=15))
def test_events_one_by_one_get_what_they_get_in_a_table_to_the_bit(table):
    step = by_card(ALL, delay="1d")
    table = table.dropna(subset=["card", "time"]).sort_values("time", ignore_index=True)
    expected = windows_of(step, table.assign(number=range(len(table))))
    stream, found = step.stream(table.head(0)), []
    for _, together in table.groupby("time"):
        found += stream.push_together(together.to_dict("records"))
    for event, row in zip(found, expected.to_dict("records"), strict=True):
        assert list(event) == list(row)
        for name, value in event.items():
            assert value == row[name] or (pd.isna(value) and pd.isna(row[name])), name


def test_an_event_without_an_entity_has_empty_windows():
    stream = by_card(["count"]).stream()
    for _ in range(2):
        found = stream.push({"card": None, "time": "2025-01-01", "amount": 1.0})
        assert found == {"card_amount_count_3d": 0}


def test_an_event_that_comes_too_late_is_refused():
    stream = by_card(["sum"]).stream()
    stream.push({"card": 1, "time": "2025-01-02", "amount": 1.0})
    with pytest.raises(InputError, match="Push the events of an entity in the order of time"):
        stream.push({"card": 1, "time": "2025-01-01", "amount": 1.0})


def test_an_event_needs_all_columns():
    with pytest.raises(MissingColumnError, match=r"'amount' \(nearest: 'Amount'\)"):
        by_card(["sum"]).stream().push({"card": 1, "time": "2025-01-01", "Amount": 1.0})
