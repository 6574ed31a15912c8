"""
The libtorrent session: its settings, where it listens, and its alerts, brought to the event loop.

It calls nobody by itself: no DHT and no port mapping unless the setting `dht` says so, and no local service discovery
ever (this program finds the nodes of the LAN, with a signature). What a torrent names, trackers and web seeds, is used.

Alerts wake the loop through a socket that libtorrent writes a byte to: nothing is polled, and no thread of libtorrent
ever waits for Python's interpreter lock.
"""
from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import random
import socket
import threading
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from ... import __version__
from ...lan.torrent_bursts import ASKED_AHEAD, UNLIMITED
from ...lan.torrent_peers import LAN_RANGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...settings import Settings

logger = logging.getLogger(__name__)

GLOBAL_CLASS, LOCAL_CLASS = 1 << 0, 1 << 2
"""Bits of libtorrent's peer classes: all peers, whose limits are the session's; peers on the LAN, unchoked at once."""
EVERYWHERE: Final = (("0.0.0.0", "255.255.255.255"), ("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"))
LOOPBACK: Final = (("127.0.0.0", "127.255.255.255"), ("::1", "::1"))
BLOCKED: Final = 1
LABEL: Final = "internet"

DHT_ROUTERS: Final = "dht.libtorrent.org:25401,router.bittorrent.com:6881,dht.transmissionbt.com:6881"
KNOWN_PORTS: Final = range(32_126, 32_142)
"""The first free one of these is taken, so that a firewall needs one range, behind the ports of discovery."""
PORTS: Final = range(20_000, 32_000)
"""Where a free port is looked for else: below those that systems give to outgoing connections, so that it is free the
next time too."""
PORT_TRIES: Final = 8
"""Ports that are tried one after the other when none is set: somebody may take the one that was free a moment ago."""
MAX_METADATA: Final = 10_000_000
"""Bytes of metadata that is taken from peers, as of a ``.torrent`` file."""
ALERTS: Final = 20_000
"""Alerts that may wait: a thousand torrents that are added at once make five each."""

FAREWELL: Final = 0.25
"""Seconds that peers get to close their side."""

SETTINGS: Final[dict[str, object]] = {
    "user_agent": f"tribler-multicast/{__version__}",  # the id of a peer stays libtorrent's: it is what speaks
    "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False, "enable_dht": False,
    "min_reconnect_time": 5,  # a node on the LAN that was away for a moment is tried again soon, not after minutes
    "enable_ip_notifier": False,  # the node watches its interfaces itself
    "listen_interfaces": "", "max_retry_port_bind": 0, "listen_system_port_fallback": False, "listen_queue_size": 64,
    "utp_fin_resends": 1,  # at the end nobody waits for long
    "alert_queue_size": ALERTS, "stop_tracker_timeout": 1, "tracker_completion_timeout": 20,
    # No limit on how many torrents are active: those without a peer cost next to nothing.
    "active_downloads": -1, "active_seeds": -1, "active_limit": -1, "active_checking": 1,
    "max_concurrent_http_announces": 10,
    # A file that is cut while it is mapped into memory ends the process with SIGBUS: read and write instead.
    "mmap_file_size_cutoff": 2**31 - 1,
    "aio_threads": 2, "hashing_threads": 1, "file_pool_size": 100, "checking_mem_usage": 64,
    # Several nodes, or a node and another client, may be on one machine or behind one address.
    "allow_multiple_connections_per_ip": True,
    "max_metadata_size": MAX_METADATA,
    **ASKED_AHEAD, **UNLIMITED,
}


class Session:
    """
    libtorrent's session, on the event loop it is started on.
    """

    def __init__(self, lt: Any, port: int | None, *, fixed: bool) -> None:  # noqa: ANN401
        """
        Prepare.

        :param port: the port to listen on, None for any that is free.
        :param fixed: the user said which port: no other is tried.
        """
        self.lt = lt
        self.session: Any = None
        self.wanted = port
        self.fixed = fixed
        self.internet: int | None = None
        """The peer class of all that are not on the LAN."""
        self.port: int | None = None
        """The port that we listen on, None when we don't."""
        self.chosen: Callable[[int], None] = lambda port: None
        """Called with the port when one was found."""
        self._addresses: tuple[str, ...] = ()
        self._tries = 0
        self._handlers: dict[str, Callable[[Any], None]] = {
            "listen_failed": self._listen_failed, "listen_succeeded": self._listen_succeeded,
            "alerts_dropped": self._dropped}
        self._expected: dict[tuple[str, bytes], asyncio.Future[str]] = {}
        self._wake, self._waker = socket.socketpair()

    async def start(self, options: Settings) -> None:
        """
        Open the session.
        """
        for end in (self._wake, self._waker):
            end.setblocking(False)
        category = self.lt.alert.category_t
        mask = category.status_notification | category.error_notification | category.storage_notification
        settings = {**SETTINGS, **from_options(options), "alert_mask": mask,
                    "handshake_client_version": f"tribler-multicast/{__version__} libtorrent/{self.lt.version}"}
        self.session = await asyncio.to_thread(self.lt.session, settings)
        self.internet = self.session.create_peer_class(LABEL)
        self.session.set_peer_class_filter(self._filter(EVERYWHERE, GLOBAL_CLASS | 1 << self.internet, LAN_RANGES,
                                                        GLOBAL_CLASS | LOCAL_CLASS))
        asyncio.get_running_loop().add_reader(self._wake, self.read_alerts)
        self.session.set_alert_fd(self._waker.fileno())
        self.listen(self._addresses)

    def _filter(self, ranges: Iterable[tuple[str, str]], value: int, others: Iterable[tuple[str, str]],
                other: int) -> Any:  # noqa: ANN401
        made = self.lt.ip_filter()
        for first, last in ranges:
            made.add_rule(first, last, value)
        for first, last in others:
            made.add_rule(first, last, other)
        return made

    def follow(self, options: Settings) -> None:
        """
        Take over settings of the node.
        """
        self.apply(from_options(options))

    def apply(self, settings: dict[str, object]) -> None:
        """
        Change settings of libtorrent.
        """
        if self.session is not None:
            self.session.apply_settings(settings)

    # Where it listens

    def listen(self, addresses: Iterable[str]) -> None:
        """
        Listen on these addresses of this machine, on one port, and on no other. When all are of the loopback interface,
        no other machine is spoken with at all.
        """
        self._addresses = tuple(dict.fromkeys(filter(is_address, addresses)))
        if self.session is None:
            return
        self._tries = 0
        self._listen()
        lonely = bool(self._addresses) and all(ip_address(text).is_loopback for text in self._addresses)
        self.session.set_ip_filter(self._filter(EVERYWHERE, BLOCKED, LOOPBACK, 0) if lonely else self.lt.ip_filter())

    def _listen(self) -> None:
        if self.wanted is None:
            self.wanted = _free_port(self._addresses)
        if not self._addresses:
            self.port = None
        self.apply({"listen_interfaces": ",".join(
            f"[{text}]:{self.wanted}" if ":" in text else f"{text}:{self.wanted}" for text in self._addresses)})

    def _listen_succeeded(self, alert: Any) -> None:  # noqa: ANN401
        if self.port != alert.port and alert.address in self._addresses:
            self.port = alert.port
            self.chosen(alert.port)

    def _listen_failed(self, alert: Any) -> None:  # noqa: ANN401
        if alert.port != self.wanted:
            return  # a word on a port that was given up already
        taken = alert.error.value() == errno.EADDRINUSE
        if taken and not self.fixed and self._tries < PORT_TRIES:
            self._tries += 1
            self.wanted = self.port = None
            self._listen()
        else:
            logger.warning("BitTorrent can't listen on %s, port %s: %s", alert.address, alert.port,
                           alert.error.message())

    # Alerts

    def on(self, kind: str, handler: Callable[[Any], None]) -> None:
        """
        Have alerts of a kind (as `alert.what()` names it) handled. What a handler gets is gone after it returns.
        """
        self._handlers[kind] = handler

    def read_alerts(self) -> None:
        """
        Handle what waits.
        """
        try:
            while self._wake.recv(4096):
                pass
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            return
        if self.session is None:
            return
        for alert in self.session.pop_alerts():
            handler = self._handlers.get(alert.what())
            if handler is not None:
                try:
                    handler(alert)
                except Exception:
                    logger.exception("An alert of libtorrent could not be handled: %s", alert.what())

    def _dropped(self, alert: Any) -> None:  # noqa: ANN401
        logger.warning("libtorrent had more to say than could wait: %s", alert.message())

    def expect(self, what: str, infohash: bytes) -> asyncio.Future[str]:
        """
        Get a future for what an alert will tell of a torrent: `met` gives it what went wrong, empty when nothing did.
        """
        future = self._expected.get((what, infohash))
        if future is None or future.done():
            future = self._expected[what, infohash] = asyncio.get_running_loop().create_future()
        return future

    def met(self, what: str, infohash: bytes, problem: str = "") -> None:
        """
        Tell who waits for it.
        """
        future = self._expected.pop((what, infohash), None)
        if future is not None and not future.done():
            future.set_result(problem)

    # The end

    async def close(self, patience: float, *, busy: bool = False) -> None:
        """
        End the session: peers and trackers hear that we stop. What isn't done after `patience` seconds ends with the
        process.

        :param busy: there are peers.
        """
        for future in self._expected.values():
            future.cancel()
        if self.session is None:
            self._wake.close()
            self._waker.close()
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._wake)
        # Ending it holds the interpreter lock until all sockets are closed, up to 1.6 s with peers by uTP [measured]:
        # so they are told before, and get a moment to answer.
        self.session.pause()
        await asyncio.sleep(FAREWELL if busy else 0)
        ended: asyncio.Future[None] = loop.create_future()
        session, self.session, self.port = [self.session], None, None

        def end() -> None:
            session.clear()  # the last reference: this is what ends it, and waits for its threads
            self._wake.close()  # not before: a number that is given to another file must not be written to
            self._waker.close()
            with contextlib.suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(ended.set_result, None)

        threading.Thread(target=end, name="end of libtorrent", daemon=True).start()
        await asyncio.wait([ended], timeout=patience)


def from_options(options: Settings) -> dict[str, object]:
    """
    The settings of libtorrent that follow from the node's. The limits count for all peers, those on the LAN too.
    """
    dht = options["dht"]
    return {"upload_rate_limit": options["upload_rate"], "download_rate_limit": options["download_rate"],
            "enable_dht": dht, "enable_upnp": dht, "enable_natpmp": dht,
            # On a LAN TCP is faster, the more so where packets get lost (64 MiB at 2 %: 11 s against 25 [measured]),
            # and a node that was killed is known to be gone. Who comes by uTP is welcome in any case.
            "enable_outgoing_utp": dht,
            "dht_bootstrap_nodes": DHT_ROUTERS if dht else ""}


def is_address(text: str) -> bool:
    """
    Can libtorrent listen or connect there? It doesn't keep the interface that a link-local address needs.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_multicast or (address.version == 6 and address.is_link_local))


def _free_port(addresses: Iterable[str]) -> int:
    """
    A port that nobody has now on the first of the addresses.
    """
    for text in addresses:
        ports: list[int] = [*KNOWN_PORTS, *random.sample(PORTS, PORT_TRIES)]
        for port in ports:
            with contextlib.suppress(OSError):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    with socket.socket(socket.AF_INET6 if ":" in text else socket.AF_INET, kind) as probe:
                        probe.bind((text, port))
                return port
    return 0
