"""A cause follows from the facts, whatever their order; without facts nothing is claimed."""

import pytest

from dmlkit.observe.causes import Facts, judge
from dmlkit.observe.clues import learn
from dmlkit.observe.losses import Losses

BROKEN = "handle-worker-cleanup-1795620536.94"


@pytest.mark.parametrize(
    ("facts", "kind", "text"),
    [
        (Facts(BROKEN), "connection-lost", "its connection broke"),
        (Facts("who-knows-1"), "unknown", "nothing tells why"),
        (Facts(BROKEN, exit_code=-9), "killed", "SIGKILL"),
        (Facts(BROKEN, exit_code=-11), "crashed", "SIGSEGV"),
        (Facts(BROKEN, exit_code=-15), "terminated", "SIGTERM"),
        (Facts(BROKEN, exit_code=3), "exited", "exit status 3"),
        (Facts(BROKEN, closing="signal-15"), "terminated", "SIGTERM"),
        (Facts(BROKEN, closing="client-restart-workers-1.5"), "restarted", "by a client"),
        (Facts(BROKEN, closing="worker-close"), "closed", "closed itself"),
        (Facts(BROKEN, closing="of my own"), "closed", "of my own"),
        (Facts(BROKEN, silence=300.0), "heartbeat", "300 s"),
        (Facts("dmlkit-frozen-1.5"), "frozen", "while training"),
        (Facts("retire-1.5", expected=True), "retired", "moved to other workers"),
        (Facts(BROKEN, nanny="refuses"), "nanny-lost", "its nanny is gone"),
        (Facts(BROKEN, nanny="silent"), "host-lost", "machine or network"),
        (Facts(BROKEN, nanny="answers"), "connection-lost", "its connection broke"),
        (Facts(BROKEN, memory=2**31, memory_limit=2**31, exit_code=-15), "memory", "2.00 GiB of"),
    ],
)
def test_a_cause_follows_from_the_facts(facts: Facts, kind: str, text: str) -> None:
    assert judge(facts).kind == kind
    assert text in judge(facts).text


EVENTS = [
    ("worker-restart-memory", {"worker": "tcp://a:1", "pid": 7, "rss": 2**31}),
    ("dmlkit", {"kind": "worker-exit", "worker": "tcp://a:1", "code": -15}),
]


@pytest.mark.parametrize("after", [0, 1, 2])
def test_facts_may_come_before_or_after_the_loss(after: int) -> None:
    losses = Losses()
    for event in EVENTS[: len(EVENTS) - after]:
        learn(losses, *event)
    loss = losses.add(1.0, "tcp://a:1", "0", 0, {"x-1"}, running=1)
    for event in EVENTS[len(EVENTS) - after :]:
        learn(losses, *event)
    assert loss.view()["cause"] == "memory"
    assert len(loss.view()["evidence"]) == 2


def test_a_new_worker_at_an_old_address_starts_without_facts() -> None:
    losses = Losses()
    learn(losses, *EVENTS[1])
    old = losses.add(1.0, "tcp://a:1", "0", 0, (), running=0)
    losses.joined("tcp://a:1")
    new = losses.add(9.0, "tcp://a:1", "0", 0, (), running=0)
    assert (old.cause, new.cause) == ("terminated", "unknown")


def test_events_of_others_are_left_alone() -> None:
    losses = Losses()
    for topic, message in [("all", {"action": "add-client"}), ("x", None), ("dmlkit", {"kind": 1})]:
        learn(losses, topic, message)
    assert not losses.facts("tcp://a:1").closing
