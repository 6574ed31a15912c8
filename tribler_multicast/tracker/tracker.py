"""
The tracker of a node: announces and scrapes answered, as the settings want it.

A client on this machine is told of those that announced themselves here, of the node's own BitTorrent, and of those
that neighbours tell of. A neighbour is told of the clients of this machine, by their ports, and of nobody else.
"""
from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import Counter, OrderedDict
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from ..community.swarming import SwarmSource
from ..protocol.swarms import Client as Listening
from ..torrent_files.making import bencode
from .limits import (
    FIRST_PAUSE,
    FOUND_FOR,
    INTERVAL,
    LAST_PAUSE,
    LONELY_INTERVAL,
    MAX_REMEMBERED,
    MIN_INTERVAL,
    NOBODY_FOR,
    SHOWN,
)
from .request import Announce, RequestError, read_announce, read_scrape
from .server import Request, Server
from .swarms import Swarms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..community.multicast import MulticastCommunity
    from ..settings import Settings

logger = logging.getLogger(__name__)

SETTINGS: Final = frozenset({"tracker_enabled", "tracker_host", "tracker_port"})
EXPIRE_EACH: Final = 10.0

Known = tuple[str, int, bool, bytes]
"""A peer to be told of: IP address, port, whether it has all, its id (empty: unknown)."""


class Tracker(SwarmSource):
    """
    Of one node; it runs from `start` to `close`, and serves while the settings want it.
    """

    def __init__(self, community: MulticastCommunity, options: Settings) -> None:
        """
        Serve nobody yet.
        """
        self.community = community
        self.options = options
        self.table = Swarms()
        self.counters: Counter[str] = Counter()
        self.error = ""
        """What keeps it from serving, in one line."""
        self.server = Server(self._answer, self._allows)
        self._told: OrderedDict[bytes, tuple[float, set[tuple[str, int, bool]]]] = OrderedDict()
        self._retry: asyncio.TimerHandle | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._pause = FIRST_PAUSE
        self._turn = asyncio.Lock()

    # --- Life.

    async def start(self) -> None:
        """
        Serve, if the settings want it.
        """
        await self.apply()

    async def apply(self) -> None:
        """
        Serve as the settings want it now, anew.
        """
        async with self._turn:
            self._stop()
            if not self.options["tracker_enabled"]:
                self.error, self.table, self._told = "", Swarms(), OrderedDict()
                return
            host, port = self.options["tracker_host"], self.options["tracker_port"]
            try:
                await self.server.start(str(ip_address(host)), port)
            except (OSError, ValueError) as error:
                reason = (getattr(error, "strerror", None) or "that is no IP address") if isinstance(
                    error, OSError) else f"{host!a} is no IP address"
                said, self.error = self.error, f"the tracker can't be served at {host}, port {port}: {reason}"
                if said != self.error:
                    logger.warning("%s; trying again", self.error)
                self._retry = asyncio.get_running_loop().call_later(self._pause, self._again)
                self._pause = min(2 * self._pause, LAST_PAUSE)
                return
            self.error, self._pause = "", FIRST_PAUSE
            self.community.swarm_source = self
            self.community.refresh_introduction()
            self._expire()

    def _again(self) -> None:
        self._retry = None
        self._task = asyncio.ensure_future(self.apply())

    def _stop(self) -> None:
        for timer in (self._retry, self._expiry):
            if timer is not None:
                timer.cancel()
        self._retry = self._expiry = None
        self.server.close()
        if self.community.swarm_source is self:
            self.community.swarm_source = None
            self.community.refresh_introduction()

    def close(self) -> None:
        """
        Serve nobody any more.
        """
        self._stop()

    def _expire(self) -> None:
        self.table.expire(time.monotonic())
        self._expiry = asyncio.get_running_loop().call_later(EXPIRE_EACH, self._expire)

    @property
    def url(self) -> str | None:
        """
        What clients are to be told; None while nothing is served.
        """
        if not self.server.port:
            return None
        host = self.options["tracker_host"]
        return f"http://{f'[{host}]' if ':' in host else host}:{self.server.port}/announce"

    # --- Whom it serves, and what it knows.

    def _allows(self, address: str) -> bool:
        """
        Serve this machine, and who is on a network of ours: the rest has no business here.
        """
        try:
            if ip_address(address).is_loopback:
                return True
        except ValueError:
            return False
        return any(link.is_on_link(address) for link in self.community.core.links.values())

    def _is_here(self, address: str) -> bool:
        return ip_address(address).is_loopback or any(address == link.ip
                                                      for link in self.community.core.links.values())

    def swarms(self) -> Mapping[bytes, Sequence[Listening]]:
        """
        Get the clients of this machine, for neighbours.
        """
        return {infohash: found for infohash, swarm in self.table.swarms.items()
                if (found := [Listening(place.port, client.is_seed) for place, client in swarm.clients.items()
                              if self._is_here(place.address)])}

    async def _neighbours(self, infohash: bytes) -> set[tuple[str, int, bool]]:
        """
        Get who takes part at the neighbours', asked not long ago.
        """
        now = time.monotonic()
        when, found = self._told.get(infohash, (float("-inf"), set()))
        if now - when > (FOUND_FOR if found else NOBODY_FOR):
            found = await self.community.who_has(infohash)
            self._told[infohash] = time.monotonic(), found
            self._told.move_to_end(infohash)
            while len(self._told) > MAX_REMEMBERED:
                self._told.popitem(last=False)
        return found

    # --- Answers.

    async def _answer(self, request: Request) -> tuple[int, bytes]:
        try:
            if request.path == "/announce":
                return 200, bencode(await self._announce(read_announce(request.query), request))
            if request.path == "/scrape":
                return 200, bencode(self._scrape(read_scrape(request.query)))
        except RequestError as error:
            self.counters["refused"] += 1
            return 200, bencode({b"failure reason": str(error).encode()})
        return 404, b"A BitTorrent tracker: /announce and /scrape\n"

    async def _announce(self, wanted: Announce, request: Request) -> dict[bytes, object]:
        self.counters["announces"] += 1
        hidden = wanted.infohash in self.community.own_swarms().private
        known: list[Known] = []
        if not hidden:
            self.table.announce(wanted, request.address, time.monotonic())
            if wanted.event != "stopped" and wanted.asked:
                known = await self._known(wanted, request)
        seeds, leechers = self.table.of(wanted.infohash).count()
        answer: dict[bytes, object] = {
            b"interval": INTERVAL if known else LONELY_INTERVAL, b"min interval": MIN_INTERVAL,
            b"complete": seeds, b"incomplete": leechers, b"downloaded": self.table.of(wanted.infohash).completed}
        return answer | _peers(known, wanted)

    async def _known(self, wanted: Announce, request: Request) -> list[Known]:
        """
        Get whom to tell a client of: others than itself, and none that has all when it has all too.
        """
        found: dict[tuple[str, int], Known] = {}
        for address, port, is_seed in await self._neighbours(wanted.infohash):
            found[address, port] = address, port, is_seed, b""
        for place, client in self.table.of(wanted.infohash).clients.items():
            # Who came by loopback is on this machine, and for others at our address that they came to.
            near = ip_address(place.address).is_loopback and not ip_address(request.address).is_loopback
            address = request.own if near else place.address
            found[address, place.port] = address, place.port, client.is_seed, client.peer_id
        for listening in self.community.own_swarms().told.get(wanted.infohash, ()):
            for kind, address, port in self.community.client.addresses() if self.community.client else ():
                if kind == "libtorrent" and port == listening.port:
                    found[address, port] = address, port, listening.is_seed, b""
        found.pop((request.address, wanted.port), None)
        useful = [each for each in found.values() if not (each[2] and wanted.is_seed)]
        return random.sample(useful, min(wanted.asked, len(useful)))

    def _scrape(self, infohashes: list[bytes]) -> dict[bytes, object]:
        self.counters["scrapes"] += 1
        files: dict[bytes, object] = {}
        for infohash in infohashes:
            swarm = self.table.swarms.get(infohash)
            if swarm is not None:
                seeds, leechers = swarm.count()
                files[infohash] = {b"complete": seeds, b"incomplete": leechers, b"downloaded": swarm.completed}
        return {b"files": files, b"flags": {b"min_request_interval": MIN_INTERVAL}}

    def view(self) -> dict[str, Any]:
        """
        Get its statistics, as REST shows them.
        """
        newest = list(self.table.swarms.items())[-SHOWN:][::-1]
        return {"enabled": self.options["tracker_enabled"], "url": self.url, "error": self.error or None,
                "torrents": len(self.table.swarms), "clients": self.table.clients,
                "announces": self.counters["announces"], "scrapes": self.counters["scrapes"],
                "refused": self.counters["refused"] + self.server.refused.total(),
                "swarms": [{"infohash": infohash.hex(), "seeders": swarm.count()[0], "leechers": swarm.count()[1],
                            "completed": swarm.completed,
                            "neighbours": len(self._told.get(infohash, (0.0, set()))[1])}
                           for infohash, swarm in newest]}


def _peers(known: list[Known], wanted: Announce) -> dict[bytes, object]:
    """
    Write peers, compact (BEP 23, and BEP 7 for IPv6) or as a list (BEP 3).
    """
    if not wanted.compact:
        return {b"peers": [{b"ip": address.encode(), b"port": port}
                           | ({b"peer id": peer_id} if peer_id and not wanted.no_peer_id else {})
                           for address, port, _, peer_id in known]}
    packed: dict[int, bytes] = {4: b"", 6: b""}
    for address, port, *_ in known:
        ip = ip_address(address)
        packed[ip.version] += ip.packed + port.to_bytes(2, "big")
    answer: dict[bytes, object] = {b"peers": packed[4]}
    if packed[6]:
        answer[b"peers6"] = packed[6]
    return answer
