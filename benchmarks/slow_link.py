"""A slow link between hosts: a proxy that holds back what a host sends and gets, for some time.

``python -m benchmarks.slow_link --port 9999 --delay 0.05`` takes connections that the kernel sends
to it in place of another host (`benchmarks.hosts`), and passes them on. Needed where a kernel has
no netem. A link has 16 MiB under way at most, like a connection whose window is as large.
"""

import argparse
import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Sequence

#: What the kernel redirected: where it was to go (SO_ORIGINAL_DST), asked at this level.
IP_LEVEL, ORIGINAL = 0, 80
#: Connections with this mark are the proxy's own, which are not redirected.
MARK, OPTION_MARK = 1, 36
CHUNK, CHUNKS = 64 << 10, 256
#: Seconds until what was lost is sent again: TCP's least (RFC 6298), as Linux has it.
RESENT_AFTER = 0.2


class Link:
    """What is passed on, and how late.

    Parameters
    ----------
    delay : float
        Seconds for the way there and back.
    rate : float, optional
        Bytes a second, in each direction of each connection.
    loss : float
        Share of chunks that are lost, and come when they are sent again.
    """

    def __init__(self, delay: float, rate: float | None = None, loss: float = 0.0) -> None:
        self.delay, self.rate, self.loss = delay, rate, loss
        self._random = random.Random(0)

    async def serve(self, port: int) -> None:
        """Take redirected connections until cancelled."""
        server = await asyncio.start_server(self._take, "0.0.0.0", port)
        async with server:
            await server.serve_forever()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = _original(writer.get_extra_info("socket"))
        await self.pass_on(reader, writer, target)

    async def pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        target: tuple[str, int],
    ) -> None:
        """Connect to a target, and pass on what comes from either side until both have ended."""
        try:
            await asyncio.sleep(self.delay)  # what shaking hands takes
            far_reader, far_writer = await _connect(target)
        except OSError:
            writer.transport.abort()
            return
        try:
            await asyncio.gather(
                self._one_way(reader, far_writer), self._one_way(far_reader, writer)
            )
        except OSError:
            pass
        finally:
            for each in (writer, far_writer):
                with contextlib.suppress(OSError, RuntimeError):
                    each.close()

    async def _one_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(CHUNKS)
        delivering = asyncio.create_task(_deliver(under_way, writer))
        now = asyncio.get_running_loop().time
        free = 0.0
        try:
            while chunk := await reader.read(CHUNK):
                free = max(free, now()) + (len(chunk) / self.rate if self.rate else 0.0)
                if self._random.random() < self.loss:
                    free += self.delay + RESENT_AFTER
                await under_way.put((free + self.delay / 2, chunk))
            await under_way.put((now() + self.delay / 2, b""))
            await delivering
        finally:
            delivering.cancel()


async def _deliver(
    under_way: "asyncio.Queue[tuple[float, bytes]]", writer: asyncio.StreamWriter
) -> None:
    now = asyncio.get_running_loop().time
    while True:
        due, chunk = await under_way.get()
        if (wait := due - now()) > 0:
            await asyncio.sleep(wait)
        if not chunk:
            writer.write_eof()
            return
        writer.write(chunk)
        await writer.drain()


async def _connect(
    target: tuple[str, int],
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    link = socket.socket()
    link.setblocking(False)
    with contextlib.suppress(PermissionError):  # not root: nothing is redirected here, either
        link.setsockopt(socket.SOL_SOCKET, OPTION_MARK, MARK)
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        await asyncio.get_running_loop().sock_connect(link, target)
    except OSError:
        link.close()
        raise
    return await asyncio.open_connection(sock=link)


def _original(link: socket.socket) -> tuple[str, int]:
    """Return where a redirected connection was to go."""
    port, address = struct.unpack("!2xH4s8x", link.getsockopt(IP_LEVEL, ORIGINAL, 16))
    return socket.inet_ntoa(address), port


def main(arguments: Sequence[str] | None = None) -> None:
    """Pass connections on until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0, help="Seconds there and back.")
    parser.add_argument("--rate", type=float, help="Bytes a second.")
    parser.add_argument("--loss", type=float, default=0.0, help="Share of chunks.")
    options = parser.parse_args(arguments)
    link = Link(options.delay, options.rate, options.loss)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(link.serve(options.port))


if __name__ == "__main__":
    main()
