"""
The overlay of coded transfers as an IPv8 community.

It has its own community id, so its datagrams have a prefix of their own and IPv8 lists it by itself. All else it
shares with the `MulticastCommunity` that it is made with: sockets, identity, epochs, and who is verified. Here only the
messages pass that tell who has and who wants what; the data goes by sockets of the `TransferService`.
"""
from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from ipv8.community import CommunitySettings
from ipv8.peerdiscovery.network import Network

from ..client import Result
from ..lan.endpoint import Datagram, LanListener
from ..protocol.events import CodedReceived, RoundTrip
from ..protocol.wire import CODED_COMMUNITY_ID, STREAM_KINDS, Kind
from ..streams.service.service import LiveService
from ..transfer.service.courier import LinkKey, Path
from ..transfer.service.service import TransferService
from .crediting import WRITTEN_EACH, Crediting
from .found import matches
from .isolated import IsolatedCommunity
from .receipts import RECEIPT_EACH, Receipts
from .subscribing import Subscriptions

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Mapping

    from ..lan.interfaces import Interface
    from ..protocol.identity import Identity
    from ..transfer.service.courier import Options
    from .local_peer import LocalPeer
    from .multicast import MulticastCommunity

CAPABILITY: Final = "coded"
STREAMING: Final = "stream"
"""What a node has that publishes a live stream now."""

ROUND_TRIP_PATIENCE: Final = 1.0
"""Seconds that a PROBE may take: what takes longer on a LAN was lost."""

LOOK_AGAIN: Final = 1.0
"""Seconds between two looks whether this node has something to be found."""


class CodedSettings(CommunitySettings):
    """
    What the community is made with: whom it rides on, the settings (default: those of that one), and the folder where
    it is remembered what is published and received, None for nowhere.
    """

    multicast: MulticastCommunity
    options: Mapping[str, Any] | None = None
    folder: pathlib.Path | None = None
    service: Callable[..., TransferService] = TransferService


class CodedTransferCommunity(IsolatedCommunity, LanListener):
    """
    Carries what is said around coded transfers: a `transfer.service.courier.Courier`.
    """

    community_id = CODED_COMMUNITY_ID
    settings_class = CodedSettings

    def __init__(self, settings: CodedSettings) -> None:
        """
        Create the community; it runs while the one that it rides on does, from `start` on.
        """
        multicast = settings.multicast
        settings.my_peer = multicast.my_peer
        settings.endpoint = multicast.lan
        settings.network = Network()
        settings.max_peers = -1
        super().__init__(settings)
        self.cancel_pending_task("discover_lan_addresses")
        self.decode_map = [None] * 256
        self.logger = logging.getLogger(__name__)
        self.multicast = multicast
        self.core = multicast.core
        self.lan = multicast.lan
        self.running = self.started = False
        """Whether it takes part, and says so; whether the service hears."""
        self.here: dict[bytes, bytes] = {}
        """The neighbours that the service was told of: public keys by mid."""
        self.trips: dict[bytes, asyncio.Future[float]] = {}
        self.turn = asyncio.Lock()
        self.receipts = Receipts(multicast)
        self.crediting = Crediting(multicast, self.receipts.owe)
        options = multicast.options if settings.options is None else settings.options
        self.make_service = partial(settings.service, self, options, folder=settings.folder, tell=multicast.tell)
        self.service = self.make_service()
        """What it publishes and receives; another one after it was switched off and on."""
        self.is_spent = False
        self.subscriptions = Subscriptions(multicast, lambda: self.service, settings.folder)
        self.live = LiveService(self, cast("Options", options))
        """The live streams it publishes and views."""
        multicast.carried = self
        multicast.add_introduction_handler(self.on_peer)
        multicast.add_event_handler(self.on_event)

    # --- Life.

    def begin(self) -> None:
        """
        Take part: it is said in the next introduction.
        """
        self.running = not self._shutdown

    async def start(self) -> None:
        """
        Begin, if the LAN is open; else it begins when that is opened. What fails here fails alone.
        """
        async with self.turn:
            if self.started or self._shutdown or not self.multicast.running:
                return
            self.begin()
            self.multicast.refresh_introduction()
            if self.is_spent:
                self.service, self.is_spent = self.make_service(), False
            try:
                await self.service.start()
            except Exception:
                self.logger.exception("Coded transfers do not start")
                self.running, self.is_spent = False, True
                self.multicast.refresh_introduction()
                return
            self.live.start()
            self.started = True
            self.register_task("look", self.look, interval=LOOK_AGAIN)
            self.register_task("credit", self.crediting.write, interval=WRITTEN_EACH)
            self.register_task("receipts", self.receipts.look, interval=RECEIPT_EACH)
            for peer in self.multicast.local_peers():
                self.on_peer(peer)
            await self.subscriptions.start()

    async def stop(self) -> None:
        """
        End all transfers, as long as others can be told; `start` may follow.
        """
        async with self.turn:
            if not self.started:
                return
            self.subscriptions.stop()
            self.live.close()
            try:
                await self.service.close()
            except Exception:
                self.logger.exception("Coded transfers did not end well")
            self.running = self.started = False
            self.is_spent = True
            for trip in self.trips.values():
                trip.cancel()
            self.cancel_pending_task("look")
            self.cancel_pending_task("credit")
            self.cancel_pending_task("receipts")
            self.crediting.write()
            self.receipts.look()
            for mid in list(self.here):
                self.forget(mid)

    async def unload(self) -> None:
        """
        End all.
        """
        await self.stop()
        self.multicast.remove_introduction_handler(self.on_peer)
        self.multicast.remove_event_handler(self.on_event)
        if self.multicast.carried is self:
            self.multicast.carried = None
        self.multicast.refresh_introduction()
        await super().unload()

    def look(self) -> None:
        """
        Say that this node can be searched as soon as it has something to be found.
        """
        self.multicast.refresh_introduction()

    # --- What the community that carries us asks (`carrying.Carried`).

    def capabilities(self) -> frozenset[str]:
        """
        Get what this node can do for others.
        """
        if not self.running:
            return frozenset()
        found = {CAPABILITY}
        if self.service.publications or self.live.publications:
            found.add("search")
        if self.live.publications:
            found.add(STREAMING)
        return frozenset(found)

    def search(self, text: str, most: int) -> list[Result]:
        """
        Get what is offered here and has all words in its name.
        """
        if not self.running:
            return []
        offered = [each for each in self.service.publications.values() if each.error is None]
        return [Result("coded", each.content_id, each.name, each.size)
                for each in offered if matches(text, each.name)][:most]

    def streams(self, text: str) -> list[Result]:
        """
        Get what is streamed here now and has all words in its name.
        """
        return [Result("stream", each.descriptor.id, each.descriptor.name) for each in self.live.publications.values()
                if not each.is_ending and matches(text, each.descriptor.name)]

    def counters(self) -> dict[str, int]:
        """
        Get counts of what the services sent, took and dropped, by reason.
        """
        return {**self.service.counters, **self.receipts.counters,
                **{f"live {name}": count for name, count in self.live.totals().items()}}

    def is_moving(self) -> bool:
        """
        Tell whether a transfer moves something now.
        """
        return self.started and (self.live.is_moving
                                 or any(transfer.up or transfer.down for transfer in self.service.transfers.values()))

    def take(self, event: CodedReceived | RoundTrip) -> None:
        """
        Take what a peer said.
        """
        if isinstance(event, RoundTrip):
            trip = self.trips.get(event.number)
            if trip is not None and not trip.done():
                trip.set_result(event.seconds)
        elif event.kind == Kind.RECEIPT:
            self.receipts.received(event.peer, event.payload, self.multicast.now())
        elif self.started and event.kind in STREAM_KINDS:
            self.live.message_received(event.peer.mid, event.kind, event.payload, event.arrival.link)
        elif self.started:
            self.service.message_received(event.peer.mid, event.kind, event.payload, event.arrival.link,
                                          self.multicast.now())
        else:
            self.core.counters.drop("no_transfers")

    def links_changed(self) -> None:
        """
        Look at the links again.
        """
        if self.started:
            self.service.links_changed()
            self.live.links_changed()

    # --- Who is there.

    def on_datagram(self, datagram: Datagram) -> None:
        """
        Give one datagram to the protocol, which both overlays share.
        """
        self.multicast.on_datagram(datagram)

    def on_peer(self, peer: LocalPeer) -> None:
        """
        Note that a peer became local, or said something new.
        """
        if not self.started:
            return
        if CAPABILITY in peer.capabilities:
            self.add_to_network(peer)
            is_new = peer.mid not in self.here
            self.here[peer.mid] = peer.public_key
            state = self.core.peers.of_mid(peer.mid)
            if is_new and state is not None:
                self.receipts.meet(state)
            self.service.neighbour_found(peer.mid)
            self.live.neighbour_found(peer.mid)
        else:
            self.on_gone(peer.mid)

    def on_event(self, topic: str, kwargs: dict[str, Any]) -> None:
        """
        Note that a peer is local no more.
        """
        if topic == "multicast_peer_gone":
            self.on_gone(bytes.fromhex(kwargs["mid"]))

    def on_gone(self, mid: bytes) -> None:
        """
        Tell that a neighbour is gone, or takes part no more.
        """
        if mid in self.here:
            self.forget(mid)
            self.service.neighbour_gone(mid)
            self.live.neighbour_gone(mid)

    def forget(self, mid: bytes) -> None:
        """
        Take a neighbour from the lists.
        """
        known = self.network.get_verified_by_public_key_bin(self.here.pop(mid))
        if known is not None:
            self.network.remove_peer(known)

    # --- What the service asks (`transfer.service.courier.Courier`).

    @property
    def identity(self) -> Identity:
        """
        Who we are: signs what we publish.
        """
        return self.core.identity

    @property
    def must_seal(self) -> bool:
        """
        Whether data is neither sent nor taken but sealed: with a policy that is not `everyone`.
        """
        return self.core.policy.friends_only or self.core.group.seal is not None

    def neighbours(self) -> list[bytes]:
        """
        Get the mids of the verified peers that take part.
        """
        return [peer.mid for peer in self.core.peers if CAPABILITY in peer.introduction.capabilities]

    def streamers(self) -> list[bytes]:
        """
        Get the mids of the verified peers that stream something.
        """
        return [peer.mid for peer in self.core.peers
                if {CAPABILITY, STREAMING} <= set(peer.introduction.capabilities)]

    def streams_changed(self) -> None:
        """
        Say that this node streams something, or does no more.
        """
        if self.running:
            self.multicast.refresh_introduction()

    def paths(self, mid: bytes) -> list[Path]:
        """
        Get the ways to a peer, the best first; none when it is not verified now.
        """
        peer = self.core.peers.of_mid(mid)
        return [] if peer is None else [Path(path.link, path.address[0]) for path in self.core.coded.paths(peer)]

    def send(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey | None = None) -> bool:
        """
        Send a control message; None: by the best way. False when it was not sent.
        """
        if not self.running or not self.core.coded.send(mid, kind, payload, link, self.multicast.now()):
            return False
        self.multicast.flush()
        return True

    def may(self, mid: bytes) -> bool:
        """
        Tell whether the policy lets a peer get content from us, and give us some.
        """
        peer = self.core.peers.of_mid(mid)
        return peer is not None and self.core.policy.allows(peer)

    def count(self, mid: bytes, *, up: int = 0, down: int = 0, helped: bool = False) -> None:
        """
        Count bytes of data that went to a peer and came from it; `helped`: from one receiver to another.
        """
        self.crediting.count(mid, up, down, helped)

    def standing(self, mid: bytes) -> int:
        """
        Get the bytes that a peer gave us more than it took: who gave is served first.
        """
        return self.receipts.credit(mid)

    def set_named(self, mid: bytes) -> None:
        """
        Remember that a peer was caught sending bad data.
        """
        self.crediting.set_named(mid)

    def named(self) -> frozenset[bytes]:
        """
        Get who was caught sending bad data not long ago.
        """
        return self.crediting.named()

    def interface(self, link: LinkKey) -> Interface | None:
        """
        Get the interface of a link; None when it is gone, closed or silent.
        """
        found = self.lan.links.get(link)
        return None if found is None or found.silent or found.unicast is None else found.interface

    def networks(self, link: LinkKey) -> tuple[str, ...]:
        """
        Get the networks that are on a link (`ip/prefix`).
        """
        found = self.lan.links.get(link)
        return () if found is None else found.interface.networks(link[1])

    async def round_trip(self, mid: bytes, link: LinkKey) -> float | None:
        """
        Measure the round trip to a peer, seconds. None: no answer within one, or it was measured too often.
        """
        peer, now = self.core.peers.of_mid(mid), self.multicast.now()
        number = None if peer is None or not self.running else self.core.liveness.measure(peer, link, now)
        if number is None:
            return None
        trip = self.trips[number] = asyncio.get_running_loop().create_future()
        self.multicast.pump()
        try:
            await asyncio.wait((trip,), timeout=ROUND_TRIP_PATIENCE)
            return trip.result() if trip.done() and not trip.cancelled() else None
        finally:
            del self.trips[number]
            self.core.liveness.stop_measuring(number)
