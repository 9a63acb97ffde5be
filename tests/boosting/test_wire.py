"""What goes between a worker and a process that trains arrives as it was."""

import os
import pickle
import socket
import threading
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dmlkit.boosting.wire import receive, send


def over(message: Any) -> Any:
    """Send a message through a pair of sockets, which take less than it at once."""
    ours, theirs = (Connection(end.detach()) for end in socket.socketpair())
    with ours, theirs:
        sending = threading.Thread(target=send, args=(ours, message))
        sending.start()
        found = receive(theirs)
        sending.join()
    return found


def test_rows_arrive_as_they_were_and_may_be_written_to() -> None:
    values = np.arange(3_000_000, dtype=np.float32).reshape(-1, 3)
    rows = pd.DataFrame(values, columns=list("abc"))
    rows["kind"] = pd.Categorical(["x", "y"] * (len(rows) // 2))
    for sent in (rows, rows[::2], rows[:0]):
        what, found = over(("batch", sent))
        assert what == "batch"
        pd.testing.assert_frame_equal(found, sent)
    found.loc[:, "a"] = 1.0
    whole = over(values)
    whole[0] = 5.0
    assert values[0, 0] == 0.0


def test_a_message_that_breaks_off_is_the_end() -> None:
    ours, theirs = (Connection(end.detach()) for end in socket.socketpair())
    with theirs:
        with ours:
            ours.send_bytes(pickle.dumps((b"", [1000])))
            os.write(ours.fileno(), bytes(10))
        with pytest.raises(EOFError):
            receive(theirs)
