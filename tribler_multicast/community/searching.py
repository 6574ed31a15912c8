"""The community's part in search: ask the LAN, merge what comes, have the client's store answer others; downloads."""
from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..client import RESULT_KINDS, ClientError
from ..protocol.events import Asked, Event, ResultsFound, SearchEnded
from ..protocol.limits import MAX_SEARCH_TIMEOUT
from .found import INFOHASH_SIZE, Found, Merging
from .handlers import Handlers
from .lookups import Lookups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..client import Client, Result
    from ..protocol.answers import Question
    from ..protocol.core import MulticastProtocol
    from ..protocol.search import SearchRun
    from .local_peer import LocalPeer

SEARCH_TIMEOUT: Final = 1.0

MAX_HOLDERS: Final = 1024
"""Infohashes and file ids of which it is remembered who said to have them, the last found first: for downloads."""

PORT_PATIENCE: Final = 5.0
PORT_LOOK: Final = 0.1
"""Seconds that somebody who has a torrent may take to say where its BitTorrent listens, which may begin with that very
torrent; and how often that is looked for."""

MAX_SOURCES: Final = 20
"""Peers that one download is begun at: a large LAN does not take all of its connections."""


class Search(NamedTuple):
    """
    A search under way: what came, who wants to hear of it at once, who waits for the end.
    """

    merging: Merging
    partial: Handlers
    ended: asyncio.Future[None]


class Searching:
    """
    Lets a community that drives a protocol instance search, and answer searches.
    """

    core: MulticastProtocol
    client: Client | None
    searches: dict[SearchRun, Search]
    holders: OrderedDict[bytes, list[bytes]]
    lookups: Lookups | None

    def prepare_search(self) -> None:
        """
        Begin with nothing found.
        """
        self.searches, self.holders = {}, OrderedDict()
        self.lookups = None if self.client is None else Lookups(
            self.client, self.give_results, self.carried_results, self.carried_streams)

    def pump(self) -> None:
        """
        Send what the protocol says, act on what happened.
        """
        raise AssertionError

    def now(self) -> float:
        """
        Get the protocol's clock, in seconds.
        """
        raise AssertionError

    def carried_results(self, text: str, most: int) -> list[Result]:
        """
        Get what is sent coded here and has all words in its name.
        """
        raise AssertionError

    def carried_streams(self, text: str) -> list[Result]:
        """
        Get what is streamed live here and has all words in its name.
        """
        raise AssertionError

    def local_peers(self) -> list[LocalPeer]:
        """
        List the peers that are verified on our LAN now.
        """
        raise AssertionError

    # --- Asking.

    async def search(self, text: str, kinds: Iterable[str] = RESULT_KINDS, timeout: float = SEARCH_TIMEOUT,
                     partial: Callable[[list[Found]], Any] | None = None) -> list[Found]:
        """
        Ask all local peers what they have or know; get it merged: what more peers have first, then what fits the words
        better.

        It ends when all that can answer did, after `timeout` seconds at the latest. Meanwhile `partial` is called with
        what is new, or is now known of one more peer.

        :raises ValueError: with one line, for a text or kinds that can't be looked for, a timeout that can't be, or
            when too many searches are running already.
        """
        if not (math.isfinite(timeout) and 0 < timeout <= MAX_SEARCH_TIMEOUT):
            msg = f"timeout must be above 0 and at most {MAX_SEARCH_TIMEOUT:g} seconds"
            raise ValueError(msg)
        run = self.core.searches.start(text, kinds, timeout, self.now())
        search = Search(Merging(text), Handlers("results"), asyncio.get_running_loop().create_future())
        if partial is not None:
            search.partial.add(partial)
        self.searches[run] = search
        try:
            self.pump()
            await search.ended
        finally:
            del self.searches[run]
            self.core.searches.end(run)
        return search.merging.found()

    async def streams(self, timeout: float = SEARCH_TIMEOUT,
                      partial: Callable[[list[Found]], Any] | None = None) -> list[Found]:
        """
        Ask all local peers what they stream now, as `search` does.
        """
        return await self.search("", ("stream",), timeout, partial)

    def on_search_event(self, event: Event) -> None:
        """
        Act on what happened around searches.
        """
        if isinstance(event, Asked):
            if self.lookups is None:
                self.core.answers.give(event.question, None, self.now())
            else:
                self.lookups.ask(event.question)
        elif isinstance(event, ResultsFound):
            self.remember(event.peer.mid, event.results)
            search = self.searches.get(event.run)
            if search is not None:
                search.partial(search.merging.add(event.peer.mid, event.results))
        elif isinstance(event, SearchEnded):
            search = self.searches.get(event.run)
            if search is not None and not search.ended.done():
                search.ended.set_result(None)

    def give_results(self, question: Question, results: list[Result] | None) -> None:
        """
        Answer another node.
        """
        self.core.answers.give(question, results, self.now())
        # Not at once: this may be called while the protocol's events are gone through.
        asyncio.get_running_loop().call_soon(self.pump_if_running)

    def pump_if_running(self) -> None:
        """
        Send what is to be sent, if the LAN is open.
        """
        if self.core.started is not None:
            self.pump()

    # --- Downloads.

    def remember(self, mid: bytes, results: Iterable[Result]) -> None:
        """
        Remember who says to have a torrent or a shared file.
        """
        for result in results:
            if result.has and (len(result.id) == INFOHASH_SIZE or result.kind == "file"):
                mids = self.holders.setdefault(result.id, [])
                self.holders.move_to_end(result.id)
                if mid not in mids:
                    mids.append(mid)
                    del mids[:-MAX_SOURCES]
        while len(self.holders) > MAX_HOLDERS:
            self.holders.popitem(last=False)

    def torrent_addresses(self, peer: LocalPeer) -> list[tuple[str, int]]:
        """
        Get where BitTorrent of a peer listens on a network of ours, one address per family, IPv4 first.

        A peer announces what it likes, so IPv4 counts where it was verified, and IPv6 (where that is a link-local
        address, of no use here) on our link: nobody sends us to others.
        """
        verified = {ip for _, ip, _ in peer.addresses}
        announced = [(ip, port) for kind, ip, port in peer.services
                     if kind == "libtorrent" and port
                     and (ip in verified or (":" in ip and not ip.lower().startswith("fe80:")
                                             and any(link.is_on_link(ip) for link in self.core.links.values())))]
        return ([address for address in announced if ":" not in address[0]][:1]
                + [address for address in announced if ":" in address[0]][:1])

    async def wait_for_ports(self, holders: Iterable[bytes], mid: bytes | None) -> None:
        """
        Wait a little until one of those who have a torrent, or the one with this mid if it is among them, has said
        where its BitTorrent listens.
        """
        asked = {each for each in holders if mid in (None, each)}
        until = self.now() + PORT_PATIENCE
        while self.now() < until:
            here = [peer for peer in self.local_peers() if peer.mid in asked]
            if not here or any(self.torrent_addresses(peer) for peer in here):
                return
            await asyncio.sleep(PORT_LOOK)

    async def download(self, infohash: bytes, mid: bytes | None = None) -> list[bytes]:
        """
        Have the client download a torrent, not anonymously, from a local peer, or with no mid from those who said to
        have it, or else from all with BitTorrent; get their mids.

        :raises KeyError: when no local peer has this mid.
        :raises ClientError: with one line, when it can't be done.
        """
        if self.client is not None:
            await self.wait_for_ports(self.holders.get(infohash, ()), mid)
        peers = {peer.mid: peer for peer in self.local_peers()}
        if mid is not None:
            chosen = [peers[mid]]
        else:
            known = [peers[each] for each in self.holders.get(infohash, ()) if each in peers]
            chosen = [peer for peer in known if self.torrent_addresses(peer)] or list(peers.values())
        allowed = {peer.mid for peer in self.core.peers if self.core.policy.allows(peer)}
        sources = {peer.mid: self.torrent_addresses(peer) for peer in chosen if peer.mid in allowed}
        sources = dict([(each, found) for each, found in sources.items() if found][:MAX_SOURCES])
        if self.client is None:
            msg = "this node has no BitTorrent client"
            raise ClientError(msg)
        if not sources and mid is not None:
            msg = "that node takes no BitTorrent connections now"
            raise ClientError(msg, 409)
        if not sources:
            msg = "no local node takes BitTorrent connections"
            raise ClientError(msg)
        await self.client.download(infohash, [address for found in sources.values() for address in found])
        return list(sources)
