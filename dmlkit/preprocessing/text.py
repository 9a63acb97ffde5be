"""Texts as numbers: counts of words, weights of words (tf-idf), and hashes of words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError, InputError
from dmlkit.preprocessing.learning import Learning, ask
from dmlkit.preprocessing.transformer import Transformer, check_choice
from dmlkit.preprocessing.words import WordsOf, chosen_words, reading_of, texts_of

__all__ = ["CountVectorizer", "HashingVectorizer", "TfidfVectorizer"]

#: More columns than this are no frame.
MOST_COLUMNS = 10_000

#: Words of two letters or more, as in scikit-learn.
WORD = r"(?u)\b\w\w+\b"

ANALYZERS = ("word", "char", "char_wb")


@dataclass(eq=False)
class CountVectorizer(Transformer):
    r"""How often each text has each of the words that were there at `fit`.

    Each column of texts gets its own words; its columns are called ``{column}_{word}``.

    Parameters
    ----------
    max_features : int or None
        So many words of each column are kept, the most frequent ones.
    min_df, max_df : int or float
        Words in fewer or more texts are left out: a number, or a share where it is a float.
    binary : bool
        Whether all that counts is that a word is there.
    lowercase, strip_accents, stop_words, ngram_range, analyzer, token_pattern
        How a text is cut into words, as in scikit-learn.
    sparse_output : bool
        Whether columns are pandas' sparse ones, which store no zeros.

    Attributes
    ----------
    vocabulary_ : list of lists
        The words of each column, in the order of the alphabet.

    Notes
    -----
    Equal to scikit-learn's on the same texts, on any partitions, a missing text being an empty one.
    Of words that are equally frequent, `max_features` keeps the first ones in the alphabet.
    What comes out is a frame, and so at most 10,000 columns: 1,000 words of each column where
    nothing is said.

    References
    ----------
    Manning, Raghavan, Schütze: *Introduction to Information Retrieval*, chapter 6. Cambridge 2008.

    Examples
    --------
    >>> table = pd.DataFrame({"note": ["oil low", "oil low, oil hot", None]})
    >>> CountVectorizer().fit_transform(table)
       note_hot  note_low  note_oil
    0         0         1         1
    1         1         1         2
    2         0         0         0
    """

    kind: ClassVar[str] = "count_vectorizer"
    learned: ClassVar[tuple[str, ...]] = ("vocabulary_",)

    max_features: int | None = 1_000
    min_df: float = 1
    max_df: float = 1.0
    binary: bool = False
    lowercase: bool = True
    strip_accents: str | None = None
    stop_words: Any = None
    ngram_range: tuple[int, int] = (1, 1)
    analyzer: str = "word"
    token_pattern: str = WORD
    sparse_output: bool = False

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the words of each column."""
        self.vocabulary_ = []
        for vocabulary, _ in (yield from _learnt(self, columns)):
            self.vocabulary_.append(vocabulary)

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Count the words of a part."""
        from sklearn.feature_extraction import text

        options = reading_of(self).options() | {"binary": self.binary}
        makers = [text.CountVectorizer(vocabulary=words, **options) for words in self.vocabulary_]
        return _vectorised(self, part, [maker.transform for maker in makers], np.int64)

    def output_names(self) -> list[str]:
        """Return ``{column}_{word}``."""
        return _word_names(self)


@dataclass(eq=False)
class TfidfVectorizer(Transformer):
    r"""How much each word says of a text: often in it (tf), and in few others (idf).

    Each column of texts gets its own words; its columns are called ``{column}_{word}``.

    Parameters
    ----------
    norm : {"l2", "l1", None}
        What the weights of a text are brought to.
    use_idf, smooth_idf, sublinear_tf : bool
        As in scikit-learn.
    max_features, min_df, max_df, binary, lowercase, strip_accents, stop_words, ngram_range, \
analyzer, token_pattern, sparse_output
        As of `CountVectorizer`.

    Attributes
    ----------
    vocabulary_ : list of lists
        The words of each column, in the order of the alphabet.
    idf_ : list of lists
        The weight of each word.

    Notes
    -----
    Equal to scikit-learn's within 1e-12 on the same texts, on any partitions; see
    `CountVectorizer`.

    References
    ----------
    Manning, Raghavan, Schütze: *Introduction to Information Retrieval*, chapter 6. Cambridge 2008.

    Examples
    --------
    >>> table = pd.DataFrame({"note": ["oil low", "oil hot"]})
    >>> TfidfVectorizer().fit_transform(table).round(2)
       note_hot  note_low  note_oil
    0      0.00      0.81      0.58
    1      0.81      0.00      0.58
    """

    kind: ClassVar[str] = "tfidf_vectorizer"
    learned: ClassVar[tuple[str, ...]] = ("vocabulary_", "idf_")

    norm: str | None = "l2"
    use_idf: bool = True
    smooth_idf: bool = True
    sublinear_tf: bool = False
    max_features: int | None = 1_000
    min_df: float = 1
    max_df: float = 1.0
    binary: bool = False
    lowercase: bool = True
    strip_accents: str | None = None
    stop_words: Any = None
    ngram_range: tuple[int, int] = (1, 1)
    analyzer: str = "word"
    token_pattern: str = WORD
    sparse_output: bool = False

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for the words of each column."""
        check_choice("norm", self.norm, ("l2", "l1", None))
        self.vocabulary_, self.idf_ = [], []
        for vocabulary, (texts_with, texts) in (yield from _learnt(self, columns)):
            more = int(self.smooth_idf)
            self.vocabulary_.append(vocabulary)
            self.idf_.append((np.log((texts + more) / (texts_with + more)) + 1).tolist())

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Weigh the words of a part."""
        return _vectorised(self, part, [*map(self._maker, self.vocabulary_, self.idf_)], float)

    def output_names(self) -> list[str]:
        """Return ``{column}_{word}``."""
        return _word_names(self)

    def _maker(self, words: list[str], weights: list[float]) -> Callable[[list[str]], Any]:
        from sklearn.feature_extraction import text

        names = ("norm", "use_idf", "smooth_idf", "sublinear_tf", "binary")
        options = {name: getattr(self, name) for name in names} | reading_of(self).options()
        maker = text.TfidfVectorizer(vocabulary=words, **options)
        if self.use_idf:
            maker.idf_ = np.array(weights)
        return maker.transform if self.use_idf else maker.fit_transform


@dataclass(eq=False)
class HashingVectorizer(Transformer):
    r"""How often each text has words of each hash: nothing is learnt, and words may share a column.

    The columns are called ``{column}_0``, ``{column}_1`` and so on.

    Parameters
    ----------
    n_features : int
        Columns for each column of texts.
    norm : {"l2", "l1", None}
        What the numbers of a text are brought to.
    alternate_sign : bool
        Whether half of the words count down, so that those that share a column cancel out.
    binary, lowercase, strip_accents, stop_words, ngram_range, analyzer, token_pattern, \
sparse_output
        As of `CountVectorizer`.

    Notes
    -----
    Equal to scikit-learn's on the same texts, a missing text being an empty one. The table is not
    read to `fit`.

    References
    ----------
    Weinberger, Dasgupta, Langford, Smola, Attenberg: *Feature Hashing for Large Scale Multitask
    Learning*. ICML 2009.

    Examples
    --------
    >>> table = pd.DataFrame({"note": ["oil low", None]})
    >>> HashingVectorizer(n_features=4, norm=None, alternate_sign=False).fit_transform(table)
       note_0  note_1  note_2  note_3
    0     2.0     0.0     0.0     0.0
    1     0.0     0.0     0.0     0.0
    """

    kind: ClassVar[str] = "hashing_vectorizer"

    n_features: int = 256
    norm: str | None = "l2"
    alternate_sign: bool = True
    binary: bool = False
    lowercase: bool = True
    strip_accents: str | None = None
    stop_words: Any = None
    ngram_range: tuple[int, int] = (1, 1)
    analyzer: str = "word"
    token_pattern: str = WORD
    sparse_output: bool = False

    def learning(self, columns: Sequence[str]) -> Learning:
        """Ask for nothing."""
        check_choice("norm", self.norm, ("l2", "l1", None))
        check_choice("analyzer", self.analyzer, ANALYZERS)
        if not self.n_features >= 1:
            raise ConfigurationError(f"n_features is {self.n_features}; it must be 1 or more.")
        _check_count(self.n_features * len(columns), "n_features")
        yield from ()

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Hash the words of a part."""
        from sklearn.feature_extraction import text

        names = ("n_features", "norm", "alternate_sign", "binary")
        options = {name: getattr(self, name) for name in names} | reading_of(self).options()
        maker = text.HashingVectorizer(**options)
        return _vectorised(self, part, [maker.transform] * len(self._columns()), float)

    def output_names(self) -> list[str]:
        """Return ``{column}_{number}``."""
        return [f"{name}_{number}" for name in self._columns() for number in range(self.n_features)]


def _learnt(transformer: Any, columns: Sequence[str]) -> Any:
    """Ask for words, for ``yield from``; return the chosen ones, and the texts that have them."""
    check_choice("analyzer", transformer.analyzer, ANALYZERS)
    reading = reading_of(transformer)
    found = yield from ask(*(WordsOf(column, reading) for column in columns))
    limits = (transformer.min_df, transformer.max_df, transformer.max_features)
    learnt = []
    for column, words in zip(columns, found, strict=True):
        kept = chosen_words(column, words, *limits)
        learnt.append((words.words[kept].tolist(), (words.texts_with[kept], words.texts)))
    _check_count(sum(len(words) for words, _ in learnt), "max_features")
    return learnt


def _check_count(columns: int, parameter: str) -> None:
    if columns > MOST_COLUMNS:
        raise InputError(
            f"Texts would become {columns:,} columns; {MOST_COLUMNS:,} are the most that a frame "
            f"can take. Lower {parameter}."
        )


def _word_names(transformer: Any) -> list[str]:
    named = zip(transformer.feature_names_in_, transformer.vocabulary_, strict=True)
    return [f"{name}_{word}" for name, words in named for word in words]


def _vectorised(
    transformer: Any, part: pd.DataFrame, makers: Sequence[Callable[..., Any]], dtype: Any
) -> pd.DataFrame:
    """Return what each maker makes of its column, side by side."""
    from scipy import sparse

    names = transformer.output_names()
    columns = zip(makers, transformer.feature_names_in_, strict=True)
    if len(part):
        made = [maker(texts_of(part[name])) for maker, name in columns]
        values = sparse.hstack(made, format="csc").astype(dtype)
    else:  # for which scikit-learn has no answer
        values = sparse.csc_matrix((0, len(names)), dtype=dtype)
    if transformer.sparse_output:
        made_sparse: pd.DataFrame = pd.DataFrame.sparse.from_spmatrix(  # type: ignore[attr-defined]
            values, index=part.index, columns=names
        )
        return made_sparse
    return pd.DataFrame(values.toarray(), index=part.index, columns=names)
