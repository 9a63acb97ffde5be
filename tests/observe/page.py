"""The page in a real browser: what it shows, its errors, and what axe-core finds, as data."""

import itertools
import json
import re
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

from tests.browser.test_report import CHROMIUM, FLAGS

__all__ = ["CHROMIUM", "served_with_probe", "visit"]

#: Runs in the page: hears of errors, waits until it has drawn itself, lets axe-core look at it.
PROBE = """
const seen = {errors: [], fetched: []};
addEventListener("error", event => seen.errors.push(event.message));
addEventListener("unhandledrejection", event => seen.errors.push(String(event.reason)));
const told = console.error;
console.error = (...texts) => { seen.errors.push(texts.join(" ")); told(...texts); };
const drawn = () => document.querySelector("#main section");
(async () => {
  while (!drawn()) await new Promise(done => setTimeout(done, 100));
  await new Promise(done => setTimeout(done, WAIT));
  const found = await axe.run(document, {resultTypes: ["violations"]});
  seen.faults = found.violations.map(one => ({
    id: one.id, impact: one.impact, help: one.help,
    where: one.nodes.map(node => node.target.join(" ") + ": " + node.failureSummary),
  }));
  seen.text = document.body.innerText;
  seen.width = innerWidth;
  const right = document.documentElement.clientWidth + 0.5;
  seen.tooWide = [...document.querySelectorAll("main *, header *")].filter(
    one => !one.closest(".strip, .unseen, .ticks") && one.getBoundingClientRect().right > right,
  ).map(one => one.outerHTML.slice(0, 80));
  seen.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  seen.focusable = [...document.querySelectorAll("a[href], summary, button, [tabindex='0']")]
    .map(one => one.innerText.trim());
  parent.postMessage(JSON.stringify(seen), "*");
})();
"""

#: A frame can be as narrow as a telephone; windows without a screen have 500 pixels at least.
FRAME = """<body style="margin: 0"><iframe src="/dmlkit" width="{width}" height="{height}"
style="border: 0"></iframe>
<script>onmessage = event => document.body.dataset.seen = event.data;</script>"""


@contextmanager
def served_with_probe(dashboard: str, answers: int | None = None) -> Iterator[str]:
    """Serve a dashboard's page with the probe in it, which the page's own policy would refuse.

    Where `answers` is given, the story is told so often, and then nobody answers any more.
    """
    told = itertools.count()
    wait = "1500" if answers is None else "8000"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            gone = answers is not None and "api" in path and next(told) >= answers
            kind, content = self._content(path)
            self.send_response(502 if gone else 200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(content)

        def _content(self, path: str) -> tuple[str, bytes]:
            if path.startswith("/frame/"):
                width, height = path.split("/")[2:4]
                return "text/html", FRAME.format(width=width, height=height).encode()
            if path == "/axe.js":
                return "text/javascript", _axe()
            if path == "/probe.js":
                return "text/javascript", PROBE.replace("WAIT", wait).encode()
            with urllib.request.urlopen(dashboard + path, timeout=10) as answer:
                content = answer.read()
                kind = answer.headers["Content-Type"]
            if path == "/dmlkit":
                scripts = b'<script src="/axe.js"></script><script src="/probe.js"></script>'
                content = content.replace(b"<title>", scripts + b"<title>", 1)
            return kind, content

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("localhost", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()


def visit(
    served: str, folder: Path, width: int, height: int = 900, *, dark: bool = False
) -> dict[str, Any]:
    """Open the page in a frame of this size, and return what the probe saw."""
    command = [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'profile'}"]
    command += ["--virtual-time-budget=15000", f"--window-size={max(width, 500)},{height}"]
    command += [f"--blink-settings=preferredColorScheme={0 if dark else 1}"]
    command += ["--dump-dom", f"{served}/frame/{width}/{height}"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'data-seen="([^"]*)"', run.stdout)
    assert found, "the page did not draw itself"
    seen: dict[str, Any] = json.loads(unescape(found[1]))
    shutil.rmtree(folder / "profile", ignore_errors=True)
    return seen


def _axe() -> bytes:
    return resources.files("axe_core_python").joinpath("axe.min.js").read_bytes()
