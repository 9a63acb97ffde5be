"""A job's metrics as a table on the terminal."""

from collections.abc import Mapping

from rich.table import Table

__all__ = ["metrics_table"]

#: Metrics that stand first, since they decide.
FIRST = ("roc_auc", "average_precision", "card_precision")


def metrics_table(metrics: Mapping[str, float]) -> Table:
    """Return the metrics of the test rows with their intervals; all metrics where there are none.

    Parameters
    ----------
    metrics : mapping
        As in ``metrics.json``: the ends of an interval are called ``NAME.low`` and ``NAME.high``.

    Examples
    --------
    >>> metrics = {"test.roc_auc": 0.9, "test.roc_auc.low": 0.8, "test.roc_auc.high": 0.95}
    >>> table = metrics_table(metrics)
    >>> [list(column.cells) for column in table.columns]
    [['roc_auc'], ['0.9000'], ['0.8000 - 0.9500']]
    """
    names = [name for name in metrics if not name.endswith((".low", ".high"))]
    of_test = [name for name in names if name.startswith("test.")]
    table = Table(title="On the test rows" if of_test else "Metrics", title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("95% interval", justify="right")
    for name in sorted(of_test or names, key=_stands_back):
        low, high = metrics.get(f"{name}.low"), metrics.get(f"{name}.high")
        interval = "" if low is None or high is None else f"{low:.4f} - {high:.4f}"
        table.add_row(name.removeprefix("test."), _figure(metrics[name]), interval)
    return table


def _stands_back(name: str) -> bool:
    return not name.removeprefix("test.").startswith(FIRST)


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"
