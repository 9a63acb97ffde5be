"""Partitions of other workers come when they are there, and are not waited for without need."""

import threading
import time

import pandas as pd
import pytest
from distributed import Client

from dmlkit.boosting.far_rows import FarPart, RowsChangedError, fetched, fetcher
from dmlkit.boosting.shards import Piece


def test_what_never_comes_is_waited_for_no_longer_than_somebody_wants_it(client: Client) -> None:
    def wait() -> tuple[str, float]:
        over = threading.Event()
        threading.Timer(0.5, over.set).start()
        began = time.monotonic()
        try:
            fetcher(5.0, over)(FarPart("nobody-has-it", 1))
        except OSError as error:
            return str(error), time.monotonic() - began
        return "it came", 0.0

    said, seconds = client.submit(wait, pure=False).result()
    assert said == "the attempt is over"
    assert seconds >= 0.5


def test_a_partition_is_fetched_from_the_worker_that_holds_it(client: Client) -> None:
    first, second = sorted(client.nthreads())
    part = client.submit(pd.DataFrame, {"x": range(5)}, workers=[first], pure=False)
    part.result()

    def fetch(key: str) -> list[int]:
        frame = fetcher(5.0, threading.Event())(FarPart(key, 5))
        return list(frame["x"])

    assert client.submit(fetch, part.key, workers=[second], pure=False).result() == [0, 1, 2, 3, 4]
    assert client.who_has([part])[part.key] == (first,)


def test_a_partition_with_other_rows_than_the_first_time_is_refused() -> None:
    pieces = [Piece(FarPart("a", 3), 0, 2)]
    with pytest.raises(RowsChangedError, match="had 3 rows and has 2"):
        list(fetched(pieces, lambda _: pd.DataFrame({"x": [1, 2]})))
