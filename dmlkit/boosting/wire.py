"""Messages between a worker and a process that trains; rows go beside the pickle, uncopied."""

import os
import pickle
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

__all__ = ["receive", "send"]


def send(connection: Connection, message: Any) -> None:
    """Send a message.

    Parameters
    ----------
    connection : Connection
        One thread at a time sends on it.
    message : object
        The memory of frames and arrays in it is sent as it is: pickling it would copy it twice.
    """
    beside: list[memoryview] = []

    def take(buffer: pickle.PickleBuffer) -> bool:
        try:
            beside.append(buffer.raw())
        except BufferError:  # not in one piece
            return True
        return False

    body = pickle.dumps(message, protocol=5, buffer_callback=take)
    connection.send_bytes(pickle.dumps((body, [each.nbytes for each in beside])))
    for each in beside:
        _write(connection.fileno(), each)


def receive(connection: Connection) -> Any:
    """Return the next message; frames and arrays in it may be written to.

    Raises
    ------
    EOFError
        The other side is gone.
    """
    body, sizes = pickle.loads(connection.recv_bytes())
    return pickle.loads(body, buffers=[_read(connection.fileno(), size) for size in sizes])


def _write(number: int, content: memoryview) -> None:
    while content.nbytes:
        content = content[os.write(number, content) :]


def _read(number: int, size: int) -> Any:
    # Not a bytearray, which would be filled with zeros first.
    content = np.empty(size, np.uint8)
    left = memoryview(content.data)
    while left.nbytes:
        count = os.readv(number, [left])
        if not count:
            raise EOFError
        left = left[count:]
    return content
