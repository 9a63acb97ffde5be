"""A training up to some round, as it is kept where the death of a worker cannot reach it."""

import hashlib
import json
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dmlkit.boosting.plan import History
from dmlkit.errors import InputError, MissingFileError

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]

#: The first bytes of a file.
MAGIC = b"dmlkit checkpoint 1\n"


@dataclass(frozen=True)
class Checkpoint:
    """All that a training needs to go on.

    Early stopping follows from the history, and the random numbers of a round from its number, so
    that neither has a state of its own.

    Attributes
    ----------
    rounds : int
        How many are done.
    raw : bytes
        The booster as UBJ.
    history : dict
        Metrics by table, metric and round.
    made_for : str
        The plan's, so that no other training goes on from it.
    callbacks : list of dict
        What is kept of the attributes of each of the user's callbacks.
    parameters : str
        XGBoost's own account of the booster's parameters, where callbacks may have changed them.
    """

    rounds: int
    raw: bytes
    history: History
    made_for: str = ""
    callbacks: list[dict[str, Any]] = field(default_factory=list)
    parameters: str = ""

    def to_bytes(self) -> bytes:
        """Return it as bytes that tell whether they are whole."""
        told = {
            "rounds": self.rounds,
            "history": self.history,
            "made_for": self.made_for,
            "callbacks": self.callbacks,
            "parameters": self.parameters,
        }
        head = json.dumps(told).encode()
        body = struct.pack("<Q", len(head)) + head + self.raw
        return MAGIC + hashlib.sha256(body).digest() + body

    @classmethod
    def from_bytes(cls, data: bytes) -> "Checkpoint":
        """Return what `to_bytes` gave.

        Raises
        ------
        ValueError
            The bytes are not those of a checkpoint, or not all of them.

        Examples
        --------
        >>> kept = Checkpoint(3, b"model", {"validation_0": {"auc": [0.5, 0.6, 0.7]}})
        >>> Checkpoint.from_bytes(kept.to_bytes()) == kept
        True
        """
        start = len(MAGIC) + 32
        body = data[start:]
        if not data.startswith(MAGIC) or hashlib.sha256(body).digest() != data[len(MAGIC) : start]:
            raise ValueError("not a whole checkpoint")
        (length,) = struct.unpack_from("<Q", body)
        head = json.loads(body[8 : 8 + length])
        return cls(raw=body[8 + length :], **head)


def save_checkpoint(data: bytes, path: str | Path) -> None:
    """Write a checkpoint's bytes to a file; whoever reads it sees the old one or the new one."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint's file.

    Raises
    ------
    MissingFileError
        There is no such file.
    InputError
        It is no checkpoint, or a damaged one.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise MissingFileError(
            f"The checkpoint {path} cannot be read ({error.strerror}). Leave resume_from out to "
            "start from the first round."
        ) from error
    try:
        return Checkpoint.from_bytes(data)
    except (ValueError, TypeError, struct.error) as error:
        raise InputError(
            f"{path} is no checkpoint of a training, or a damaged one. Leave resume_from out to "
            "start from the first round."
        ) from error
