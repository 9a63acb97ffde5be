import json

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError, NotFittedError
from dmlkit.features import Calendar, Columns, FeatureSet, Ratio, TimeWindows, ZScore
from tests.features.conftest import payments

CARD = TimeWindows("card", "time", ["1d", "7d"], {"amount": ["mean", "std"]})
CARD_LATE = TimeWindows("card", "time", ["7d"], {"fraud": ["mean"]}, delay="3d")
TERMINAL = TimeWindows("terminal", "time", ["30d"], {"fraud": ["count"]}, delay="7d")
STEPS = (
    Columns(["amount", "country"], categorical=["country"]),
    Calendar("time", ["hour", "weekend"], timezone="Europe/Brussels"),
    CARD,
    TERMINAL,
    CARD_LATE,
    Ratio("amount", "card_amount_mean_7d", name="over_usual"),
    ZScore("amount", "card_amount_mean_7d", "card_amount_std_7d"),
    Ratio("over_usual", "amount", name="of_an_earlier_ratio"),
)


def lazy(table: pd.DataFrame, partitions: int = 3) -> dd.DataFrame:
    return dd.from_pandas(table, npartitions=partitions, sort=False)


def tasks_named(frame: dd.DataFrame, name: str) -> int:
    return sum(str(key).startswith(f"('{name}-") for key in frame.__dask_graph__())


def through_json(features: FeatureSet) -> FeatureSet:
    return FeatureSet.from_dict(json.loads(json.dumps(features.to_dict())))


@pytest.fixture
def frame() -> dd.DataFrame:
    return lazy(payments())


@pytest.fixture
def features(frame: dd.DataFrame) -> FeatureSet:
    return FeatureSet(STEPS).fit(frame)


def test_a_feature_set_is_shown_in_a_notebook(features):
    page = features._repr_html_()
    assert "TimeWindows" in page
    assert f"{len(features.get_feature_names_out())} features of" in page
    assert ", fitted" in page
    risky = FeatureSet([Ratio("<b>", "amount")])._repr_html_()
    assert "&lt;b&gt;" in risky
    assert "<b>" not in risky


def test_features_are_in_the_order_of_the_steps(features):
    assert features.get_feature_names_out() == [
        "amount",
        "country",
        "time_hour",
        "time_weekend",
        "card_amount_mean_1d",
        "card_amount_mean_7d",
        "card_amount_std_1d",
        "card_amount_std_7d",
        "terminal_fraud_count_30d_delay_7d",
        "card_fraud_mean_7d_delay_3d",
        "over_usual",
        "amount_zscore_card_amount_mean_7d",
        "of_an_earlier_ratio",
    ]


def test_all_columns_are_there_afterwards_and_all_rows(features, frame):
    found = features.transform(frame).compute()
    assert set(features.get_feature_names_out()) | set(payments().columns) == set(found.columns)
    assert sorted(found["number"]) == sorted(payments()["number"])


def test_each_step_finds_what_it_finds_alone(features, frame):
    found = features.transform(frame).compute().sort_values("number", ignore_index=True)
    for step in (CARD, TERMINAL, CARD_LATE):
        alone = step.transform(frame).compute().sort_values("number", ignore_index=True)
        names = step.get_feature_names_out()
        pd.testing.assert_frame_equal(found[names], alone[names])


def test_required_columns_are_those_of_the_table(features):
    assert features.required_columns == ["amount", "country", "time", "card", "terminal", "fraud"]


def test_history_reaches_back_as_far_as_the_longest_window_with_its_delay(features):
    assert features.history == pd.Timedelta(days=37)
    assert FeatureSet([Columns(["amount"])]).history == pd.Timedelta(0)


def test_the_dtypes_are_those_promised(features, frame):
    promised = features.transform(frame)
    assert promised.compute().dtypes.to_dict() == promised.dtypes.to_dict()


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows_or_none_have_the_same_columns_and_dtypes(features, frame, rows):
    few = features.transform(lazy(payments().head(rows), 1)).compute()
    assert len(few) == rows
    assert few.dtypes.to_dict() == features.transform(frame).dtypes.to_dict()


def test_empty_partitions_do_not_matter(features, frame):
    few = frame[frame["number"] < 2]
    assert len(features.transform(few).compute()) == 2


@pytest.mark.parametrize(("inputs", "partitions"), [(7, None), (3, 1), (1, 7)])
def test_features_are_the_same_to_the_bit_for_any_partitions_and_order(
    features, frame, inputs, partitions
):
    table = payments().sample(frac=1, random_state=inputs)
    found = features.transform(lazy(table, inputs), partitions=partitions).compute()
    expected = features.transform(frame).compute()
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), expected.reset_index(drop=True), check_exact=True
    )


def test_features_are_the_same_to_the_bit_on_a_cluster(features, frame, client):
    on_cluster = features.transform(frame).compute()
    expected = features.transform(frame).compute(scheduler="sync")
    pd.testing.assert_frame_equal(on_cluster, expected, check_exact=True)


# Planning


def test_windows_on_the_same_entity_share_one_shuffle(features, frame):
    result = features.transform(frame, partitions=2)
    assert tasks_named(result, "_sample") == frame.npartitions + 2
    alone = FeatureSet([CARD]).transform(frame, partitions=2)
    assert tasks_named(alone, "_sample") == frame.npartitions


def test_the_entity_with_the_fewest_new_columns_goes_first(features):
    first, second, *_ = features.explain().splitlines()
    assert first.startswith("1. by 'terminal', 1 new column: ")
    assert second.startswith("2. by 'card', 5 new columns: ")


def test_windows_over_two_times_of_one_entity_do_not_mix():
    booked = TimeWindows("card", "booked", ["7d"], {"amount": ["sum"]})
    table = payments().assign(
        booked=lambda table: table["booked"] + pd.to_timedelta(table["number"] % 9, "D")
    )
    together = FeatureSet([CARD, booked]).transform(lazy(table)).compute()
    together = together.sort_values("number", ignore_index=True)
    for step in (CARD, booked):
        alone = step.transform(lazy(table)).compute().sort_values("number", ignore_index=True)
        names = step.get_feature_names_out()
        pd.testing.assert_frame_equal(together[names], alone[names])


def test_explain_tells_what_happens_in_order(features):
    lines = features.explain().splitlines()
    assert lines[2].startswith("3. row by row: as they are: amount, country; calendar of 'time'")
    assert lines[-1] == "Learned at fit: the levels of country. Looks back 37 days."


def test_steps_that_look_at_one_row_do_not_shuffle(frame):
    plain = FeatureSet([Columns(["amount"])])
    assert plain.transform(frame).npartitions == frame.npartitions
    assert tasks_named(plain.transform(frame), "_gather") == 0


# Learning


def test_fit_learns_all_levels_in_one_pass(frame):
    passes = []
    watched = frame.map_partitions(
        lambda part: passes.append(len(part)) or part, meta=frame._meta, enforce_metadata=False
    )
    steps = [Columns(["country"], ["country"]), Columns(["terminal"], ["terminal"])]
    fitted = FeatureSet(steps).fit(watched)
    assert len(passes) == frame.npartitions
    assert fitted.learned_["country"] == ["BE", "FR", "NL"]
    assert fitted.learned_["terminal"] == sorted(payments()["terminal"].dropna().unique())


def test_levels_are_those_of_the_rows_that_fit_saw(frame):
    features = FeatureSet(STEPS).fit(frame[frame["country"] != "NL"])
    found = features.transform(frame).compute()
    assert found["country"].cat.categories.tolist() == ["BE", "FR"]
    assert found["country"].isna().sum() == (payments()["country"] == "NL").sum()


def test_transform_asks_for_fit(frame):
    with pytest.raises(NotFittedError, match="call fit first"):
        FeatureSet(STEPS).transform(frame)


def test_without_categories_there_is_nothing_to_learn(frame):
    assert FeatureSet([CARD]).fit(frame).learned_ == {}
    FeatureSet([CARD]).transform(frame)


def test_an_identifier_is_no_category():
    table = pd.DataFrame({"who": np.arange(20_000)})
    with pytest.raises(InputError, match=r"'who' has more than 10,000 levels \(such as 0\)"):
        FeatureSet([Columns(["who"], ["who"])]).fit(lazy(table))


# Keeping


def test_features_are_the_same_to_the_bit_after_a_trip_through_json(features, frame):
    again = through_json(features)
    assert again.learned_ == features.learned_
    assert again.explain() == features.explain()
    pd.testing.assert_frame_equal(
        again.transform(frame).compute(), features.transform(frame).compute(), check_exact=True
    )


@pytest.mark.parametrize("values", [["b", "a"], [2, 1], [True, False], [1.5, 0.5]])
def test_levels_of_any_kind_survive_json(values):
    table = pd.DataFrame({"level": values})
    features = FeatureSet([Columns(["level"], ["level"])]).fit(lazy(table, 1))
    again = through_json(features).transform(lazy(table, 1)).compute()
    assert again["level"].cat.codes.tolist() == [1, 0]


def test_a_set_that_was_not_fitted_stays_so():
    assert through_json(FeatureSet(STEPS)).learned_ is None


def test_a_document_of_a_newer_version_is_refused():
    with pytest.raises(ConfigurationError, match=r"of version 99.*Update dmlkit"):
        FeatureSet.from_dict({"version": 99, "steps": []})


# Mistakes


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ({"kind": "time_window"}, r"'time_window' \(nearest: 'time_windows'\)"),
        ({"names": ["a"]}, "Unknown kind of feature step None"),
        ({"kind": "ratio", "numerator": "a", "denominatr": "b"}, r"nearest: 'denominator'"),
        ({"kind": "ratio", "numerator": "a"}, "needs 'denominator'"),
    ],
)
def test_a_step_that_is_misspelt_is_named_with_the_nearest(document, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        FeatureSet.from_dict({"steps": [document]})


def test_two_steps_cannot_make_the_same_feature():
    with pytest.raises(ConfigurationError, match="make 'card_amount_mean_7d'"):
        FeatureSet([CARD, TimeWindows("card", "time", ["7d"], {"amount": ["mean"]})])


def test_a_feature_does_not_overwrite_a_column(frame):
    with pytest.raises(InputError, match="has a column 'over' already"):
        FeatureSet([Ratio("amount", "fraud", name="over")]).transform(frame.assign(over=1))


def test_a_column_that_is_not_there_is_named_with_the_nearest(frame):
    renamed = frame.rename(columns={"amount": "TX_AMOUNT"})
    with pytest.raises(MissingColumnError, match=r"'amount' \(nearest: 'TX_AMOUNT'\)"):
        FeatureSet(STEPS).fit(renamed)


def test_a_ratio_of_a_feature_that_comes_later_is_refused(frame):
    steps = [Ratio("later", "amount"), Ratio("amount", "fraud", name="later")]
    with pytest.raises(MissingColumnError, match="no column 'later'"):
        FeatureSet(steps).transform(frame)


def test_the_fraud_jobs_features_fit_the_generated_table():
    from dmlkit.tables.generate import card_transactions
    from dmlkit.workflows.fraud_settings import FEATURES

    table = card_transactions(customers=30, terminals=60, days=40, partitions=3)
    features = FeatureSet.from_dict({"steps": FEATURES}).fit(table)
    found = features.transform(table).compute()
    assert found[features.get_feature_names_out()].select_dtypes("number").shape[1] == 15
    assert (found["customer_id_amount_count_30d"] >= found["customer_id_amount_count_1d"]).all()
    assert found["terminal_id_fraud_mean_7d_delay_7d"].between(0, 1).all()


def test_a_column_that_is_there_twice_is_told():
    table = payments()
    twice = pd.concat([table, table[["amount"]]], axis=1)
    with pytest.raises(InputError, match="The table has two columns 'amount'"):
        FeatureSet(STEPS).fit_transform(twice)
