"""What becomes of fits that fail: a score in their place and a warning, or an error."""

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

from dmlkit.errors import ConfigurationError, TrainingError

__all__ = ["check_error_score", "told", "warn_of_failures"]


def check_error_score(error_score: Any) -> None:
    """Raise a ConfigurationError unless this is a number or ``"raise"``.

    Examples
    --------
    >>> check_error_score("raise")
    >>> check_error_score("nan")
    Traceback (most recent call last):
    dmlkit.errors.ConfigurationError: error_score is 'nan'; it must be a number (nan) or 'raise'.
    """
    number = isinstance(error_score, (int, float)) and not isinstance(error_score, bool)
    if not number and not (isinstance(error_score, str) and error_score == "raise"):
        raise ConfigurationError(
            f"error_score is {error_score!r}; it must be a number (nan) or 'raise'."
        )


def told(error: BaseException) -> str:
    """Return what an error says, on one line.

    Examples
    --------
    >>> told(ValueError("one class"))
    'ValueError: one class'
    """
    text = str(error).strip().split("\n", 1)[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def warn_of_failures(reasons: Sequence[str], fits: int, error_score: float = math.nan) -> None:
    """Warn of fits that failed, with how many of how many and why.

    Parameters
    ----------
    reasons : sequence of str
        One for each fit that failed.
    fits : int
        All of them.
    error_score : float
        What they have for a score.

    Raises
    ------
    TrainingError
        All fits failed.
    """
    if not reasons:
        return
    from sklearn.exceptions import FitFailedWarning  # takes longer to import than all splits

    counts = Counter(reasons).most_common()
    why = "; ".join(f"{count:,} with {reason}" for reason, count in counts)
    if len(reasons) == fits:
        raise TrainingError(
            f"All {fits:,} fits failed: {why}. error_score='raise' shows the first in full."
        )
    warnings.warn(
        f"{len(reasons):,} of {fits:,} fits failed, and their score is {error_score}: {why}. "
        "error_score='raise' shows the first in full.",
        FitFailedWarning,
        stacklevel=3,
    )
