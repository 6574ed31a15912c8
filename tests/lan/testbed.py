"""
A LAN in a box: machines on bridges, with routers, shaping, loss and cables to pull.

    def test_something(lan):
        a, b = lan.machines(2)                     # two machines, dual stack, on the first bridge
        node = a.node()                            # a running `tribler-multicast node`, ready

Each machine is a network namespace; all bridges are in one more, so that nothing of the host's network is touched.
Addresses: the machine with the number h has on the n-th bridge 192.168.n.h, fd00:n::h and the link-local address
that follows from its Ethernet address 02:00:00:00:n:h. No duplicate address detection, and an interface that is up has
its carrier: addresses and multicast are usable at once.
"""

from __future__ import annotations

import contextlib
import enum
import itertools
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .namespaces import COMMAND_TIMEOUT, Namespace, TestbedError, drop_rule
from .node import Node
from .packets import Packet, Sniffer, inject
from .processes import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder."""


class Families(enum.Enum):
    """
    Which addresses an interface gets.
    """

    DUAL = "IPv4, IPv6 with a unique local and a link-local address"
    IPV4 = "IPv4 only, IPv6 switched off"
    LINK_LOCAL = "IPv6 only, with nothing but the link-local address"


@dataclass
class Bridge:
    """
    An Ethernet segment.
    """

    number: int
    name: str
    hosts: itertools.count[int]

    @property
    def ipv4_network(self) -> str:
        """
        The IPv4 network on this segment.
        """
        return f"192.168.{self.number}.0/24"


@dataclass
class Interface:
    """
    One end of a cable; the other is a port of a bridge.
    """

    name: str
    bridge: Bridge
    host: int
    port: str
    mac: str
    ipv4: str | None
    ipv6: str | None
    """The unique local address."""
    link_local: str | None
    """Without scope."""
    connected: bool = True
    """Whether the cable is in."""

    @property
    def hardware_address(self) -> bytes:
        """
        The Ethernet address as 6 bytes.
        """
        return bytes.fromhex(self.mac.replace(":", ""))


class Machine:
    """
    A computer: a network namespace, its interfaces and processes.
    """

    def __init__(self, lan: Lan, name: str) -> None:
        """
        Switch it on, with lo and no cable.
        """
        self.lan = lan
        self.name = name
        self.namespace = Namespace(name)
        self.interfaces: dict[str, Interface] = {}
        self.nodes: list[Node] = []
        self._processes: list[Process] = []
        self._sniffers: list[Sniffer] = []
        self.namespace.sysctl(ipv6__conf__default__accept_dad=0, ipv6__conf__all__accept_dad=0,
                              ipv6__conf__default__accept_ra=0, ipv6__conf__default__router_solicitations=0)

    def __str__(self) -> str:
        """
        Return the name.
        """
        return self.name

    # Cables and addresses

    def plug(self, bridge: Bridge | None = None, families: Families = Families.DUAL, name: str | None = None,
             host: int | None = None) -> Interface:
        """
        Add an interface, up and with addresses, on a bridge (default: the first).

        :param name: its name; default eth0, eth1, ...
        :param host: the last byte of its addresses; default: the next one free on that bridge.
        """
        bridge = bridge or self.lan.bridges[0]
        name = name or next(free for i in itertools.count() if (free := f"eth{i}") not in self.interfaces)
        host = host or next(bridge.hosts)
        n, ipv4, ipv6 = bridge.number, families is not Families.LINK_LOCAL, families is not Families.IPV4
        interface = Interface(name, bridge, host, self.lan.next_port(), f"02:00:00:00:{n:02x}:{host:02x}",
                              f"192.168.{n}.{host}" if ipv4 else None,
                              f"fd00:{n}::{host:x}" if families is Families.DUAL else None,
                              f"fe80::ff:fe00:{n * 256 + host:x}" if ipv6 else None)
        self.lan.switch.ip(
            f"link add {interface.port} type veth peer name {name} address {interface.mac} netns {self.namespace.pid}",
            f"link set {interface.port} master {bridge.name} up")
        self.interfaces[name] = interface
        self.namespace.sysctl(**{f"ipv6__conf__{name}__disable_ipv6": int(not ipv6)})
        self._address("add", interface)
        self.link(name, up=True)
        return interface

    def unplug(self, name: str = "eth0") -> None:
        """
        Remove an interface, as a USB adapter that is pulled out: it is gone with all its addresses.
        """
        self.namespace.ip(f"link delete {name}")
        del self.interfaces[name]

    def link(self, name: str = "eth0", *, up: bool) -> None:
        """
        Switch an interface up or down. Down takes IPv6 addresses away; up brings them back here.
        """
        if not up:
            self.namespace.ip(f"link set {name} down")
            return
        interface = self.interfaces[name]
        self.namespace.ip(f"link set {name} up",
                          *([f"address replace {interface.ipv6}/64 dev {name}"] if interface.ipv6 else []))
        if interface.connected:
            # The kernel looks at carriers in a worker of its own; before, nothing is forwarded, and IPv6 has no routes.
            self.lan.switch.await_link(interface.port)
            self.namespace.await_link(name, interface.link_local)

    def cable(self, name: str = "eth0", *, connected: bool) -> None:
        """
        Pull the cable or put it back: the interface stays up without a carrier, its addresses stay too.
        """
        self.lan.switch.ip(f"link set {self.interfaces[name].port} {'up' if connected else 'down'}")
        self.interfaces[name].connected = connected

    def renumber(self, host: int, name: str = "eth0") -> Interface:
        """
        Give an interface other IPv4 and unique local addresses in the same networks; the old ones are gone.
        """
        interface = self.interfaces[name]
        self._address("delete", interface)
        interface.host = host
        if interface.ipv4:
            interface.ipv4 = f"192.168.{interface.bridge.number}.{host}"
        if interface.ipv6:
            interface.ipv6 = f"fd00:{interface.bridge.number}::{host:x}"
        self._address("add", interface)
        return interface

    def _address(self, verb: str, interface: Interface) -> None:
        self.namespace.ip(
            *([f"address {verb} {interface.ipv4}/24 brd + dev {interface.name}"] if interface.ipv4 else []),
            *([f"address {verb} {interface.ipv6}/64 dev {interface.name}"] if interface.ipv6 else []))

    # Bad lines

    def shape(self, mbit: float | None, name: str = "eth0") -> None:
        """
        Limit the cable to so many Mbit/s in each direction, with a queue of 50 ms; None: no limit any more.
        """
        burst = max(8192, int((mbit or 0) * 1e6 / 8 / 100))
        for namespace, device in ((self.namespace, name), (self.lan.switch, self.interfaces[name].port)):
            with contextlib.suppress(TestbedError):
                namespace.run(["tc", "qdisc", "delete", "dev", device, "root"])
            if mbit is not None:
                namespace.run(["tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{int(mbit * 1e6)}bit",
                               "burst", str(burst), "latency", "50ms"])

    def lose(self, percent: float, name: str = "eth0") -> None:
        """
        Lose so many percent of the frames that arrive (fixture `loss` says whether that can be done here).
        """
        with contextlib.suppress(TestbedError):
            self.namespace.run(["nft", "delete", "table", "netdev", f"loss_{name}"])
        if percent:
            self.namespace.run(["nft", "-f", "-"], stdin=drop_rule(name, round(percent * 10)))

    # Programs

    def popen(self, command: Sequence[str], stdout: int | None = None) -> Process:
        """
        Start a command; it is ended with the testbed. Its working directory is /, its output lines are text.
        """
        process = Process(self.namespace.command(command), stdout)
        self._processes.append(process)
        return process

    def run(self, command: Sequence[str], stdin: str = "", timeout: float = COMMAND_TIMEOUT) -> str:
        """
        Run a command to its end; return what it printed.

        :raises TestbedError: when it fails or takes longer.
        """
        return self.namespace.run(command, stdin, timeout)

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_DGRAM) -> socket.socket:
        """
        Return a socket of this machine, for use in the test.
        """
        return self.namespace.call(socket.socket, family, kind)

    def node(self, name: str | None = None, *, wait: bool = True, arguments: Iterable[str] = (),
             state: Path | None = None, program: Iterable[str] = ("-m", "tribler_multicast"),
             **settings: object) -> Node:
        """
        Start a tribler-multicast node.

        :param name: for messages and its state folder; default: the machine's name and a number.
        :param wait: return when it has said that it is ready (else call `node.ready()`).
        :param arguments: more arguments of `tribler-multicast node`.
        :param state: the state folder of an earlier node, to be the same peer again.
        :param program: what Python is to run instead of this program.
        :param settings: as introduction_interval=1; given on the command line.
        """
        name = name or f"{self.name}-{len(self.nodes)}"
        node = Node(self, name, state or self.lan.folder / name, list(arguments), settings, program)
        self.nodes.append(node)
        return node.ready() if wait else node

    # Packets

    def sniff(self, name: str = "eth0") -> Sniffer:
        """
        Start to capture UDP datagrams on an interface.
        """
        sniffer = Sniffer(self.namespace, name)
        self._sniffers.append(sniffer)
        return sniffer

    def inject(self, frames: Iterable[bytes], name: str = "eth0") -> int:
        """
        Send whole Ethernet frames; return how many.
        """
        return inject(self.namespace, name, frames)

    def flood(self, seconds: float, *arguments: str, name: str = "eth0", rate: float = 20_000) -> Process:
        """
        Start a flood (see flood.py for arguments: at least --destination and --port), already sending on return.

        `wait_json()` of the result is what it sent: {"sent", "seconds", "rate"}.
        """
        flood = self.popen([sys.executable, str(ROOT / "tests" / "lan" / "flood.py"), "--interface", name,
                            "--sources", self.interfaces[name].bridge.ipv4_network, "--rate", str(rate),
                            "--seconds", str(seconds), *arguments], stdout=subprocess.PIPE)
        if flood.line() != "started":
            raise TestbedError("the flood did not start")
        return flood

    def close(self) -> None:
        """
        Switch it off: every process in it is ended, by its id.
        """
        with contextlib.ExitStack() as stack:
            stack.callback(self.namespace.close)
            for node in self.nodes:
                stack.callback(node.close)
            for process in self._processes:
                stack.callback(process.end)
            for sniffer in self._sniffers:
                stack.callback(sniffer.stop)


class Lan:
    """
    The whole: bridges and machines. Use the fixture `lan`; `close` takes everything apart.
    """

    def __init__(self, folder: Path, bridges: int = 1) -> None:
        """
        Make the bridges. Nodes keep their state under the folder.
        """
        self.folder = folder
        self.switch = Namespace("switch")
        self.bridges: list[Bridge] = []
        self.all: list[Machine] = []
        self._ports = itertools.count()
        self._between: list[Process] = []
        self.switch.sysctl(ipv6__conf__default__disable_ipv6=1)
        for _ in range(bridges):
            self.bridge()

    def next_port(self) -> str:
        """
        Return a name for one more port.
        """
        return f"port{next(self._ports)}"

    def bridge(self) -> Bridge:
        """
        Add a bridge: a LAN of its own until a router joins it to another. It forwards multicast to all ports.
        """
        bridge = Bridge(len(self.bridges) + 1, f"bridge{len(self.bridges) + 1}", itertools.count(1))
        self.switch.ip(f"link add {bridge.name} type bridge mcast_snooping 0 forward_delay 0",
                       f"link set {bridge.name} up")
        self.bridges.append(bridge)
        return bridge

    def machine(self, families: Families | None = Families.DUAL, bridge: Bridge | None = None) -> Machine:
        """
        Add a machine with one interface eth0 (families None: with no interface yet).
        """
        machine = Machine(self, f"machine{len(self.all) + 1}")
        self.all.append(machine)
        if families is not None:
            machine.plug(bridge, families)
        return machine

    def machines(self, count: int, families: Families = Families.DUAL, bridge: Bridge | None = None) -> list[Machine]:
        """
        Add so many machines with one interface each.
        """
        return [self.machine(families, bridge) for _ in range(count)]

    def router(self, *bridges: Bridge) -> Machine:
        """
        Add a machine on all these bridges that forwards between them, with host number 254 on each.

        Machines use it after `lan.route(machine, router)`. Multicast and link-local addresses it does not forward.
        """
        router = self.machine(None)
        router.namespace.sysctl(ipv4__ip_forward=1, ipv6__conf__all__forwarding=1)
        for bridge in bridges:
            router.plug(bridge, host=254)
        return router

    def route(self, machine: Machine, name: str = "eth0") -> None:
        """
        Make the router on the bridge of this interface the machine's default gateway.
        """
        interface = machine.interfaces[name]
        n = interface.bridge.number
        machine.namespace.ip(*([f"route replace 0.0.0.0/0 via 192.168.{n}.254"] if interface.ipv4 else []),
                             *([f"route replace ::/0 via fd00:{n}::fe"] if interface.ipv6 else []))

    def air(self, command: Sequence[str]) -> Process:
        """
        Start what is between ports and bridges; it is ended with the testbed.
        """
        process = Process(self.switch.command(command), subprocess.PIPE)
        self._between.append(process)
        return process

    def close(self) -> None:
        """
        End all processes and let all namespaces go, whatever fails on the way.
        """
        with contextlib.ExitStack() as stack:
            stack.callback(self.switch.close)
            for process in self._between:
                stack.callback(process.end)
            for machine in self.all:
                stack.callback(machine.close)


def udp_to(port: int) -> Callable[[Packet], bool]:
    """
    Return a filter for `Sniffer.select`: packets that came in for a port.
    """
    return lambda packet: packet.destination_port == port and not packet.sent
