"""How large the partitions of a table are where nobody says."""

__all__ = ["partition_size"]

#: Bytes of memory that a partition of a large table takes, and at least one of a smaller table: a
#: partition costs some milliseconds wherever it goes.
LARGE, SMALL = 128 << 20, 32 << 20

#: Partitions that a table has, if these are not small then: all workers have something to do.
FEWEST = 6


def partition_size(table_bytes: int, asked: int | None = None) -> int:
    """Return how many bytes of memory a partition shall take: what is asked for, if anything is.

    It depends on the table alone, so that its partitions are the same on any cluster.

    Examples
    --------
    >>> [partition_size(size << 20) >> 20 for size in (1, 384, 10_000)]
    [32, 64, 128]
    """
    return min(max(table_bytes // FEWEST, SMALL), LARGE) if asked is None else asked
