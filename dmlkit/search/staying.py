"""Rows that stay with the worker that made them, as all its trials share them."""

from collections.abc import Callable
from typing import Any, TypeVar

from distributed.protocol import dask_deserialize, dask_serialize

__all__ = ["Gone", "stays", "unless_gone"]

Kind = TypeVar("Kind", bound=type)


class Gone:
    """What another worker has in place of rows that stayed."""


def stays(kind: Kind) -> Kind:
    """Have instances of a class neither spilled to disk nor sent to another worker.

    A worker that is retired first has others take what it holds, and waits until they have: they
    are told `Gone`, and the rows are made ready there when they are needed.
    """

    def tell(value: Any, context: Any = None) -> tuple[dict[str, Any], list[Any]]:
        # What is sent has a sender and a recipient, and what is spilled has not.
        if context is None:
            raise TypeError(f"{type(value).__name__} stays in the memory of its worker.")
        return {}, []

    def gone(header: Any, frames: Any) -> Gone:  # noqa: ARG001
        return Gone()

    dask_serialize.register(kind)(tell)
    dask_deserialize.register(kind)(gone)
    return kind


def unless_gone(leg: Callable[..., Any], held: Any, *arguments: Any) -> Any:
    """Train a leg on the rows that a worker holds; tell where they are gone."""
    return held if isinstance(held, Gone) else leg(held, *arguments)
