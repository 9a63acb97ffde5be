"""Interactions, hashes, group-wise filling and bins by entropy, on any partitions."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.feature_extraction
import sklearn.preprocessing

from dmlkit.errors import ConfigurationError, InputError, MissingColumnError
from dmlkit.preprocessing import (
    EntropyDiscretizer,
    FeatureHasher,
    GroupImputer,
    PolynomialFeatures,
    StandardScaler,
)

NUMBERS = ["amount", "year", "same"]


@pytest.mark.parametrize("options", [{}, {"degree": 3, "interaction_only": True}])
def test_interactions_are_those_of_scikit_learn(options, table, lay_out, same_when_kept) -> None:
    for bias in (True, False):
        theirs = sklearn.preprocessing.PolynomialFeatures(include_bias=bias, **options)
        expected = theirs.fit_transform(table[NUMBERS])
        ours = PolynomialFeatures(include_bias=bias, **options).fit(lay_out(table)[NUMBERS])
        found = ours.transform(lay_out(table)[NUMBERS]).compute()
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        assert list(found.columns) == list(theirs.get_feature_names_out())
        same_when_kept(ours, NUMBERS)


@pytest.mark.parametrize("alternate_sign", [True, False])
def test_hashes_are_those_of_scikit_learn(alternate_sign, table, lay_out, same_when_kept) -> None:
    columns = ["code", "ward", "visits"]
    theirs = sklearn.feature_extraction.FeatureHasher(16, alternate_sign=alternate_sign)
    rows = [
        {name: value for name, value in row.items() if pd.notna(value)}
        for row in table[columns].astype(object).to_dict("records")
    ]
    ours = FeatureHasher(16, alternate_sign=alternate_sign).fit(lay_out(table)[columns])
    found = ours.transform(lay_out(table)[columns]).compute()
    np.testing.assert_allclose(found, theirs.transform(rows).toarray(), atol=1e-12)
    assert ours.passes_ == []
    same_when_kept(ours, columns)


@pytest.mark.parametrize("strategy", ["mean", "median"])
@pytest.mark.parametrize("by", ["code", "ward", "patient"])
def test_a_group_is_filled_with_what_is_usual_there(
    by, strategy, table, lay_out, same_when_kept
) -> None:
    columns = [by, "visits", "amount"]
    ours = GroupImputer(by=by, strategy=strategy, add_indicator=True).fit(lay_out(table)[columns])
    found = ours.transform(lay_out(table)[columns]).compute()
    usual = table.groupby(by, observed=True)["visits"].transform(strategy)
    every = getattr(table["visits"], strategy)()
    expected = table["visits"].fillna(usual).fillna(every)
    np.testing.assert_allclose(found["visits"], expected, rtol=1e-12)
    assert found["visits_missing"].eq(table["visits"].isna()).all()
    assert list(found.columns) == [*columns, "visits_missing"]
    assert len(ours.passes_) == 1
    new = pd.DataFrame({by: [None], "visits": [np.nan], "amount": [1.0]})
    assert ours.transform(new)["visits"].item() == pytest.approx(every)
    same_when_kept(ours, columns)


def test_cuts_are_those_that_trying_all_of_them_finds(table, lay_out, same_when_kept) -> None:
    columns = ["visits", "same"]
    labels = (table["visits"].fillna(0) >= 2).astype(int).where(table["amount"] < 30, 2)
    lazy = lay_out(table.assign(label=labels.map({0: "few", 1: "many", 2: "dear"})))
    ours = EntropyDiscretizer().fit(lazy[columns], lazy["label"])
    there = table["visits"].notna()
    expected = _cuts_of(table["visits"][there].to_numpy(), labels[there].to_numpy())
    assert ours.cuts_ == [expected, []]
    assert expected == [2.0]
    found = ours.transform(lazy[columns]).compute()
    pd.testing.assert_series_equal(found["visits"].isna(), table["visits"].isna())
    assert found["visits"][there].eq(table["visits"][there] >= 2).all()
    assert len(ours.passes_) == 3
    same_when_kept(ours, columns)


def test_several_bins_follow_the_labels_and_noise_is_not_cut() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.uniform(0, 4, 4_000), "noise": random.normal(size=4_000)})
    found = EntropyDiscretizer().fit(frame, frame["x"].astype(int) % 2)
    np.testing.assert_allclose(found.cuts_[0], [1, 2, 3], atol=0.02)
    assert found.cuts_[1] == []


def _cuts_of(values: Any, labels: Any) -> list[float]:
    """Return the cuts of Fayyad and Irani, by trying each value."""
    tried = [
        (_entropy(labels[values < cut]) * (values < cut).sum())
        + (_entropy(labels[values >= cut]) * (values >= cut).sum())
        for cut in np.unique(values)[1:]
    ]
    if not tried:
        return []
    cut = float(np.unique(values)[1:][int(np.argmin(tried))])
    left, right = labels[values < cut], labels[values >= cut]
    gain = _entropy(labels) - min(tried) / len(labels)
    classes, below, above = (len(np.unique(each)) for each in (labels, left, right))
    spread = classes * _entropy(labels) - below * _entropy(left) - above * _entropy(right)
    if gain <= (np.log2(len(labels) - 1) + np.log2(3**classes - 2) - spread) / len(labels):
        return []
    parts = [_cuts_of(values[side], labels[side]) for side in (values < cut, values >= cut)]
    return [*parts[0], cut, *parts[1]]


def _entropy(labels: Any) -> float:
    shares = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(shares * np.log2(shares)).sum())


def test_frames_come_out_whatever_is_asked(table) -> None:
    scaler = StandardScaler().set_output(transform="pandas")
    assert isinstance(scaler.fit_transform(table[NUMBERS]), pd.DataFrame)
    with pytest.raises(ConfigurationError, match="transform is 'polars'"):
        scaler.set_output(transform="polars")


def test_mistakes_are_told(table) -> None:
    with pytest.raises(InputError, match="Cutting 'amount' by entropy needs labels"):
        EntropyDiscretizer().fit(table[["amount"]])
    with pytest.raises(ConfigurationError, match="by is empty"):
        GroupImputer().fit(table[["amount"]])
    with pytest.raises(MissingColumnError, match=r"'wad' \(nearest: 'ward'\)"):
        GroupImputer(by="wad").fit(table[["ward", "visits"]])
    with pytest.raises(InputError, match="Column 'code' is str"):
        GroupImputer(by="ward").fit(table[["ward", "code"]])
    with pytest.raises(ConfigurationError, match="degree is 0"):
        PolynomialFeatures(0).fit(table[NUMBERS])
    with pytest.raises(InputError, match=r"200 columns have .* products of 3"):
        PolynomialFeatures(3).fit(pd.DataFrame(np.ones((2, 200))).rename(columns=str))
    with pytest.raises(ConfigurationError, match="n_features is 0"):
        FeatureHasher(0).fit(table[["code"]])
