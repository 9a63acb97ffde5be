"""Where the story leans on what Dask does not promise: a test for each, which says what moved."""

import asyncio
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from bokeh.client import pull_session
from distributed import Client, LocalCluster, Scheduler
from pydantic import TypeAdapter

from dmlkit.observe import install, sampling, schema
from dmlkit.observe.pane import PANE
from dmlkit.observe.plugin import NAME, StoryPlugin
from dmlkit.observe.seams import LOOKS, look_often_for_silent
from tests.jobs import dmlkit
from tests.observe.test_losses_of_workers import until

FILES = ("page.css", "page.js", "build.js", "draw.js", "now.js", "past.js", "words.js")


def get(address: str) -> tuple[str, dict[str, str]]:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return answer.read().decode(), dict(answer.headers)


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    """A scheduler with a dashboard under a prefix, where nothing has run."""
    options = {"http_prefix": "/proxied"}
    with (
        LocalCluster(n_workers=0, dashboard_address=":0", scheduler_kwargs=options) as cluster,
        Client(cluster) as client,
    ):
        install(client)
        install(client)  # by another client, say
        port = cluster.scheduler.http_server.port
        yield f"http://localhost:{port}/proxied"


def test_the_page_is_beside_dasks_own_and_asks_for_nothing_from_elsewhere(dashboard: str) -> None:
    page, headers = get(f"{dashboard}/dmlkit")
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "http" not in page.replace("http-equiv", "")
    for name in FILES:
        content = get(f"{dashboard}/dmlkit/{name}")[0].replace("http://www.w3.org/2000/svg", "")
        assert "://" not in content
        assert not re.search(r"(inner|outer|Adjacent)HTML|document\.write|eval\(", content)


def test_silent_workers_are_looked_for_several_times_in_the_time_they_are_given() -> None:
    async def look() -> None:
        async with Scheduler(dashboard_address=":0", port=0) as scheduler:
            looking = scheduler.periodic_callbacks["worker-ttl"]
            by_itself = looking.callback_time
            assert look_often_for_silent(scheduler)
            assert looking.callback_time == by_itself / LOOKS
            assert looking.is_running()
            del scheduler.periodic_callbacks["worker-ttl"]
            assert not look_often_for_silent(scheduler)

    asyncio.run(look())


def test_dasks_navigation_links_to_it(dashboard: str) -> None:
    assert 'href="dmlkit"' in get(f"{dashboard}/status")[0].replace("'", '"')


def test_jupyterlabs_dask_extension_finds_a_pane_that_tells_the_story(dashboard: str) -> None:
    plots = json.loads(get(f"{dashboard}/individual-plots.json")[0])
    assert plots["Individual Dmlkit"] == PANE
    assert "Individual Progress" in plots  # and Dask's own are there still
    session = pull_session(url=dashboard + PANE)
    (shown,) = session.document.roots
    assert "No workflow has run yet" in shown.text
    session.force_roundtrip()


def test_the_json_is_as_its_schema_says(dashboard: str) -> None:
    told, headers = get(f"{dashboard}/dmlkit/api/v1/snapshot")
    assert headers["Content-Type"].startswith("application/json")
    TypeAdapter(schema.Snapshot).validate_json(told)
    assert json.loads(get(f"{dashboard}/dmlkit/api/v1/workers")[0]) == []
    described = json.loads(get(f"{dashboard}/dmlkit/api/v1/schema")[0])
    assert set(described["properties"]) == set(schema.Snapshot.__annotations__)


@pytest.mark.parametrize(
    "path", ["api/v1/nothing", "report/none", "page.py", "..%2f__init__.py", "report/..%2f..%2fetc"]
)
def test_what_is_not_there_is_not_found(dashboard: str, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as found:
        get(f"{dashboard}/dmlkit/{path}")
    assert found.value.code == 404


def test_the_command_watches_by_the_dashboards_address(dashboard: str) -> None:
    shown = dmlkit("watch", f"{dashboard}/status", "--once")
    assert (shown.code, shown.stdout) == (0, "No workflow has run yet.\n")
    assert json.loads(dmlkit("watch", dashboard, "--json").stdout)["schema"] == 1


def test_the_command_says_where_nobody_answers() -> None:
    shown = dmlkit("watch", "http://localhost:1")
    assert shown.code == 1
    assert "No dashboard answers at http://localhost:1" in shown.stderr


def test_a_scheduler_keeps_the_story_from_its_start_without_bokeh(tmp_path: Path) -> None:
    file = tmp_path / "scheduler.json"
    options = ["--preload", "dmlkit.observe", "--no-dashboard", "--port", "0"]
    options += ["--dashboard-address", ":0", "--scheduler-file", str(file), "--no-show"]
    command = [sys.executable, "-m", "dask", "scheduler", *options]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            assert until(file.exists)
            address = until(lambda: file.read_text() and json.loads(file.read_text())["address"])
            port = json.loads(file.read_text())["services"]["dashboard"]
            told = json.loads(get(f"http://localhost:{port}/dmlkit/api/v1/cluster")[0])
            assert told["address"] == address
            assert "dmlkit/page.js" in get(f"http://localhost:{port}/dmlkit")[0]
        finally:
            process.terminate()


def test_a_look_that_fails_is_told_once_with_its_cause(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def look() -> None:
        async with Scheduler(dashboard_address=":0", port=0) as scheduler:
            await scheduler.register_scheduler_plugin(plugin=StoryPlugin(), idempotent=True)
            plugin = scheduler.plugins[NAME]
            for _ in range(3):
                plugin._look()

    monkeypatch.setattr(sampling, "look_at_workers", lambda *_: {}["no such worker"])
    asyncio.run(look())
    (told,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "KeyError" in told.getMessage()
    assert told.exc_info is not None
