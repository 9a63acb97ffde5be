"""What tells the rows of a search from others, so that a search goes on with its own rows only."""

from collections.abc import Mapping

import pandas as pd
from distributed import Client

from dmlkit.boosting.stored_rows import rows_of
from dmlkit.boosting.training_data import TrainingData

__all__ = ["fingerprint_of"]


def fingerprint_of(tables: Mapping[str, TrainingData], client: Client) -> dict[str, int]:
    """Return a number for each table that follows from its rows, whatever their order.

    Parameters
    ----------
    tables : mapping of str to TrainingData
    client : distributed.Client
        Whose workers hold the rows, and look at them there.
    """
    sums = {name: client.map(_sum_of_hashes, table.parts) for name, table in tables.items()}
    return {name: sum(client.gather(each)) % 2**64 for name, each in sums.items()}


def _sum_of_hashes(part: object) -> int:
    return int(pd.util.hash_pandas_object(rows_of(part), index=False).sum())
