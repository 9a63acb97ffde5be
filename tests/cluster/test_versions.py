"""Versions of client, scheduler and workers are compared before a job begins."""

import pytest
from distributed import Client

from dmlkit.cluster import versions
from dmlkit.cluster.versions import check_versions, versions_here
from dmlkit.errors import ClusterError


def pretend(monkeypatch: pytest.MonkeyPatch, **changed: str) -> None:
    monkeypatch.setattr(
        versions, "_versions_there", lambda _: {"worker a": versions_here() | changed}
    )


def test_the_same_versions_pass(client: Client) -> None:
    check_versions(client)
    assert len(versions._versions_there(client)) == 3


@pytest.mark.parametrize("changed", [{"xgboost": "3.2.99"}, {"python": "3.11.99"}])
def test_what_does_not_matter_is_let_pass(
    client: Client, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str]
) -> None:
    monkeypatch.setattr(versions, "versions_here", lambda: {"python": "3.11.2", "xgboost": "3.2.0"})
    there = {"python": "3.11.2", "xgboost": "3.2.0"} | changed
    monkeypatch.setattr(versions, "_versions_there", lambda _: {"worker a": there})
    check_versions(client)


def test_another_version_is_named_with_the_fix(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, distributed="2020.1.0", xgboost="none")
    with pytest.raises(ClusterError, match=r"distributed: .* here, 2020.1.0 on worker a") as raised:
        check_versions(client)
    assert f"pip install distributed=={versions_here()['distributed']}" in str(raised.value)
    assert "xgboost: " in str(raised.value)
