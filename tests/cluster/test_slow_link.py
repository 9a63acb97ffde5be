"""Slow links: what they hold back, and that a job over them ends well all the same."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from benchmarks.hosts import HostsError, made_hosts
from benchmarks.network import measure
from benchmarks.slow_link import Link
from dmlkit import connect, write_table
from dmlkit.tables.generate import card_transactions

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def over(link: Link, talk: Callable[[Streams, list[Streams]], Awaitable[None]]) -> None:
    """Let a client talk over a link to a server that keeps its connections."""

    async def run() -> None:
        taken: list[Streams] = []
        server = await asyncio.start_server(lambda *both: taken.append(both), "127.0.0.1", 0)
        target = server.sockets[0].getsockname()
        proxy = await asyncio.start_server(
            lambda reader, writer: link.pass_on(reader, writer, target), "127.0.0.1", 0
        )
        client = await asyncio.open_connection(*proxy.sockets[0].getsockname())
        async with asyncio.timeout(20):
            await talk(client, taken)
        client[1].close()
        for each in (proxy, server):
            each.close()

    asyncio.run(run())


async def reached(taken: list[Streams]) -> Streams:
    while not taken:
        await asyncio.sleep(0.005)
    return taken[0]


def test_all_bytes_come_in_order_and_the_end_of_them_too() -> None:
    sent = bytes(range(256)) * 4000

    async def talk(client: Streams, taken: list[Streams]) -> None:
        reader, writer = client
        writer.write(sent)
        writer.write_eof()
        far_reader, far_writer = await reached(taken)
        assert await far_reader.read() == sent
        far_writer.write(sent[::-1])
        far_writer.write_eof()
        assert await reader.read() == sent[::-1]

    over(Link(0.02, loss=0.1), talk)


def test_an_answer_takes_the_delay() -> None:
    delay = 0.2

    async def talk(client: Streams, taken: list[Streams]) -> None:
        now = asyncio.get_running_loop().time
        far_reader, far_writer = await reached(taken)
        began = now()
        client[1].write(b"?")
        assert await far_reader.readexactly(1) == b"?"
        assert now() - began >= delay / 2
        far_writer.write(b"x")
        assert await client[0].readexactly(1) == b"x"
        assert now() - began >= delay

    over(Link(delay), talk)


def test_a_rate_is_kept() -> None:
    async def talk(client: Streams, taken: list[Streams]) -> None:
        now = asyncio.get_running_loop().time
        far_reader, _ = await reached(taken)
        began = now()
        client[1].write(bytes(200_000))
        await far_reader.readexactly(200_000)
        assert now() - began >= 0.4

    over(Link(0.0, rate=500_000), talk)


def test_a_host_that_nobody_listens_on_ends_the_connection() -> None:
    async def run() -> None:
        link = Link(0.0)
        proxy = await asyncio.start_server(
            lambda reader, writer: link.pass_on(reader, writer, ("127.0.0.1", 9)), "127.0.0.1", 0
        )
        reader, writer = await asyncio.open_connection(*proxy.sockets[0].getsockname())
        with contextlib.suppress(ConnectionError):  # an end with a reset is one, too
            assert await reader.read() == b""
        writer.close()
        proxy.close()

    asyncio.run(run())


@pytest.mark.engine
def test_a_job_over_far_and_lossy_links_ends_well(tmp_path: Path) -> None:
    data = str(tmp_path / "transactions")
    with connect(workers=1, threads=1):
        write_table(card_transactions(200, 400, 120, partitions=4), data)
    manifests = []
    try:
        with made_hosts(3) as hosts:
            for number, link in enumerate(([], ["--delay", "0.05", "--loss", "0.005"])):
                with hosts.slowed(*link):
                    manifests.append(measure(hosts, data, tmp_path / f"out-{number}"))
    except HostsError as error:
        pytest.skip(str(error))
    near, far = manifests
    assert far["workers_lost"] == []
    assert far["metrics"] == pytest.approx(near["metrics"])
