"""What rankers' rows are dealt out to folds by, where rows of a query are brought together."""

from typing import Any

import dask.dataframe as dd
import distributed
import pandas as pd
from distributed import Client

from dmlkit.boosting.given_table import GivenTable
from dmlkit.boosting.queries import queries_of, rows_by_query, runs_of
from dmlkit.boosting.roles import LABEL, QUERY
from dmlkit.boosting.training_data import wait_for
from dmlkit.features.hashing import hash_values

__all__ = ["beside_ranked"]

#: What a query is called by the user, beside what it is called in here.
GIVEN = "query"


def beside_ranked(table: GivenTable, client: Client, patience: float) -> tuple[Any, dict[str, Any]]:
    """Return labels, and queries as groups, in the order in which `gather` brings rows together.

    Parameters
    ----------
    table : GivenTable
    client : distributed.Client
    patience : float
        Seconds without a sign of life, twice as many of which make a worker a frozen one.
    """
    label, query = (_lazy(table.beside[role]) for role in (LABEL, QUERY))
    meta = _side_by_side(label._meta, query._meta)
    thin = dd.map_partitions(_side_by_side, label, query, meta=meta, align_dataframes=False)
    thin = client.persist(thin)
    runs = client.map(runs_of, distributed.futures_of(thin), pure=False)
    wait_for(runs, client, 2 * patience)
    if queries_of(client.gather(runs)) is None:
        thin = client.persist(rows_by_query(thin))
    return thin[LABEL], {"groups": thin[GIVEN]}


def _lazy(series: Any) -> Any:
    if isinstance(series, pd.Series):
        return dd.from_pandas(series.reset_index(drop=True), npartitions=1)
    return series


def _side_by_side(label: pd.Series, query: pd.Series) -> pd.DataFrame:
    columns = {LABEL: label.array, GIVEN: query.array, QUERY: hash_values(query)}
    return pd.DataFrame(columns, copy=False)
