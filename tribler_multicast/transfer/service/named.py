"""
Who was caught sending what is wrong: nobody asks it for anything again for a while, whatever it offers.
"""
from __future__ import annotations

import logging
from typing import Final

from .limits import NAMED_FOR, NAMED_KEPT

logger = logging.getLogger(__name__)

NEVER: Final = float("-inf")


class Named:
    """
    Peers that were named in a transfer (`session.events.PeerNamed`), for all transfers of this node.
    """

    def __init__(self) -> None:
        """
        Nobody is.
        """
        self._until: dict[bytes, float] = {}

    def add(self, mid: bytes, now: float) -> None:
        """
        Note somebody; the first time it is said in the log.
        """
        if not self.has(mid, now):
            logger.warning("The peer %s sent data that is certainly wrong: nothing is asked of it for %.0f minutes",
                           mid.hex(), NAMED_FOR / 60)
        self._until.pop(mid, None)
        self._until[mid] = now + NAMED_FOR
        if len(self._until) > NAMED_KEPT:
            del self._until[next(iter(self._until))]

    def mids(self, now: float) -> list[bytes]:
        """
        Get who was named lately.
        """
        return [mid for mid, until in self._until.items() if now < until]

    def has(self, mid: bytes, now: float) -> bool:
        """
        Tell whether somebody was named lately.
        """
        return now < self._until.get(mid, NEVER)
