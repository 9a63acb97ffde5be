"""What the check of partitions finds, put together and told in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from dmlkit.tables.text import PROBLEM

__all__ = ["Findings", "describe", "examples_of"]

#: Of each reason, for the message and the report.
EXAMPLES = 3


@dataclass
class Findings:
    """What one partition, or several put together, hold.

    `bad` has the positions of bad rows by partition: good rows are picked without a second look.
    """

    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    times: list[pd.Timestamp] = field(default_factory=list)
    bad: dict[int, np.ndarray] = field(default_factory=dict)

    @property
    def bad_rows(self) -> int:
        """How many rows are bad."""
        return sum(map(len, self.bad.values()))

    def add(self, other: "Findings") -> None:
        """Take in what was found later in the table."""
        self.rows += other.rows
        self.reasons.update(other.reasons)
        for reason, rows in other.examples.items():
            self.examples[reason] = (self.examples.get(reason, []) + rows)[:EXAMPLES]
        self.times += other.times
        for number, positions in other.bad.items():
            known = self.bad.get(number, positions[:0])
            self.bad[number] = np.sort(np.concatenate([known, positions]))


def describe(
    rows: int, bad_rows: int, reasons: Mapping[str, int], examples: Mapping[str, Sequence[str]]
) -> str:
    """Return how many rows are bad, then the reasons, the most frequent first.

    Examples
    --------
    >>> print(describe(400, 2, {"amount: below 0": 2}, {"amount: below 0": ["amount=-1.0"]}))
    2 of 400 rows are bad (0.50%)
               2  amount: below 0
                  such as amount=-1.0
    """
    lines = [f"{bad_rows:,} of {rows:,} rows are bad ({bad_rows / max(rows, 1):.2%})"]
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        lines.append(f"{count:>12,}  {reason}")
        lines.append(f"{'':>14}such as {examples[reason][0]}")
    return "\n".join(lines)


def examples_of(frame: pd.DataFrame, mask: np.ndarray, file: str | None) -> list[str]:
    """Return the first rows of a mask as text, with the file they are from where known."""
    rows = frame.take(np.flatnonzero(mask)[:EXAMPLES])
    if PROBLEM in rows.columns and rows[PROBLEM].notna().all():
        return [str(problem) for problem in rows[PROBLEM]]
    where = f" (in {file})" if file else ""
    return [
        ", ".join(f"{name}={value}" for name, value in row.items() if name != PROBLEM) + where
        for row in rows.to_dict("records")
    ]
