"""`FeatureHasher`: categories with any number of levels, hashed into a few columns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from dmlkit.errors import ConfigurationError
from dmlkit.preprocessing.learning import Learning
from dmlkit.preprocessing.transformer import Transformer

__all__ = ["FeatureHasher"]


@dataclass(eq=False)
class FeatureHasher(Transformer):
    """Add up each row's levels by their hashes: nothing is learnt, and levels may share a column.

    A level counts as 1 at the hash of ``{column}={level}``, a number as itself at the hash of its
    column. All columns go into the same ones, which are called ``hash_0``, ``hash_1`` and so on.

    Parameters
    ----------
    n_features : int
        Columns that come out.
    alternate_sign : bool
        Whether half of the levels count down, so that those that share a column cancel out.

    Notes
    -----
    Equal to scikit-learn's of rows as dictionaries without their missing values. The table is not
    read to `fit`, and a new level is hashed like any other.

    References
    ----------
    Weinberger, Dasgupta, Langford, Smola, Attenberg: *Feature Hashing for Large Scale Multitask
    Learning*. ICML 2009.

    Examples
    --------
    >>> table = pd.DataFrame({"shop": ["s1", "s2", None], "city": ["x", "x", None]})
    >>> FeatureHasher(n_features=4, alternate_sign=False).fit_transform(table).sum(axis=1).tolist()
    [2.0, 2.0, 0.0]
    """

    kind: ClassVar[str] = "feature_hasher"

    n_features: int = 256
    alternate_sign: bool = True

    def learning(self, columns: Sequence[str]) -> Learning:  # noqa: ARG002
        """Ask for nothing."""
        if not 1 <= self.n_features <= 10_000:
            raise ConfigurationError(
                f"n_features is {self.n_features}; it must be from 1 to 10,000."
            )
        yield from ()

    def apply(self, part: pd.DataFrame) -> pd.DataFrame:
        """Hash a part."""
        from sklearn import feature_extraction

        hasher = feature_extraction.FeatureHasher(
            self.n_features, alternate_sign=self.alternate_sign
        )
        total = np.zeros((len(part), self.n_features))
        for name in self._columns() if len(part) else []:
            codes, levels = pd.factorize(part[name])  # the code of a missing value is -1
            rows = [{name: _plain(level)} for level in levels]
            # Each level is hashed once, and an empty row stands last, for missing ones.
            hashed = hasher.transform([*rows, {}])
            total += hashed[codes].toarray()
        return pd.DataFrame(total, index=part.index, columns=self.output_names())

    def output_names(self) -> list[str]:
        """Return ``hash_0``, ``hash_1`` ..."""
        return [f"hash_{number}" for number in range(self.n_features)]


def _plain(level: Any) -> Any:
    """Return a number as a float, and anything else as text."""
    is_number = isinstance(level, (int, float, np.number)) and not isinstance(level, bool)
    return float(level) if is_number else str(level)
