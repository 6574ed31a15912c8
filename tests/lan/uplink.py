"""
A home with its gateway, one shaped uplink with a deep queue, and an internet of two routers and a server.

    machines - gateway - (uplink) - provider - backbone - server
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .testbed import Families

if TYPE_CHECKING:
    from .testbed import Lan, Machine

GATEWAY = "192.168.1.254"
PROVIDER = "192.168.2.1"
BACKBONE = "192.168.3.1"
SERVER = "203.0.113.9"
"""In no range of a LAN: peers there are on the internet."""


class Home:
    """
    The whole. Rates in Mbit/s, the queue in seconds.
    """

    def __init__(self, lan: Lan, count: int, *, up: float = 5, down: float = 20, queue: float = 1.0) -> None:
        """
        Set it up; the machines are on the LAN's first bridge.
        """
        home, uplink, trunk, far = lan.bridges[0], lan.bridge(), lan.bridge(), lan.bridge()
        self.lan = lan
        self.machines = [lan.machine(Families.IPV4) for _ in range(count)]
        self.gateway, self.provider, self.backbone, self.server = (lan.machine(None) for _ in range(4))
        for router, inner, outer, inner_host, outer_host in (
                (self.gateway, home, uplink, 254, 254), (self.provider, uplink, trunk, 1, 254),
                (self.backbone, trunk, far, 1, 254)):
            router.namespace.sysctl(ipv4__ip_forward=1)
            router.plug(inner, Families.IPV4, "in", inner_host)
            router.plug(outer, Families.IPV4, "out", outer_host)
        self.server.plug(far, Families.IPV4, host=9)
        for machine in self.machines:
            machine.namespace.ip(f"route add default via {GATEWAY}")
        self.gateway.namespace.ip(f"route add default via {PROVIDER}")
        self.provider.namespace.ip(f"route add default via {BACKBONE}", "route add 192.168.1.0/24 via 192.168.2.254")
        self.backbone.namespace.ip("route add 192.168.1.0/24 via 192.168.3.254",
                                   "route add 192.168.2.0/24 via 192.168.3.254")
        self.backbone.namespace.ip("address add 203.0.113.254/24 dev out")
        self.server.namespace.ip("address delete 192.168.4.9/24 dev eth0", f"address add {SERVER}/24 dev eth0",
                                 "route add default via 203.0.113.254")
        for host in (*self.machines, self.server, self.gateway, self.provider, self.backbone):
            for name in host.interfaces:  # frames as they are on a cable, so that each is shaped by itself
                host.namespace.ip(f"link set {name} gso_max_segs 1")
        self.shape(self.gateway, "out", up, queue)
        self.shape(self.provider, "in", down, queue / 2)

    @staticmethod
    def shape(machine: Machine, name: str, mbit: float, queue: float) -> None:
        """
        Limit what a router sends out there.
        """
        machine.run(["tc", "qdisc", "replace", "dev", name, "root", "tbf", "rate", f"{int(mbit * 1e6)}bit", "burst",
                     "5k" if mbit < 10 else "20k", "limit", str(int(mbit * 1e6 / 8 * queue))])

    def allow_echo(self, machine: Machine, *, allowed: bool) -> None:
        """
        Let all users of a machine, or none, send echo requests.
        """
        machine.namespace.sysctl(ipv4__ping_group_range="0 2147483647" if allowed else "1 0")
