"""What `dmlkit plan TABLE` tells: what training XGBoost on a table takes of each worker."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from dmlkit.cli.endings import print_json

__all__ = ["print_training"]


def print_training(
    table: str,
    there: Any,
    *,
    without: tuple[str, ...],
    parameters: Mapping[str, int],
    classes: int,
    as_json: bool,
) -> None:
    """Print the plan of a training on the workers `there`."""
    from dmlkit.boosting.memory_check import plan_on_workers

    size = _size_of(table, without)
    found = plan_on_workers([size], parameters, there, classes if classes > 2 else 1)
    if as_json:
        told = asdict(found) | {"of_worker": found.of_worker, "of_process": found.of_process}
        print_json(status="done", fits=found.fits, advice=found.advice, **told)
        return
    printed = Table(title=f"Training on {table}", title_justify="left", show_header=False)
    printed.add_column(style="bold")
    printed.add_column(overflow="fold")
    for what, value in found.lines():
        printed.add_row(what, value)
    Console().print(printed)


def _size_of(path: str, without: tuple[str, ...]) -> Any:
    import dask

    from dmlkit.boosting.memory import TableSize
    from dmlkit.errors import InputError, MissingColumnError
    from dmlkit.tables import read_table

    frame = read_table(path)
    for name in without:
        if name not in frame.columns:
            raise MissingColumnError.of(path, name, frame.columns)
    columns = [
        name
        for name, dtype in frame._meta.dtypes.items()
        if name not in without and _is_feature(dtype)
    ]
    if not columns:
        raise InputError(f"{path!r} has no columns of numbers that could be features.")
    with dask.config.set(scheduler="threads"):
        rows = len(read_table(path, columns=columns[:1]))
    return TableSize(rows, len(columns), frame.npartitions)


def _is_feature(dtype: Any) -> bool:
    import pandas as pd

    return isinstance(dtype, pd.CategoricalDtype) or pd.api.types.is_numeric_dtype(dtype)
