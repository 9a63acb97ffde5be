"""Paths that Delta Lake takes for others."""

import re

__all__ = ["misread"]

#: Where deltalake writes, or looks for, another path or stops with a panic, however it is quoted;
#: behind "#" and "?", it finds a table but never its history.
MISREAD = re.compile(r"%[0-9A-Fa-f]{2}|[#?\[\]|^\\\x00-\x1f\x7f]")


def misread(path: str) -> str | None:
    """Return what Delta Lake would misread in the path of a folder; None where it is fit.

    Examples
    --------
    >>> misread("/data/a%20b"), misread("/data/100% a b")
    ('%20', None)
    """
    found = MISREAD.search(path)
    return found[0] if found else None
