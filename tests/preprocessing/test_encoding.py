"""Encoders do what scikit-learn's do, and target encoding keeps a row's own label out."""

import numpy as np
import pandas as pd
import pytest
import sklearn.preprocessing
from hypothesis import given, settings
from hypothesis import strategies as st

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.preprocessing import FrequencyEncoder, OneHotEncoder, OrdinalEncoder, TargetEncoder

CODES = ["code", "ward"]


def test_one_hot_columns_are_those_of_scikit_learn(table, lay_out, same_when_kept) -> None:
    text = table[["code"]]
    theirs = sklearn.preprocessing.OneHotEncoder(
        sparse_output=False, dtype="uint8", min_frequency=20, handle_unknown="infrequent_if_exist"
    ).set_output(transform="pandas")
    expected = theirs.fit_transform(text)
    ours = OneHotEncoder(min_frequency=20, handle_unknown="infrequent_if_exist")
    found = ours.fit(lay_out(text)).transform(lay_out(text)).compute()
    pd.testing.assert_frame_equal(found, expected)
    new = pd.DataFrame({"code": ["never", "c001"]})
    pd.testing.assert_frame_equal(ours.transform(new), theirs.transform(new))
    same_when_kept(ours, ["code"])


def test_one_of_two_columns_is_enough(table) -> None:
    pair = pd.DataFrame({"sex": ["f", "m", "f"], "code": ["a", "b", "c"]})
    encoder = OneHotEncoder(drop="if_binary").fit(pair)
    assert list(encoder.get_feature_names_out()) == ["sex_m", "code_a", "code_b", "code_c"]


def test_a_missing_value_has_no_column(table) -> None:
    encoded = OneHotEncoder().fit_transform(table[["ward"]])
    assert encoded.sum(axis=1).eq(table["ward"].notna()).all()


def test_ordinals_are_those_of_scikit_learn(table, lay_out, same_when_kept) -> None:
    known = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    theirs = sklearn.preprocessing.OrdinalEncoder(**known).fit(table[CODES])
    ours = OrdinalEncoder(**known).fit(lay_out(table)[CODES])
    found = ours.transform(lay_out(table)[CODES]).compute()
    np.testing.assert_array_equal(found, theirs.transform(table[CODES]))
    new = pd.DataFrame({"code": ["never"], "ward": ["east"]})
    np.testing.assert_array_equal(ours.transform(new), theirs.transform(new))
    same_when_kept(ours, CODES)


def test_a_level_that_was_not_there_is_an_error_unless_said_otherwise(table) -> None:
    for encoder in (OneHotEncoder(), OrdinalEncoder()):
        encoder.fit(table[CODES])
        with pytest.raises(InputError, match=r"1 rows have a level of 'code'.*'never'"):
            encoder.transform(pd.DataFrame({"code": ["never"], "ward": ["east"]}))


def test_frequencies_are_shares_of_rows(table, lay_out, same_when_kept) -> None:
    encoder = FrequencyEncoder().fit(lay_out(table)[CODES])
    found = encoder.transform(lay_out(table)[CODES]).compute()
    for name in CODES:
        levels = table[name].astype(object).where(table[name].notna(), "(missing)")
        expected = levels.map(levels.value_counts(normalize=True))
        np.testing.assert_allclose(found[name], expected.astype(float))
    same_when_kept(encoder, CODES)


@pytest.mark.parametrize("smooth", ["auto", 20.0])
def test_new_rows_are_target_encoded_as_by_scikit_learn(
    smooth, table, lay_out, same_when_kept
) -> None:
    theirs = sklearn.preprocessing.TargetEncoder(smooth=smooth, target_type="continuous")
    theirs.fit(table[CODES].astype(object), table["label"].astype(float))
    lazy = lay_out(table)
    ours = TargetEncoder(smooth=smooth).fit(lazy[CODES], lazy["label"], groups=lazy["patient"])
    expected = theirs.transform(table[CODES].astype(object))
    np.testing.assert_allclose(ours.transform(lazy[CODES]).compute(), expected, atol=1e-12)
    new = pd.DataFrame({"code": ["never"], "ward": ["east"]})
    assert ours.transform(new)["code"].item() == pytest.approx(table["label"].mean())
    same_when_kept(ours, CODES)


def test_training_rows_are_the_same_on_any_partitions(table, lay_out) -> None:
    lazy = lay_out(table)
    found = TargetEncoder().fit_transform(lazy[CODES], lazy["label"], groups=lazy["patient"])
    alone = TargetEncoder().fit_transform(table[CODES], table["label"], groups=table["patient"])
    pd.testing.assert_frame_equal(found.compute(), alone, check_exact=True)


@settings(max_examples=15)
@given(patient=st.integers(0, 499), smooth=st.sampled_from(["auto", 0.0, 5.0]))
def test_no_label_of_a_patient_is_in_the_encoding_of_that_patients_rows(
    patient, smooth, table
) -> None:
    groups = table["patient"]
    turned = table["label"].where(groups != patient, 1 - table["label"])
    before, after = (
        TargetEncoder(smooth=smooth).fit_transform(table[CODES], labels, groups=groups)
        for labels in (table["label"], turned)
    )
    pd.testing.assert_frame_equal(before[groups == patient], after[groups == patient])


def test_training_rows_need_groups(table) -> None:
    with pytest.raises(ConfigurationError, match="needs groups"):
        TargetEncoder().fit_transform(table[CODES], table["label"])


def test_labels_are_needed(table) -> None:
    with pytest.raises(InputError, match="needs labels"):
        TargetEncoder().fit(table[CODES])


def test_a_code_of_pure_noise_stays_noise() -> None:
    """Encoded with its own labels, a random identifier would tell the label."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"code": random.integers(0, 400, 1000).astype(str)})
    label = pd.Series(random.integers(0, 2, 1000))
    key = pd.Series(np.arange(1000))
    out_of_fold = TargetEncoder(smooth=1.0).fit_transform(frame, label, groups=key)["code"]
    in_sample = TargetEncoder(smooth=1.0).fit(frame, label).transform(frame)["code"]
    assert abs(np.corrcoef(out_of_fold, label)[0, 1]) < 0.1
    assert np.corrcoef(in_sample, label)[0, 1] > 0.4
