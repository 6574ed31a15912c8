"""
Who announced itself to the tracker: a table that is bounded whatever comes. Time is an argument.
"""
from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from .limits import LIFETIME, MAX_ALL_CLIENTS, MAX_CLIENTS, MAX_PORTS_PER_ADDRESS, MAX_SWARMS

if TYPE_CHECKING:
    from .request import Announce


class Place(NamedTuple):
    """
    Where a client listens: its IP address as the tracker saw it, and the port that it told.
    """

    address: str
    port: int


@dataclass
class Client:
    """
    A client that takes part in a torrent.
    """

    peer_id: bytes
    is_seed: bool
    heard: float


@dataclass
class Swarm:
    """
    A torrent: its clients, the one heard longest ago first, and how many said that they have completed it.
    """

    clients: OrderedDict[Place, Client] = field(default_factory=OrderedDict)
    completed: int = 0

    def count(self) -> tuple[int, int]:
        """
        Get how many have all, and how many have not.
        """
        seeds = sum(client.is_seed for client in self.clients.values())
        return seeds, len(self.clients) - seeds


class Swarms:
    """
    All torrents, the one announced longest ago first.
    """

    def __init__(self) -> None:
        """
        Nobody is known.
        """
        self.swarms: OrderedDict[bytes, Swarm] = OrderedDict()
        self.clients = 0

    def announce(self, wanted: Announce, address: str, now: float) -> None:
        """
        Take what a client at an address says of itself.
        """
        place = Place(address, wanted.port)
        if wanted.event == "stopped":
            self._drop(wanted.infohash, place)
            return
        swarm = self.swarms.setdefault(wanted.infohash, Swarm())
        self.swarms.move_to_end(wanted.infohash)
        known = swarm.clients.get(place)
        if wanted.event == "completed" and (known is None or not known.is_seed):
            swarm.completed += 1
        if known is None:
            self._make_room(wanted.infohash, swarm, address)
            self.clients += 1
        swarm.clients[place] = Client(wanted.peer_id, wanted.is_seed, now)
        swarm.clients.move_to_end(place)
        while len(self.swarms) > MAX_SWARMS or self.clients > MAX_ALL_CLIENTS:
            self.clients -= len(self.swarms.popitem(last=False)[1].clients)

    def _make_room(self, infohash: bytes, swarm: Swarm, address: str) -> None:
        here = [place for place in swarm.clients if place.address == address]
        if len(here) >= MAX_PORTS_PER_ADDRESS:
            self._drop(infohash, here[0], keep=True)
        elif len(swarm.clients) >= MAX_CLIENTS:
            crowd = Counter(place.address for place in swarm.clients).most_common(1)[0][0]
            self._drop(infohash, next(place for place in swarm.clients if place.address == crowd), keep=True)

    def _drop(self, infohash: bytes, place: Place, *, keep: bool = False) -> None:
        """
        Forget a client, and the torrent with the last one unless it is to be kept.
        """
        swarm = self.swarms.get(infohash)
        if swarm is not None and swarm.clients.pop(place, None) is not None:
            self.clients -= 1
            if not swarm.clients and not keep:
                del self.swarms[infohash]

    def expire(self, now: float) -> None:
        """
        Forget who said nothing for long.
        """
        for infohash, swarm in list(self.swarms.items()):
            for place, client in list(swarm.clients.items()):
                if now - client.heard <= LIFETIME:
                    break
                self._drop(infohash, place)

    def of(self, infohash: bytes) -> Swarm:
        """
        Get a torrent; one with nobody when none is known.
        """
        return self.swarms.get(infohash) or Swarm()
