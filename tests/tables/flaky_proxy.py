"""An HTTP proxy before a store that is slow, throttles, or breaks connections off.

In a process of its own: Delta Lake's calls hold this process up until they are answered.
"""

import http.client
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Slow down</Message></Error>"
DROPPED = ("transfer-encoding", "connection", "server", "date", "content-length")


@contextmanager
def flaky_proxy(
    store: str, *, every: int = 0, refused: str = "$^", slow: float = 0.0, broken: int = 0
) -> Iterator[str]:
    """Serve in front of a store; give the address.

    Each `every`-th request is throttled, and all whose method and path match `refused`. Answers
    take `slow` seconds more, and each `broken`-th is broken off before it.
    """
    command = [sys.executable, str(Path(__file__)), store.removeprefix("http://"), str(every)]
    command += [refused, str(slow), str(broken)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        try:
            yield f"http://127.0.0.1:{proxy.stdout.readline().strip()}"
        finally:
            proxy.kill()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store, every, refused = "", 0, re.compile("$^")
    slow, broken = 0.0, 0
    lock, number = threading.Lock(), 0

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with Handler.lock:
            Handler.number += 1
            throttled = bool(self.every) and Handler.number % self.every == 0
            breaks = bool(self.broken) and Handler.number % self.broken == 0
        time.sleep(self.slow)
        if breaks:
            self.close_connection = True
            return
        if throttled or self.refused.search(f"{self.command} {self.path}"):
            self.send(503, {"Content-Type": "application/xml"}, SLOW_DOWN)
            return
        upstream = http.client.HTTPConnection(self.store)
        upstream.request(self.command, self.path, body, dict(self.headers))
        found = upstream.getresponse()
        self.send(found.status, dict(found.getheaders()), found.read())

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = answer  # noqa: N815

    def send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        head = self.command == "HEAD"
        length = headers.get("Content-Length", "0") if head else str(len(content))
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in DROPPED:
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if not head:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    Handler.store, Handler.every = sys.argv[1], int(sys.argv[2])
    Handler.refused = re.compile(sys.argv[3])
    Handler.slow, Handler.broken = float(sys.argv[4]), int(sys.argv[5])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)  # noqa: T201
    server.serve_forever()
