"""What the columns of windows are called, and lists of which nothing may stand twice."""

import re
from collections.abc import Mapping, Sequence

from dmlkit.errors import ConfigurationError

__all__ = ["as_name", "check_lists", "name_of_window"]

#: How the signs of a condition are written in the name of a column.
SIGNS = {">=": " ge ", "<=": " le ", "==": " eq ", "!=": " ne ", ">": " gt ", "<": " lt "}


def name_of_window(
    entity: Sequence[str],
    value: str,
    aggregate: str,
    window: str,
    *,
    delay: str | None,
    where: str | None,
) -> str:
    """Return the name of a feature.

    Examples
    --------
    >>> name_of_window(["card"], "amount", "sum", "7d", delay="1d", where="amount > 100")
    'card_amount_sum_7d_delay_1d_where_amount_gt_100'
    """
    late = f"_delay_{delay}" if delay else ""
    condition = f"_where_{as_name(where)}" if where else ""
    return f"{'_'.join(entity)}_{value}_{as_name(aggregate)}_{window}{late}{condition}"


def as_name(text: str) -> str:
    """Write a condition or a parameter so that it can stand in a column's name.

    Examples
    --------
    >>> as_name("amount >= 100 and channel == 'web'")
    'amount_ge_100_and_channel_eq_web'
    """
    for sign, word in SIGNS.items():
        text = text.replace(sign, word)
    return re.sub(r"[^\w.]+", "_", text).strip("_")


def check_lists(
    windows: Sequence[str], entity: Sequence[str], aggregate: Mapping[str, Sequence[str]]
) -> None:
    """Raise when a text stands where a list should, or something stands in a list twice."""
    named = {"windows": windows, "by": entity} | {
        f"aggregate of {value!r}": names for value, names in aggregate.items()
    }
    for what, names in named.items():
        if isinstance(names, str):
            raise ConfigurationError(f"{what} must be a list: write [{names!r}], not {names!r}.")
        if twice := sorted({name for name in names if list(names).count(name) > 1}):
            raise ConfigurationError(f"{what} names {twice[0]!r} twice.")
