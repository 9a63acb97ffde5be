"""What docker-compose.yml promises of each service, read from the file: no engine is needed."""

import re
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
FILE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = FILE["services"]
#: They do one thing and end; no health to ask for.
TASKS = {"certificates", "job"}

each_service = pytest.mark.parametrize("name", SERVICES)


@each_service
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "mem_limit" in service


@each_service
def test_a_service_is_asked_for_its_health_and_started_again_unless_it_is_a_task(name: str) -> None:
    service = SERVICES[name]
    if name in TASKS:
        assert service["restart"] == "no"
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


@each_service
def test_ports_are_open_to_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@each_service
def test_only_the_service_that_makes_certificates_sees_the_authority(name: str) -> None:
    sees = any(volume.startswith("authority") for volume in SERVICES[name].get("volumes", []))
    assert sees == (name == "certificates")


def test_no_secret_is_in_the_file() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert not re.search(r"(?i)(password|token|secret|_key)\s*[:=]\s*['\"]?\w", text)


def test_volumes_that_are_used_are_declared() -> None:
    used = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if volume[0] not in "./$"
    }
    assert used | {"shared"} == set(FILE["volumes"])


def test_the_image_runs_as_a_user_and_what_it_copies_is_sent_to_the_engine() -> None:
    lines = (ROOT / "deploy/Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER 1000:1000"]
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = [
        line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line
    ]
    assert {source.rstrip("/") for sources in copied for source in sources} == sent


def test_nobody_changes_grafana_with_the_password_that_it_is_shipped_with() -> None:
    settings = SERVICES["grafana"]["environment"]
    assert settings["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert settings["GF_AUTH_BASIC_ENABLED"] == "false"
