"""
The weather on links where this node only listens: it can verify nobody there, because that takes an answer.

So what is heard there is signed but anybody's: who is on the link may say what he wants, with as many keys as he wants.
It has crossed no router, it is newer than what that key said before, and there is little of it; those who take it in
believe less of it (`weather.claims`). Everything else is dropped before anybody looks at its signature.
"""
from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from .budget import KeyedBuckets, TokenBucket
from .events import WeatherOverheard
from .identity import mid_of
from .limits import MAX_OVERHEARD, MAX_WEATHER, OVERHEARD_BURST, OVERHEARD_PER_SECOND, WEATHER_BURST, WEATHER_PER_SECOND
from .replay import ReplayWindow
from .wire import KIND_NAMES, Header, Kind, is_signed, parse

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .links import Arrival

LISTENING: Final = "listening"
"""Why the gate drops what comes by a silent link."""


class Overhearing:
    """
    What one protocol instance hears where it says nothing.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Hear nothing, until somebody wants it.
        """
        self.core = core
        self.wanted = False
        self.sources = KeyedBuckets(WEATHER_PER_SECOND, WEATHER_BURST, MAX_OVERHEARD)
        self.all = TokenBucket(OVERHEARD_PER_SECOND, OVERHEARD_BURST)
        self.heard: OrderedDict[bytes, tuple[int, ReplayWindow]] = OrderedDict()
        """By key: its epoch, and what was heard of that."""

    def take_in(self, data: bytes, arrival: Arrival, now: float) -> None:
        """
        Take in what came by a silent link, its form and its hops checked; most of it is dropped.
        """
        if not self.wanted or data[22] != Kind.WEATHER:
            self.core.counters.drop(LISTENING)
            return
        header = parse(data)
        reason = self.refuse(header, arrival, now)
        if reason is None and not is_signed(data, self.core.group.domain):
            reason = "bad_signature"
        if reason is not None:
            self.core.counters.drop(reason)
            return
        self.note(header)
        self.core.counters.received[KIND_NAMES[header.kind]] += 1
        self.core.events.append(WeatherOverheard(mid_of(header.signer), arrival.link, arrival.source[0],
                                                 header.payload))

    def refuse(self, header: Header, arrival: Arrival, now: float) -> str | None:
        """
        Get the reason to drop it before its signature is checked, None when there is none.
        """
        core = self.core
        link = core.links.get(arrival.link)
        if link is None or not link.is_on_link(arrival.source[0]):
            return "off_link"
        if header.signer == core.identity.key:
            return "own"
        if len(header.payload) > MAX_WEATHER:
            return "oversize"
        if core.policy.friends_only and core.friends.state(header.signer) != "mutual":
            return "not_friend"
        epoch, window = self.heard.get(header.signer, (header.epoch, None))
        if header.epoch < epoch:
            return "old_epoch"
        if header.epoch == epoch and window is not None and not window.is_fresh(header.sequence):
            return "replay"
        return None if self.sources.take(arrival.source[0], now) and self.all.take(now) else "rate"

    def note(self, header: Header) -> None:
        """
        Remember how far a key has got; of many the oldest are forgotten.
        """
        epoch, window = self.heard.pop(header.signer, (header.epoch, ReplayWindow(header.sequence - 1)))
        if epoch != header.epoch:
            window = ReplayWindow(header.sequence - 1)
        window.add(header.sequence)
        self.heard[header.signer] = header.epoch, window
        while len(self.heard) > MAX_OVERHEARD:
            self.heard.popitem(last=False)

    def forget(self) -> None:
        """
        Begin anew.
        """
        self.heard.clear()
