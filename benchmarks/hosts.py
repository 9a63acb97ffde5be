"""Hosts with addresses of their own on one machine: network namespaces on a bridge.

Their links can be cut and healed, two of them can be parted, and what they send each other can be
made slow (`benchmarks.slow_link`). Needs root and iproute2; slow links need iptables, too.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

__all__ = ["Hosts", "HostsError", "made_hosts"]

NETWORK = "10.210.0"
BRIDGE = "dmlkit-net"
#: Where the proxy of a host listens.
PORT = 9999
#: A container engine lets nothing through between hosts that it does not know.
LET_THROUGH = f"FORWARD -i {BRIDGE} -o {BRIDGE} -j ACCEPT"


#: An address of a network card that nobody has.
NOBODY = "02:00:00:00:00:99"


class HostsError(RuntimeError):
    """No hosts can be made here, and why."""


@dataclass(frozen=True)
class Hosts:
    """Hosts that were made, from 0; this one is on their network, too."""

    count: int
    here: str = f"{NETWORK}.1"

    def address(self, host: int) -> str:
        """Return the address of a host."""
        return f"{NETWORK}.{10 + host}"

    def at(self, address: str) -> int:
        """Return the host of an address, such as ``tcp://10.210.0.12:8786``."""
        return int(address.rpartition("/")[2].partition(":")[0].rpartition(".")[2]) - 10

    def command(self, host: int, *command: str) -> list[str]:
        """Return what runs a command on a host."""
        return ["ip", "netns", "exec", _space(host), *command]

    @contextmanager
    def running(self, host: int, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a command on a host, and end it at the end."""
        process = subprocess.Popen(
            self.command(host, *command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def cut(self, host: int) -> None:
        """Cut a host off from all others, without telling anybody."""
        _run(f"ip link set {_link(host)} down")

    def heal(self, host: int) -> None:
        """Undo `cut`."""
        _run(f"ip link set {_link(host)} up")

    @contextmanager
    def parting(self) -> Iterator[Callable[[int, int], None]]:
        """Give what parts two hosts: what they send each other goes nowhere until the end."""
        with ExitStack() as undoing:

            def part(host: int, other: int) -> None:
                for near, far in ((host, other), (other, host)):
                    entry, on_host = f"{self.address(far)} dev eth0", f"ip -n {_space(near)} neigh"
                    _run(f"{on_host} replace {entry} lladdr {NOBODY} nud permanent")
                    undoing.callback(_run, f"{on_host} del {entry}")

            yield part

    @contextmanager
    def slowed(self, *options: str) -> Iterator[None]:
        """Let all that hosts send each other go through proxies with options of `slow_link`.

        Raises
        ------
        HostsError
            There is no iptables.
        """
        if shutil.which("iptables") is None:
            raise HostsError("slow links need iptables")
        proxy = [sys.executable, "-m", "benchmarks.slow_link", "--port", str(PORT), *options]
        rule = (
            f"OUTPUT -t nat -p tcp -d {NETWORK}.0/24 ! -o lo -m mark ! --mark 1 "
            f"-j REDIRECT --to-ports {PORT}"
        )
        with ExitStack() as undoing:
            for host in range(self.count):
                undoing.enter_context(self.running(host, *proxy))
                on_host = f"ip netns exec {_space(host)} iptables -w"
                undoing.enter_context(_undone(f"{on_host} -A {rule}", f"{on_host} -D {rule}"))
            yield


@contextmanager
def made_hosts(count: int) -> Iterator[Hosts]:
    """Make hosts, and undo it at the end.

    Raises
    ------
    HostsError
        It can't be done here.
    """
    if os.geteuid() != 0 or shutil.which("ip") is None:
        raise HostsError("making hosts with addresses of their own needs root and iproute2")
    with ExitStack() as undoing:
        try:
            _make(count, undoing)
        except subprocess.CalledProcessError as error:
            raise HostsError(f"no hosts can be made here: {error.stderr.strip()}") from None
        yield Hosts(count)


def _make(count: int, undoing: ExitStack) -> None:
    undoing.enter_context(_undone(f"ip link add {BRIDGE} type bridge", f"ip link del {BRIDGE}"))
    if shutil.which("iptables"):
        let, no_more = f"iptables -w -I {LET_THROUGH}", f"iptables -w -D {LET_THROUGH}"
        undoing.enter_context(_undone(let, no_more))
    _run(f"ip addr add {Hosts.here}/24 dev {BRIDGE}")
    _run(f"ip link set {BRIDGE} up")
    for host in range(count):
        space, link = _space(host), _link(host)
        undoing.enter_context(_undone(f"ip netns add {space}", f"ip netns del {space}"))
        # By itself it would stay as long as sockets of the host linger.
        add = f"ip link add {link} type veth peer name eth0 netns {space}"
        undoing.enter_context(_undone(add, f"ip link del {link}"))
        _run(f"ip link set {link} master {BRIDGE} up")
        _run(f"ip -n {space} addr add {NETWORK}.{10 + host}/24 dev eth0")
        _run(f"ip -n {space} link set eth0 up")
        _run(f"ip -n {space} link set lo up")


def _space(host: int) -> str:
    return f"{BRIDGE}-host-{host}"


def _link(host: int) -> str:
    return f"{BRIDGE}-{host}"


@contextmanager
def _undone(doing: str, undoing: str) -> Iterator[None]:
    _run(doing)
    try:
        yield
    finally:
        _run(undoing)


def _run(command: str | Sequence[str]) -> None:
    words = command.split() if isinstance(command, str) else command
    subprocess.run(words, check=True, capture_output=True, text=True)
