"""
The group that a node is in, if any: what leaves is sealed, what arrives unsealed is dropped, and the other way round.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .events import ForeignSeal
from .handshake import Secrets
from .identity import SIGNATURE_DOMAIN
from .limits import FOREIGN_SEAL_GAP, MAX_DATAGRAM
from .overhearing import LISTENING
from .wire import PREFIX, PREFIXES, SEALED, VERSION, channel_of

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .links import Arrival, Destination
    from .sealing import Seal


class Foreign(NamedTuple):
    """
    When (on the protocol's clock) and from where something sealed came that did not open.
    """

    time: float
    source: tuple[str, int]


class Group:
    """
    Stands between one protocol instance and the wire.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Begin in no group.
        """
        self.core = core
        self.seal: Seal | None = None
        self.foreign: Foreign | None = None
        self.told: float | None = None

    @property
    def domain(self) -> bytes:
        """
        Get what stands in front of everything that is signed: another one in each group.
        """
        return SIGNATURE_DOMAIN if self.seal is None else self.seal.domain

    def change(self, seal: Seal | None, now: float) -> None:
        """
        Go from one group to another, or to none: goodbye there, all forgotten, and a new beginning here.
        """
        core, started = self.core, self.core.started is not None
        core.stop("group")
        self.seal = seal
        self.foreign = self.told = None
        core.outbox.writer.domain = self.domain
        core.secrets = core.gate.secrets = Secrets()
        core.liveness.waiting.clear()
        if started:
            core.start(now)

    def wrap(self, destination: Destination, data: bytes) -> bytes | None:
        """
        Get what is to be sent for a signed datagram: itself, or sealed. None: its link is gone, and so is its address.
        """
        if self.seal is None:
            return data
        link = self.core.links.get(destination.link)
        if link is None:
            return None
        return self.seal.seal((link.ip, link.port), channel_of(link.family, destination.address is None), data)

    def unwrap(self, data: bytes, arrival: Arrival, now: float) -> bytes | None:
        """
        Get the signed datagram in what arrived; None when it is dropped.
        """
        if self.seal is None:
            return data  # The gate drops what is sealed.
        core = self.core
        reason = self.look(data) or core.gate.look_at_way(arrival, core.links)
        listens = reason == LISTENING and core.overhearing.wanted
        if reason is not None and not listens:
            core.counters.drop(reason)
            return None
        opened = self.seal.open(arrival.source, channel_of(arrival.link[1], arrival.multicast), data)
        if listens:  # What becomes of it `overhearing` decides; other groups there are nobody's business.
            if opened is None:
                core.counters.drop(LISTENING)
        elif opened is None:
            self.on_foreign(arrival.source, now)
        elif self.foreign is not None and self.foreign.source == arrival.source:
            self.foreign = None  # It found the right passphrase.
        return opened

    def on_foreign(self, source: tuple[str, int], now: float) -> None:
        """
        Count what does not open, and tell of it, seldom.
        """
        core = self.core
        for link in core.links.values():
            if source[1] == link.port and source[0] == link.ip:
                core.counters.drop("own")  # Our goodbye under the former seal, looped back.
                return
        core.counters.drop("wrong_group")
        self.foreign = Foreign(now, source)
        if self.told is None or now - self.told >= FOREIGN_SEAL_GAP:
            self.told = now
            core.events.append(ForeignSeal(source))

    @staticmethod
    def look(data: bytes) -> str | None:
        """
        Check the form of what arrived in a group; get the reason to drop it, None when there is none.
        """
        if len(data) > MAX_DATAGRAM:
            return "oversize"
        if data.startswith(SEALED):
            return None
        if not data.startswith(PREFIXES):
            return "not_ours"
        if len(data) < len(PREFIX) + 2:
            return "malformed"
        return "unsealed" if data[23] == VERSION else "version"
