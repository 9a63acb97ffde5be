"""A worker's part in a training: it hosts the processes of its shards, and tells of them."""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import distributed
from distributed.utils import sync
from distributed.worker import thread_state

from dmlkit.boosting.attempts import report_from
from dmlkit.boosting.far_rows import check_length, fetcher
from dmlkit.boosting.hosted_shard import HostedShard, HostOrders, Rows, start_shard

__all__ = ["train_shards"]

#: Seconds between two reports to the scheduler while nothing happens: at most, and before all
#: shards have begun.
REPORT, REPORT_WAITING = 1.0, 0.1


def train_shards(
    orders: HostOrders, shards: Sequence[tuple[int, Rows, Mapping[str, Rows | None]]]
) -> None:
    """Host the processes of shards until all are done, one fails, or the attempt is over.

    The task leaves its place in the worker's thread pool: other tasks go on, and trainings that
    wait for each other's workers cannot be.

    Parameters
    ----------
    orders : HostOrders
    shards : sequence of (rank, training rows, evaluation rows by table)
        None stands for the training rows.
    """
    link = _Link(orders)
    over = threading.Event()
    fetch = fetcher(2 * orders.silence, over)
    distributed.secede()
    hosted: list[HostedShard] = []
    try:
        for rank, training, evaluations in shards:
            _check_lengths([training, *(rows for rows in evaluations.values() if rows)])
            hosted.append(start_shard(orders, rank, training, evaluations, link.wake, fetch))
        _host(hosted, orders, link)
    finally:
        over.set()
        for shard in hosted:
            shard.kill()


def _host(hosted: Sequence[HostedShard], orders: HostOrders, link: "_Link") -> None:
    going = False
    while True:
        link.wake.clear()
        for shard in hosted:
            shard.check(orders.silence)
        over = all(shard.ended for shard in hosted) or any(shard.failed for shard in hosted)
        news = [each for shard in hosted for each in shard.take_news()]
        if going:
            news += [("waits", shard.rank, shard.waits()) for shard in hosted if not shard.ended]
        answer = link.report(news)
        if over or "over" in answer:
            return
        if "go" in answer and not going:
            going = True
            for shard in hosted:
                shard.say("go", answer["go"])
        link.wake.wait(REPORT if going else REPORT_WAITING)


class _Link:
    """The way from a task's thread to the scheduler."""

    def __init__(self, orders: HostOrders) -> None:
        self.wake = threading.Event()
        self._orders = orders
        self._worker = distributed.get_worker()
        self._task = self._worker.state.tasks.get(thread_state.key)
        self._waiting: list[tuple[str, int, Any]] = []
        self._heard = time.monotonic()

    def report(self, news: list[tuple[str, int, Any]]) -> dict[str, Any]:
        """Tell the news; return the answer, which is "over" too when nobody answers for long."""
        if self._task is not None and self._task.state == "cancelled":
            return {"over": True}
        self._waiting += news
        silence = self._orders.silence
        try:
            answer: dict[str, Any] = sync(
                self._worker.loop,
                report_from,
                self._worker,
                self._orders.token,
                self._waiting,
                callback_timeout=silence,
            )
        except (OSError, TimeoutError):
            # Cut off: once the scheduler has given this worker up, its processes are in the way.
            lost = time.monotonic() - self._heard > 2 * silence
            return {"over": True} if lost else {}
        self._waiting, self._heard = [], time.monotonic()
        return answer


def _check_lengths(tables: Sequence[Rows]) -> None:
    for rows in tables:
        for part, length, _, _ in rows:
            check_length(part, length)
