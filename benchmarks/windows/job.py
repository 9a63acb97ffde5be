"""The job that all systems do: which windows, what the columns are called, of which type they are.

The result is every column of the input and 26 features. A window is ``(t - length, t]`` of a row's
time ``t``, a delayed one ``(t - delay - length, t - delay]``; rows of one entity at one instant see
each other. Counts are int32 and all other features float32 in every system, so that each writes as
many bytes as the others.
"""

from dataclasses import dataclass

__all__ = ["CUSTOMER", "INPUT", "JOBS", "TERMINAL", "WORKERS", "Windows", "feature_types"]

#: Processes or threads that each system may use.
WORKERS = 2

HOUR = 3_600_000_000
DAY = 24 * HOUR

INPUT = ("tx_id", "ts", "customer_id", "terminal_id", "amount", "fraud")


@dataclass(frozen=True)
class Windows:
    """Aggregates of one column over several windows of an entity; times are microseconds."""

    entity: str
    value: str
    aggregates: tuple[str, ...]
    lengths: dict[str, int]
    delay: int = 0
    delay_name: str = ""

    def name(self, aggregate: str, length: str) -> str:
        """Return the name of a feature, which is the one that dmlkit gives it."""
        late = f"_delay_{self.delay_name}" if self.delay else ""
        return f"{self.entity}_{self.value}_{aggregate}_{length}{late}"


CUSTOMER = Windows(
    "customer_id",
    "amount",
    ("count", "sum", "mean", "max", "std"),
    {"1h": HOUR, "24h": DAY, "7d": 7 * DAY, "30d": 30 * DAY},
)
TERMINAL = Windows(
    "terminal_id",
    "fraud",
    ("count", "mean"),
    {"1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY},
    delay=7 * DAY,
    delay_name="7d",
)
JOBS = (TERMINAL, CUSTOMER)


def feature_types() -> dict[str, str]:
    """Return the features of both entities with their types.

    Examples
    --------
    >>> types = feature_types()
    >>> len(types), types["customer_id_amount_count_1h"], types["customer_id_amount_std_30d"]
    (26, 'int32', 'float')
    """
    return {
        windows.name(aggregate, length): "int32" if aggregate == "count" else "float"
        for windows in JOBS
        for aggregate in windows.aggregates
        for length in windows.lengths
    }
