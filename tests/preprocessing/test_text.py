"""Texts become what scikit-learn makes of them, on any partitions."""

import json

import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_extraction import text

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.naive_bayes import MultinomialNB
from dmlkit.preprocessing import (
    ColumnTransformer,
    CountVectorizer,
    HashingVectorizer,
    StandardScaler,
    TfidfVectorizer,
    transformer_from_dict,
)

COLUMNS = ["complaint", "repair"]


@pytest.fixture(scope="module")
def notes() -> pd.DataFrame:
    """Arrow strings and a categorical, with missing and empty texts; word number n is rarer."""
    random = np.random.default_rng(5)
    words = np.array([f"Wort{number}" for number in range(60)] + ["Öl", "the", "x"])
    chances = 1 / np.arange(1, len(words) + 1)
    lengths = random.poisson(6, 400)
    drawn = [
        " ".join(random.choice(words, length, p=chances / chances.sum())) for length in lengths
    ]
    complaint = pd.Series(drawn, dtype="str").mask(random.random(400) < 0.1)
    repair = pd.Series(random.choice(["oil changed", "Oil low; belt", "none"], 400))
    return pd.DataFrame({"complaint": complaint, "repair": repair.astype("category")})


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (CountVectorizer(), text.CountVectorizer()),
        (
            CountVectorizer(ngram_range=(1, 2), min_df=3, max_df=0.5, stop_words="english"),
            text.CountVectorizer(ngram_range=(1, 2), min_df=3, max_df=0.5, stop_words="english"),
        ),
        (
            CountVectorizer(analyzer="char_wb", ngram_range=(2, 3), binary=True, min_df=0.1),
            text.CountVectorizer(analyzer="char_wb", ngram_range=(2, 3), binary=True, min_df=0.1),
        ),
        (TfidfVectorizer(), text.TfidfVectorizer()),
        (
            TfidfVectorizer(norm="l1", smooth_idf=False, sublinear_tf=True, strip_accents="ascii"),
            text.TfidfVectorizer(
                norm="l1", smooth_idf=False, sublinear_tf=True, strip_accents="ascii"
            ),
        ),
        (TfidfVectorizer(use_idf=False), text.TfidfVectorizer(use_idf=False)),
        (HashingVectorizer(n_features=32), text.HashingVectorizer(n_features=32)),
    ],
    ids=["counts", "pairs", "letters", "tf-idf", "options", "tf", "hashes"],
)
def test_results_are_those_of_scikit_learn(ours, theirs, notes, lay_out) -> None:
    fitted = clone(ours).fit(lay_out(notes))
    found = fitted.transform(lay_out(notes)).compute()
    filled = notes.astype(object).fillna("")
    expected = [clone(theirs).fit_transform(filled[name]).toarray() for name in COLUMNS]
    np.testing.assert_allclose(found.to_numpy(), np.hstack(expected), atol=1e-12)
    assert list(found.columns) == list(fitted.get_feature_names_out())
    assert found.index.equals(notes.index)
    if not isinstance(ours, HashingVectorizer):
        words = clone(theirs).fit(filled["complaint"]).get_feature_names_out()
        assert fitted.vocabulary_[0] == words.tolist()


def test_a_vectorizer_that_was_kept_does_the_same(notes) -> None:
    for made in (CountVectorizer(ngram_range=(1, 2)), TfidfVectorizer(), HashingVectorizer()):
        again = transformer_from_dict(json.loads(json.dumps(made.fit(notes).to_dict())))
        pd.testing.assert_frame_equal(again.transform(notes), made.transform(notes))


def test_the_most_frequent_words_are_kept(notes, lay_out) -> None:
    fitted = CountVectorizer(max_features=5).fit(lay_out(notes)[["complaint"]])
    assert fitted.vocabulary_ == [["wort0", "wort1", "wort2", "wort3", "wort4"]]
    assert fitted.get_feature_names_out()[0] == "complaint_wort0"


def test_of_words_as_frequent_the_first_in_the_alphabet_are_kept() -> None:
    table = pd.DataFrame({"x": ["dd cc", "bb aa", "ee ee"]})
    assert CountVectorizer(max_features=3).fit(table).vocabulary_ == [["aa", "bb", "ee"]]


def test_words_are_learnt_in_the_pass_of_others_and_hashes_in_none(notes) -> None:
    table = notes.assign(hours=1.0)
    both = ColumnTransformer(
        [("text", TfidfVectorizer(), COLUMNS), ("scale", StandardScaler(), ["hours"])]
    )
    told = "pass 1: words of complaint, repair; mean, variance and range of hours"
    assert both.fit(table).explain().splitlines() == ["Learnt in 1 pass.", told]
    assert HashingVectorizer().fit(notes).passes_ == []


def test_columns_may_be_sparse(notes) -> None:
    dense = CountVectorizer().fit_transform(notes)
    sparse = CountVectorizer(sparse_output=True).fit_transform(dd.from_pandas(notes, npartitions=2))
    assert all(isinstance(each, pd.SparseDtype) for each in sparse.dtypes)
    pd.testing.assert_frame_equal(sparse.compute().sparse.to_dense(), dense)
    labels = pd.Series(np.arange(len(notes)) % 2)
    models = [MultinomialNB().fit(each, labels) for each in (dense, sparse.compute())]
    np.testing.assert_array_equal(*(each.feature_log_prob_ for each in models))


def test_mistakes_are_told(notes) -> None:
    with pytest.raises(InputError, match=r"Column 'hours' is float64 \(such as 1.5\), but text"):
        CountVectorizer().fit(pd.DataFrame({"hours": [1.5]}))
    with pytest.raises(InputError, match="words in 400 texts of column 'complaint' none is left"):
        CountVectorizer(min_df=401).fit(notes)
    with pytest.raises(InputError, match=r"20,000 columns.*Lower n_features"):
        HashingVectorizer(n_features=10_000).fit(notes)
    with pytest.raises(ConfigurationError, match="analyzer is 'words'"):
        TfidfVectorizer(analyzer="words").fit(notes)
    with pytest.raises(ConfigurationError, match=r"ngram_range is \(2, 1\)"):
        CountVectorizer(ngram_range=(2, 1)).fit(notes)
