"""
The LAN as an IPv8 endpoint: sockets on every usable interface, kept up to date as interfaces come and go.

Per interface and family there are two sockets. One listens to the multicast group on the shared port. The other has a
port of this node's own: all unicast goes through it, and all multicast leaves by it, so that the source address of a
multicast datagram is the address to answer to. A firewall needs to let in one range of ports.
"""
from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from ipv8.messaging.interfaces.endpoint import Endpoint

from . import interfaces as lan_interfaces
from .interfaces import IPV4, IPV6, Interface
from .link import LOG_INTERVAL, RETRY_FIRST, Datagram, LanConfig, LanLink, LanListener, LinkKey, same_network
from .options import current, read_ancillary
from .sockets import explain, open_multicast, open_spare, open_unicast, rejoin
from .train import arrival_of, note_arrivals, open_train
from .visibility import LISTEN, OFF, VISIBLE, Visibility
from .watcher import InterfaceWatcher

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from .gateways import Gateway, Gateways
    from .train import Sink

__all__ = ["Datagram", "LanConfig", "LanEndpoint", "LanLink", "LanListener"]

ANCILLARY_SIZE: Final = 192
"""Bytes for what the kernel tells of a datagram: interface, hop limit, time, drops."""

RECEIVE_SIZE: Final = 2048
"""Bytes read of a datagram: more than any of ours, so that an oversize one shows as such."""

MOST_AT_ONCE: Final = 128
"""Datagrams read from one socket before the others have their turn: a flood on one must not starve the rest."""

REJOIN_INTERVAL: Final = 120.0
RETRY_LAST: Final = 60.0
"""Seconds until a socket that could not be opened is tried again, doubled up to the last. Never given up for good."""


class LanEndpoint(Endpoint):
    """
    An IPv8 endpoint that speaks to the local network only.

    A `LanListener` gets datagrams with the way they came; other listeners get IPv8's packets.
    """

    def __init__(self, config: LanConfig | None = None,
                 snapshot: Callable[[], list[Interface]] = lan_interfaces.snapshot,
                 gateways: Callable[[Iterable[Interface]], Gateways] | None = None) -> None:
        """
        Create a closed endpoint.
        """
        super().__init__()
        self.config = config or LanConfig()
        self.platform = current()
        self.snapshot = snapshot
        self.interfaces: list[Interface] = []
        self.links: dict[LinkKey, LanLink] = {}
        self.loopbacks: set[int] = set()
        self.dropped: Counter[str] = Counter()
        self.bytes_up = self.bytes_down = 0
        self.packets_up = self.packets_down = 0
        self.on_links: Callable[[], None] | None = None
        self.on_leaving: Callable[[list[LinkKey]], None] | None = None
        self.sink: Sink | None = None
        self.watcher = InterfaceWatcher(self.reconcile)
        self.visibility = Visibility(self.watcher.look_in, gateways)
        self.switched_off: list[tuple[Interface, tuple[Gateway, ...]]] = []
        self.opened = False
        self.log = logging.getLogger(__name__)

    # --- IPv8's interface.

    def assert_open(self) -> None:
        """
        Check that this endpoint is open.
        """
        assert self.opened

    def is_open(self) -> bool:
        """
        Tell whether this endpoint is open; it may have no usable interface at the moment.
        """
        return self.opened

    def get_address(self) -> Any:  # noqa: ANN401
        """
        Get one address at which we are reached.
        """
        return next((link.address for link in self.links.values() if link.address), ("0.0.0.0", 0))

    def send(self, socket_address: Any, packet: bytes) -> None:  # noqa: ANN401
        """
        Send to an IP address and port by the first link of that family.
        """
        ip, port = socket_address[:2]
        family = IPV6 if ":" in ip else IPV4
        key = next((key for key in self.links if key[1] == family), None)
        if key is not None:
            self.send_on(key, (ip, port), packet)

    async def open(self) -> bool:
        """
        Open sockets on all usable interfaces and watch for changes.
        """
        if not self.opened:
            self.opened = True
            self.reconcile()
            self.watcher.start()
        return True

    def close(self) -> None:
        """
        Close all sockets.
        """
        if self.opened:
            self.opened = False
            self.watcher.stop()
            for link in self.links.values():
                self.close_link(link)
            self.links = {}

    def reset_byte_counters(self) -> None:
        """
        Count bytes from zero again.
        """
        self.bytes_up = self.bytes_down = 0

    # --- Interfaces.

    def configure(self, config: LanConfig) -> None:
        """
        Change where to listen, at once.
        """
        if config != self.config:
            reopen = (config.port, config.first_port, config.group4, config.group6) != (
                self.config.port, self.config.first_port, self.config.group4, self.config.group6)
            self.config = config
            if reopen:
                for key in list(self.links):
                    self.close_link(self.links.pop(key))
            if self.opened:
                self.reconcile()

    def reconcile(self) -> None:
        """
        Make the sockets fit the interfaces that there are now.

        Loopback gets IPv4 only where it has it: there is no route for IPv6 multicast on it.
        """
        if not self.opened:
            return
        try:
            self.interfaces = self.snapshot()
        except OSError as e:
            self.log.warning("Can't list the network interfaces: %s", e)
            return
        now = time.monotonic()
        self.loopbacks = {interface.index for interface in self.interfaces if interface.loopback}
        families = [family for family, wanted in ((IPV4, self.config.ipv4), (IPV6, self.config.ipv6)) if wanted]
        usable = lan_interfaces.usable(self.interfaces, self.config.allow, self.config.deny)
        seen = self.look_at_networks(usable)
        wanted = {(interface.index, family): interface
                  for interface in usable if seen[interface.index][0] != OFF
                  for family in families if interface.address(family)
                  and not (family == IPV6 and interface.loopback and IPV4 in families and interface.ipv4)}
        self.leave(wanted, seen)
        changed = False
        for key in [key for key, link in self.links.items() if not self.still_fits(link, wanted.get(key))]:
            self.close_link(self.links.pop(key))
            changed = True
        for key, interface in wanted.items():
            link = self.links.get(key)
            if link is None:
                link = self.links[key] = LanLink(interface, key[1])
            visibility, link.gateways = seen[interface.index]
            changed = changed or link.interface != interface or link.visibility != visibility
            link.interface, link.visibility = interface, visibility
            if link.unicast is None and now >= link.retry_at:
                changed = self.open_link(link, now) or changed
            elif link.multicast is not None and now >= link.rejoin_at:
                self.rejoin_link(link, now)
        if changed and self.on_links is not None:
            self.on_links()

    def look_at_networks(self, usable: list[Interface]) -> dict[int, tuple[str, tuple[Gateway, ...]]]:
        """
        Get visibility and gateways of each interface, by index, as they are now.
        """
        self.visibility.refresh(usable)
        rules = dict(self.config.networks)
        seen = {interface.index: self.visibility.of(interface, self.config.visibility, rules) for interface in usable}
        self.switched_off = [(interface, seen[interface.index][1]) for interface in usable
                             if seen[interface.index][0] == OFF]
        return seen

    def leave(self, wanted: dict[LinkKey, Interface], seen: dict[int, tuple[str, tuple[Gateway, ...]]]) -> None:
        """
        Tell which links fall silent on a network where they spoke up to now, before they do. On another network nobody
        knows us: there is nothing to say.
        """
        leaving = [key for key, link in self.links.items()
                   if link.address is not None and not link.silent and key[0] in seen and seen[key[0]][0] != VISIBLE
                   and same_network(link.gateways, seen[key[0]][1])
                   and self.still_fits(link, wanted.get(key, link.interface))]
        if leaving and self.on_leaving is not None:
            self.on_leaving(leaving)

    @staticmethod
    def still_fits(link: LanLink, interface: Interface | None) -> bool:
        """
        Tell whether a link can stay as it is: same interface, and its address is still the one to be reached at.
        """
        if interface is None or interface.name != link.interface.name:
            return False
        addresses = [text.partition("/")[0] for text in interface.networks(link.family)]
        return link.address is None or link.address[0] in addresses

    def open_link(self, link: LanLink, now: float) -> bool:
        """
        Open the sockets of a link, both or none; plan another try when it fails.
        """
        config, interface, family = self.config, link.interface, link.family
        ports = (*self.preferred_ports(), *range(config.first_port, config.first_port + config.ports), 0)
        try:
            link.unicast = open_unicast(self.platform, interface, family, ports)
            link.multicast = open_multicast(self.platform, interface, family, config.group(family), config.port)
            link.spare = open_spare(self.platform, link.unicast, interface, family)
            for sock in (link.unicast, link.spare, link.multicast):
                if sock is not None:
                    asyncio.get_running_loop().add_reader(sock, self.drain, link, sock, sock is link.multicast)
        except OSError as e:
            self.close_link(link)
            link.error = explain(e)
            link.retry_at, link.retry = now + link.retry, min(2 * link.retry, RETRY_LAST)
            self.watcher.look_in(max(0.1, link.retry_at - now))
            self.log_trouble(link, f"not in use: {link.error}", now)
            return False
        link.error = link.send_error = None
        link.retry, link.rejoin_at = RETRY_FIRST, now + REJOIN_INTERVAL
        return True

    def preferred_ports(self) -> Iterable[int]:
        """
        Get the port that our other links have: one node, one port where possible.
        """
        return {link.address[1] for link in self.links.values() if link.address is not None}

    def rejoin_link(self, link: LanLink, now: float) -> None:
        """
        Renew the membership of the group; open the link anew when that fails.
        """
        link.rejoin_at = now + REJOIN_INTERVAL
        if link.multicast is None:
            return
        try:
            rejoin(self.platform, link.multicast, link.interface, link.family, self.config.group(link.family))
        except OSError as e:
            self.close_link(link)
            link.error = explain(e)
            self.watcher.look_in(RETRY_FIRST)

    def close_link(self, link: LanLink) -> None:
        """
        Close the sockets of a link.
        """
        for sock in (link.unicast, link.spare, link.multicast):
            if sock is not None:
                asyncio.get_running_loop().remove_reader(sock)
                sock.close()
        link.unicast = link.spare = link.multicast = None

    def log_trouble(self, link: LanLink, text: str, now: float) -> None:
        """
        Log at most once a minute per link.
        """
        if now - link.logged_at >= LOG_INTERVAL:
            link.logged_at = now
            self.log.warning("IPv%d on %s: %s", link.family, link.interface.name, text)

    # --- Datagrams.

    def drain(self, link: LanLink, sock: socket.socket, multicast: bool) -> None:
        """
        Read what a socket has, up to a limit, and deliver it.
        """
        platform, key, own_index = self.platform, link.key, link.interface.index
        for _ in range(MOST_AT_ONCE):
            try:
                data, ancillary, _flags, source = sock.recvmsg(RECEIVE_SIZE, ANCILLARY_SIZE)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as e:
                self.log_trouble(link, f"can't receive: {explain(e)}", time.monotonic())
                return
            self.packets_down += 1
            self.bytes_down += len(data)
            if self.sink is not None and data.startswith(self.sink.head):
                index, when, lost = arrival_of(platform, ancillary)
                if index in (None, own_index):
                    self.sink.take(key, source[0].partition("%")[0], data, when, lost)
                continue
            index, hops = read_ancillary(platform, ancillary)
            if index is not None and index != own_index and index not in self.loopbacks:
                self.dropped["wrong_interface"] += 1
                continue
            self.deliver(Datagram(data, key, multicast, (source[0].partition("%")[0], source[1]), hops))
            if sock.fileno() < 0:
                return  # Closed by what we just delivered.

    def give_train_to(self, sink: Sink | None, key: LinkKey) -> None:
        """
        Give packets that begin as the sink says to it, with their times of arrival; None: to nobody any more.
        """
        self.sink = sink
        link = self.links.get(key)
        if link is not None and link.multicast is not None:
            note_arrivals(self.platform, link.multicast, sink is not None)

    def deliver(self, datagram: Datagram) -> None:
        """
        Give a datagram to the listeners of its prefix.
        """
        listeners = self._prefix_map.get(datagram.data[:self.prefixlen], self._listeners)
        if not listeners:
            self.dropped["not_ours"] += 1
        for listener in listeners:
            try:
                if isinstance(listener, LanListener):
                    listener.on_datagram(datagram)
                else:
                    listener.on_packet((datagram.source, datagram.data))
            except Exception:
                self.dropped["listener_error"] += 1
                if self.dropped["listener_error"] < 10:
                    self.log.exception("A listener failed on a datagram")

    def send_on(self, key: LinkKey, address: tuple[str, int] | None, data: bytes, doubtful: bool = False) -> None:
        """
        Send one datagram by a link, to the group when there is no address. A failure is noted there, never raised.

        `doubtful` is what goes to an address where perhaps nobody is: it may get lost, and holds up nothing else.
        """
        link = self.links.get(key)
        if link is None or link.unicast is None:
            self.dropped["send_no_link"] += 1
            return
        if link.silent:
            self.dropped[LISTEN] += 1
            return
        ip, port = address or (self.config.group(link.family), self.config.port)
        target = (ip, port) if link.family == IPV4 else (ip, port, 0, link.interface.index)
        spare = link.spare if doubtful else None
        try:
            (spare or link.unicast).sendto(data, target)
        except BlockingIOError:
            self.dropped["send_queue_full"] += 1
        except OSError as e:
            self.send_failed(link, e)
        else:
            link.send_error = None
            self.packets_up += 1
            self.bytes_up += len(data)

    def open_train(self, key: LinkKey, loop: bool) -> socket.socket | None:
        """
        Open a socket to send a packet train by a link, None where nothing may be sent. `loop`: this machine hears it.

        :raises OSError: when it can't be opened.
        """
        link = self.links.get(key)
        if link is None or link.unicast is None or link.silent:
            self.dropped[LISTEN if link is not None and link.silent else "send_no_link"] += 1
            return None
        group = self.config.group(link.family), self.config.port
        return open_train(self.platform, link.interface, link.family, group, loop)

    def send_batch(self, datagrams: Iterable[tuple[LinkKey, tuple[str, int] | None, bytes, bool]]) -> None:
        """
        Send several datagrams in order, each as (link, address, data, doubtful).
        """
        for key, address, data, doubtful in datagrams:
            self.send_on(key, address, data, doubtful)

    def send_failed(self, link: LanLink, error: OSError) -> None:
        """
        Note that a link can't send, and look soon whether the interface is still as it was. Nothing is given up.
        """
        self.dropped["send_error"] += 1
        link.send_error = explain(error)
        self.log_trouble(link, f"can't send: {link.send_error}", time.monotonic())
        self.watcher.look_in(RETRY_FIRST)
