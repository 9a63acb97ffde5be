"""What XGBoost says when it refuses to train, as a user should read it."""

import re

__all__ = ["refusal_in_words"]

#: The time and the place in XGBoost's own source, before what it says.
WHERE = re.compile(r"^(\[[0-9:]+\] )?\S+:\d+: ")

#: Before what did not hold.
CHECK = "Check failed: "


def refusal_in_words(error: Exception) -> str:
    r"""Return what XGBoost says, without the time and place before it and the stack behind it.

    Examples
    --------
    >>> refusal_in_words(ValueError("[11:54:50] /src/metric.cc:49: Unknown metric acu\nStack"))
    'Unknown metric acu'
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if CHECK in line), lines[0] if lines else "")
    return said.partition(CHECK)[2] or WHERE.sub("", said) or type(error).__name__
