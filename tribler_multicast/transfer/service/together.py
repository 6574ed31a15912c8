"""
Cooperation of all transfers of one node: what they share.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ...policy import NOBODY, checked_from_the_start
from ...protocol.identity import mid_of
from .named import Named

if TYPE_CHECKING:
    from collections import Counter

    from .courier import Courier, Options
    from .links import SendingLinks


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
