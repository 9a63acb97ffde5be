"""Secrets and lengths of what comes from elsewhere, before it is shown to anybody."""

import re

__all__ = ["clipped", "masked"]

LONGEST = 400

#: What is hidden: a name and password before a host, and values whose names say that they are
#: secret, in addresses, connection strings and settings.
LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
SECRET = re.compile(
    r"(?i)\b([\w-]*(?:secret|passw(?:or)?d|token|signature|credential|access_?key(?:_?id)?"
    r"|account_?key|api_?key|sig|pwd)[\w-]*[\"']?\s*[=:]\s*)([\"']?)[^&;,\s\"'}]+"
)


def masked(text: object) -> str:
    """Return a text with secrets replaced by stars, and no longer than a few lines.

    Examples
    --------
    >>> masked("s3://AKIA:abc@host/table?X-Amz-Signature=1f3&part=2")
    's3://***@host/table?X-Amz-Signature=***&part=2'
    >>> masked("{'token': 'abc', 'rows': 3}")
    "{'token': '***', 'rows': 3}"
    """
    return clipped(SECRET.sub(r"\1\2***", LOGIN.sub("***@", str(text))))


def clipped(text: str, length: int = LONGEST) -> str:
    """Return a text, cut where it is too long.

    Examples
    --------
    >>> clipped("abcdef", 3)
    'ab…'
    """
    return text if len(text) <= length else f"{text[: length - 1]}…"
