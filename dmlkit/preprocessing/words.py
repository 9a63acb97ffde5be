"""Words of texts, and how often they occur: what the vectorizers of `text` learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dmlkit.errors import ConfigurationError, InputError

__all__ = ["Reading", "Words", "WordsOf", "chosen_words", "reading_of", "texts_of"]

#: More different words than this are no vocabulary that can be kept on the client.
MOST_WORDS = 5_000_000


class Reading(NamedTuple):
    """How a text becomes words: scikit-learn's parameters of the same names."""

    lowercase: bool
    strip_accents: str | None
    stop_words: str | tuple[str, ...] | None
    ngram_range: tuple[int, int]
    analyzer: str
    token_pattern: str

    def options(self) -> dict[str, Any]:
        """Return them as scikit-learn's vectorizers take them."""
        options = self._asdict()
        if isinstance(self.stop_words, tuple):
            options["stop_words"] = list(self.stop_words)
        if self.analyzer != "word":  # scikit-learn would warn that it is not looked at
            options["token_pattern"] = None
        return options


def reading_of(transformer: Any) -> Reading:
    """Return how a transformer reads, from its parameters.

    Raises
    ------
    ConfigurationError
    """
    stop_words, (shortest, longest) = transformer.stop_words, transformer.ngram_range
    if not 1 <= shortest <= longest:
        raise ConfigurationError(
            f"ngram_range is {transformer.ngram_range}; it must be two numbers, from 1 on, such as "
            "(1, 2)."
        )
    return Reading(
        transformer.lowercase,
        transformer.strip_accents,
        stop_words if isinstance(stop_words, str | None) else tuple(stop_words),
        (shortest, longest),
        transformer.analyzer,
        transformer.token_pattern,
    )


def texts_of(column: pd.Series) -> list[str]:
    """Return the texts of a column, an empty one where it is missing.

    Raises
    ------
    InputError
        It holds something else.
    """
    values = column.astype(object).where(column.notna(), "").tolist()
    for value in values:
        if not isinstance(value, str):
            raise InputError(
                f"Column {column.name!r} is {column.dtype} (such as {value!r}), but text is "
                "needed. Leave it out of this step, or turn it into text first."
            )
    return values


class Words(NamedTuple):
    """Words in the order of the alphabet, how often each occurs, and in how many of the texts."""

    words: NDArray[Any]
    counts: NDArray[np.int64]
    texts_with: NDArray[np.int64]
    texts: int


@dataclass(frozen=True)
class WordsOf:
    """The words of a column's texts; a missing text has none."""

    column: str
    reading: Reading

    def of(self, part: pd.DataFrame) -> Words:
        """Count the words of a part."""
        from sklearn.feature_extraction.text import CountVectorizer

        texts = texts_of(part[self.column])
        analyse = CountVectorizer(**self.reading.options()).build_analyzer()
        counts: dict[str, int] = {}
        texts_with: dict[str, int] = {}
        for text in texts:
            words = analyse(text)
            for word in words:
                counts[word] = counts.get(word, 0) + 1
            for word in set(words):
                texts_with[word] = texts_with.get(word, 0) + 1
        return _in_order(counts, texts_with, len(texts))

    def add(self, states: Sequence[Words]) -> Words:
        """Add counts up."""
        counts: dict[str, int] = {}
        texts_with: dict[str, int] = {}
        for state in states:
            each = zip(state.words, state.counts.tolist(), state.texts_with.tolist(), strict=True)
            for word, count, texts in each:
                counts[word] = counts.get(word, 0) + count
                texts_with[word] = texts_with.get(word, 0) + texts
        if len(counts) > MOST_WORDS:
            raise InputError(
                f"Column {self.column!r} has more than {MOST_WORDS:,} different words (such as "
                f"{next(iter(counts))!r}). Take HashingVectorizer, which keeps none."
            )
        return _in_order(counts, texts_with, sum(state.texts for state in states))

    def explain(self) -> str:
        """Tell in a few words what is learnt."""
        return f"words of {self.column}"


def _in_order(counts: dict[str, int], texts_with: dict[str, int], texts: int) -> Words:
    words = sorted(counts)
    return Words(
        np.array(words, dtype=object),
        np.fromiter((counts[word] for word in words), np.int64, len(words)),
        np.fromiter((texts_with[word] for word in words), np.int64, len(words)),
        texts,
    )


def chosen_words(
    column: str, found: Words, min_df: float, max_df: float, max_features: int | None
) -> NDArray[np.int64]:
    """Return the places of the words that are kept: neither rare nor everywhere, the most frequent.

    Raises
    ------
    InputError
        None is left.
    """
    least, most = (
        each * found.texts if isinstance(each, float) else each for each in (min_df, max_df)
    )
    kept = np.flatnonzero((found.texts_with >= least) & (found.texts_with <= most))
    if max_features is not None and len(kept) > max_features:
        # Of equally frequent words the first ones in the alphabet.
        order = np.argsort(-found.counts[kept], kind="stable")[:max_features]
        kept = np.sort(kept[order])
    if not len(kept):
        raise InputError(
            f"Of {len(found.words):,} words in {found.texts:,} texts of column {column!r} none is "
            "left. Lower min_df, raise max_df, or leave the column out."
        )
    return kept
