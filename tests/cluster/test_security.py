"""Who has no certificate of the cluster's authority gets nothing, and the scheduler lives on."""

import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dask
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from distributed import LocalCluster

from dmlkit import connect
from dmlkit.cluster import InsecureConnection, certificates
from dmlkit.cluster.certificates import make_certificates, security_from
from dmlkit.cluster.transport import secured
from dmlkit.errors import ClusterError, ConfigurationError, OutputError


@pytest.fixture(scope="module")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificates(tmp_path_factory.mktemp("certs")).folder


@pytest.fixture(scope="module")
def guarded(certs: Path) -> Iterator[str]:
    """The address of a scheduler that asks for certificates."""
    security = security_from(certs)
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tls",
        host="127.0.0.1",
        security=security,
        dashboard_address=None,
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(autouse=True)
def the_scheduler_lives_on(guarded: str, certs: Path) -> Iterator[None]:
    yield
    with connect(guarded, security=certs) as client:
        assert client.submit(sum, [1, 2]).result(timeout=20) == 3


def test_who_has_the_certificates_computes(guarded: str, certs: Path) -> None:
    place = guarded.removeprefix("tls://")
    with connect(place, security=str(certs)) as client:
        assert client.scheduler.address == guarded
        assert client.submit(sum, [1, 2]).result() == 3


def test_a_scheduler_of_dasks_configuration_is_connected_to_with_its_certificates(
    guarded: str, certs: Path
) -> None:
    settings = dask.config.collect_yaml([certs / "dask.yaml"])
    whole = dask.config.merge(dask.config.config, *settings, {"scheduler-address": guarded})
    with dask.config.set(whole), connect() as client:
        assert client.scheduler.address == guarded


def test_another_authoritys_certificates_are_refused(guarded: str, tmp_path: Path) -> None:
    others = make_certificates(tmp_path).folder
    assert _refused(guarded, others)


def test_expired_certificates_are_refused(guarded: str, certs: Path, tmp_path: Path) -> None:
    expired = shutil.copytree(certs, tmp_path / "expired")
    _sign_client(expired, until=datetime.now(UTC) - timedelta(minutes=1))
    assert _refused(guarded, expired)
    _sign_client(expired, until=datetime.now(UTC) + timedelta(minutes=9))
    connect(guarded, security=expired).close()  # it was the time, and nothing else


def test_without_certificates_one_is_told_what_to_do(guarded: str) -> None:
    with pytest.raises(ConfigurationError, match="dmlkit clusters certs"):
        connect(guarded)


def test_plain_tcp_is_refused(guarded: str) -> None:
    began = time.monotonic()
    with pytest.raises(ClusterError, match="begins with tls://"):
        connect(guarded.replace("tls://", "tcp://"), timeout=3)
    assert time.monotonic() - began < 30


def test_tls_without_a_certificate_gets_no_byte(guarded: str, certs: Path) -> None:
    context = ssl.create_default_context(cafile=certs / "ca.pem")
    context.check_hostname = False
    received = b""
    with suppress(ssl.SSLError, OSError), context.wrap_socket(_socket_to(guarded)) as encrypted:
        encrypted.sendall(b"\0" * 64)
        received = encrypted.recv(1)
    assert received == b""


def test_nonsense_gets_no_byte_and_silence_holds_nobody_up(guarded: str, certs: Path) -> None:
    with _socket_to(guarded) as silent, _socket_to(guarded) as noisy:
        noisy.sendall(b"GET / HTTP/1.1\r\n\r\n" * 100)
        assert _all_bytes(noisy)[5:] in (b"", b"\x02\x46")  # a TLS alert at most
        with connect(guarded, security=certs, timeout=10) as client:
            assert client.submit(sum, [1, 2]).result(timeout=10) == 3
        silent.close()


@pytest.mark.parametrize("address", ["tcp://10.1.2.3:8786", "10.1.2.3:8786", "tcp://node-7:8786"])
def test_plain_tcp_beyond_this_machine_must_be_allowed_and_is_warned_of(address: str) -> None:
    with pytest.raises(ConfigurationError, match="run code on the cluster"):
        secured(address, None, insecure=False)
    with pytest.warns(InsecureConnection, match="plain TCP"):
        secured(address, None, insecure=True)
    with dask.config.set({"dmlkit.insecure": True}), pytest.warns(InsecureConnection):
        secured(address, None, insecure=False)


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://localhost:1", "inproc://x/1/1"]
)
def test_this_machine_may_be_spoken_to_plainly(address: str) -> None:
    assert secured(address, None, insecure=False) == (address, None)


def test_certificates_that_are_good_are_kept_and_others_are_made_anew(tmp_path: Path) -> None:
    assert make_certificates(tmp_path, days=40).made
    assert not make_certificates(tmp_path, days=40).made
    (tmp_path / "worker.pem").write_text("damaged")
    assert make_certificates(tmp_path, days=20).made
    assert make_certificates(tmp_path).made  # 20 days are too few to be kept
    assert make_certificates(tmp_path, renew=True).made


def test_keys_are_their_owners_alone(certs: Path) -> None:
    files = [file for file in certs.rglob("*") if file.is_file()]
    assert {file.stat().st_mode & 0o077 for file in files} == {0}
    assert "authority/ca-key.pem" in {str(file.relative_to(certs)) for file in files}


def test_folders_that_cannot_be_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        make_certificates(tmp_path / "file" / "certs")
    with pytest.raises(ConfigurationError, match="no certificates in"):
        security_from(tmp_path)


def _refused(address: str, folder: Path) -> bool:
    began = time.monotonic()
    with pytest.raises(ClusterError, match="expired"):
        connect(address, security=folder, timeout=3)
    return time.monotonic() - began < 30


def _sign_client(folder: Path, until: datetime) -> None:
    """Give a folder a client's certificate of its own authority, good until then."""
    key = serialization.load_pem_private_key(
        (folder / "authority/ca-key.pem").read_bytes(), password=None
    )
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    client_key, client = certificates._certificate("client", until, key, authority)
    (folder / "client-key.pem").write_bytes(certificates._pem_of_key(client_key))
    (folder / "client.pem").write_bytes(certificates._pem(client))


def _socket_to(address: str) -> socket.socket:
    host, _, port = address.removeprefix("tls://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def _all_bytes(connection: socket.socket) -> bytes:
    received = b""
    try:
        while chunk := connection.recv(1024):
            received += chunk
    except ConnectionError:
        pass
    return received
