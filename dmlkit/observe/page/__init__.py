"""The page ``/dmlkit`` and its JSON, on the scheduler's own HTTP server, with or without Bokeh."""

import gzip
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from tornado.web import HTTPError, RequestHandler

from dmlkit.observe import schema, seams

__all__ = ["serve"]

#: What the browser may do: nothing but what comes from this server. No inline script or style, so
#: that a name or message which got into the page as markup could do nothing either.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'"
)

TYPES = {"css": "text/css", "js": "text/javascript", "html": "text/html"}

#: Bytes of a report that are served, at most.
LARGEST_REPORT = 64 * 2**20


def serve(plugin: Any) -> None:
    """Add the page to the scheduler of a plugin, and to the navigation of Dask's dashboard."""
    story = {"plugin": plugin}
    seams.add_pages(
        plugin.scheduler,
        [
            (r"/dmlkit/?", _Page, {}),
            (r"/dmlkit/(\w+\.(?:css|js))", _File, {}),
            (r"/dmlkit/api/v1/(\w+)", _Json, story),
            (r"/dmlkit/report/([\w-]+)", _Report, story),
        ],
    )
    seams.link_page(plugin.scheduler, "dmlkit")


class _Handler(RequestHandler):
    def set_default_headers(self) -> None:
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")

    def answer(self, content: bytes, kind: str) -> None:
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        if "gzip" in self.request.headers.get("Accept-Encoding", "") and len(content) > 1024:
            self.set_header("Content-Encoding", "gzip")
            content = gzip.compress(content, compresslevel=1)
        self.finish(content)


class _Page(_Handler):
    def get(self) -> None:
        if self.request.path.endswith("/"):  # addresses in the page are relative to its parent
            self.redirect("../dmlkit")
            return
        self.set_header("Content-Security-Policy", POLICY)
        self.answer(_file("page.html"), "text/html")


class _File(_Handler):
    def get(self, name: str) -> None:
        try:
            self.answer(_file(name), TYPES[name.rpartition(".")[2]])
        except FileNotFoundError:
            raise HTTPError(404) from None


class _Json(_Handler):
    def initialize(self, plugin: Any) -> None:
        self.plugin = plugin

    def get(self, part: str) -> None:
        if part == "snapshot":
            self.answer(self.plugin.snapshot_json(), "application/json")
        elif part == "schema":
            self.answer(_json_schema(), "application/json")
        elif part in schema.Snapshot.__annotations__:
            found = json.loads(self.plugin.snapshot_json())[part]
            self.answer(json.dumps(found).encode(), "application/json")
        else:
            raise HTTPError(404)


class _Report(_Handler):
    def initialize(self, plugin: Any) -> None:
        self.plugin = plugin

    def get(self, run: str) -> None:
        out = self.plugin.story.outputs().get(run)
        path = Path(out) / "report.html" if out else None
        try:
            if path is None or path.stat().st_size > LARGEST_REPORT:
                raise HTTPError(404)
            self.answer(path.read_bytes(), "text/html")
        except OSError:
            raise HTTPError(404, reason="The scheduler has no such report on its disks") from None


@cache
def _file(name: str) -> bytes:
    return resources.files(__package__).joinpath("files", name).read_bytes()


@cache
def _json_schema() -> bytes:
    return json.dumps(TypeAdapter(schema.Snapshot).json_schema(), indent=1).encode()
