"""
Who was caught sending what is wrong: nobody asks it for anything again for a while, whatever it offers.
"""
from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from .limits import NAMED_FOR, NAMED_KEPT

if TYPE_CHECKING:
    from .courier import Courier

logger = logging.getLogger(__name__)

NEVER: Final = float("-inf")
RECALL_EACH: Final = 60.0
"""Seconds between two looks at who is remembered."""


class Named:
    """
    Peers that were named in a transfer (`session.events.PeerNamed`), for all transfers of this node.
    """

    def __init__(self, courier: Courier) -> None:
        """
        Who was named by an earlier process is known as soon as somebody asks.
        """
        self._courier = courier
        self._until: dict[bytes, float] = {}
        self._recalled = NEVER

    def add(self, mid: bytes, now: float) -> None:
        """
        Note somebody; the first time it is said in the log.
        """
        if not self.has(mid, now):
            logger.warning("The peer %s sent data that is certainly wrong: nothing is asked of it for %.0f minutes",
                           mid.hex(), NAMED_FOR / 60)
        self._courier.set_named(mid)
        self._keep(mid, now + NAMED_FOR)

    def _keep(self, mid: bytes, until: float) -> None:
        self._until.pop(mid, None)
        self._until[mid] = until
        if len(self._until) > NAMED_KEPT:
            del self._until[next(iter(self._until))]

    def _recall(self, now: float) -> None:
        """
        Look from time to time who is remembered: in a file, which is no place for a look at each message.
        """
        if now - self._recalled < RECALL_EACH:
            return
        self._recalled = now
        for mid in self._courier.named():
            self._keep(mid, max(self._until.get(mid, NEVER), now + 2 * RECALL_EACH))

    def mids(self, now: float) -> list[bytes]:
        """
        Get who was named lately.
        """
        self._recall(now)
        return [mid for mid, until in self._until.items() if now < until]

    def has(self, mid: bytes, now: float) -> bool:
        """
        Tell whether somebody was named lately.
        """
        self._recall(now)
        return now < self._until.get(mid, NEVER)
