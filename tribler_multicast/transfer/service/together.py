"""
Cooperation of all transfers of one node: what they share, and where a message of it belongs.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...policy import NOBODY, checked_from_the_start
from ...protocol.identity import mid_of
from ...protocol.wire import Kind
from ..session.coop_messages import content_of
from ..session.packets import TAG_SIZE
from .named import Named

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from .courier import Courier, LinkKey, Options
    from .links import SendingLinks
    from .publishing import Publisher
    from .reception import Reception

COOPERATION: frozenset[Kind] = frozenset({Kind.MEMBERS, Kind.HELP, Kind.HAVE, Kind.SUMS, Kind.ALARM})


class Together:
    """
    What cooperation needs of the node.
    """

    def __init__(self, courier: Courier, options: Options, counters: Counter[str], links: SendingLinks) -> None:
        """
        Nobody was named yet.
        """
        self.courier = courier
        self.options = options
        self.counters = counters
        self.links = links
        self.named = Named(courier)

    @property
    def me(self) -> bytes:
        """
        Our own member id.
        """
        return mid_of(self.courier.identity.key)

    @property
    def is_on(self) -> bool:
        """
        Whether this node asks others, and answers them.
        """
        return bool(self.options.get("cooperate", True))

    @property
    def is_checked(self) -> bool:
        """
        Whether all that comes is checked packet by packet, from the start.
        """
        now = asyncio.get_running_loop().time()
        here = set(self.courier.neighbours())
        return checked_from_the_start(self.options.get("untrusted", NOBODY), strangers=not self.courier.must_seal,
                                      named=any(mid in here for mid in self.named.mids(now)))

    def dealt(self, mid: bytes, given: int, taken: int) -> None:
        """
        Count what one more receiver was given by us, and gave.
        """
        self.courier.count(mid, up=given, down=taken, helped=True)

    @property
    def cap(self) -> float:
        """
        Most bytes/s that are given; 0: any.
        """
        return float(self.options.get("transfer_rate", 0))

    def is_named(self, mid: bytes) -> bool:
        """
        Tell whether somebody was caught lately.
        """
        return self.named.has(mid, asyncio.get_running_loop().time())

    def may(self, mid: bytes) -> bool:
        """
        Tell whether we ask somebody, and answer.
        """
        return self.courier.may(mid) and not self.is_named(mid)


class Desk:
    """
    Hands over what others say.
    """

    def __init__(self, together: Together, publisher: Publisher,
                 receiving: Callable[[bytes], Reception | None], receptions: Callable[[], list[Reception]]) -> None:
        """
        :param receiving: gets the reception of a content.
        """
        self.together = together
        self.publisher = publisher
        self.receiving = receiving
        self.receptions = receptions
        self.counters = together.counters

    def take(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey, now: float) -> None:
        """
        Take a message of a verified peer.
        """
        name = kind.name.lower()
        if not self.together.is_on:
            self.counters[f"{name}: no cooperation"] += 1
        elif not self.together.courier.may(mid):
            self.counters[f"{name}: policy"] += 1
        elif self.together.is_named(mid):
            self.counters[f"{name}: named"] += 1
        elif kind in (Kind.MEMBERS, Kind.SUMS):
            tag = payload[:TAG_SIZE]
            found = [each for each in self.receptions() if each.is_in(tag)]
            if not found or not found[0].cooperation_received(mid, kind, payload, link):
                self.counters[f"{name}: no session of ours"] += 1
        elif kind == Kind.ALARM:
            if not self.publisher.alarm_received(mid, payload, now):
                self.counters["alarm: no receiver of it"] += 1
        elif not self._about_content(mid, kind, payload, link, now):
            self.counters[f"{name}: not here"] += 1

    def _about_content(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey, now: float) -> bool:
        """
        Take a HELP or HAVE; False when there is nobody here for it.
        """
        content_id = content_of(payload)
        if content_id is None:
            return False
        if kind == Kind.HELP and self.publisher.help_received(mid, content_id, payload, now):
            return True
        reception = self.receiving(content_id)
        if reception is not None and reception.cooperation_received(mid, kind, payload, link):
            return True
        return kind == Kind.HELP and self.publisher.holding.help_received(mid, content_id, payload, link)
