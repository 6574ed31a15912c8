"""
What is written down of transfers about each peer: bytes given and taken, in batches, and who sent bad data.
"""
from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from ..database.record import Traffic
from ..protocol.identity import ipv8_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from .multicast import MulticastCommunity

WRITTEN_EACH: Final = 2.0
"""Seconds between two writes of bytes given and taken: what a process that is killed forgets at most. A write takes the
event loop a millisecond or two."""

MAX_UNWRITTEN: Final = 4096
"""Peers with bytes that are not written yet. Who is counted was verified, so this is a large LAN in 2 s."""


class Crediting:
    """
    Counts for the overlay of transfers, whose neighbours alone are counted.
    """

    def __init__(self, multicast: MulticastCommunity, taken: Callable[[bytes], None]) -> None:
        """
        Nothing is to be written.

        :param taken: is told from whom something was taken, once that is written.
        """
        self._taken = taken
        self.multicast = multicast
        self._unwritten: dict[bytes, Traffic] = {}

    def _key(self, mid: bytes) -> bytes | None:
        """
        Get the public key of a peer that is local, or that the database remembers.
        """
        peer = self.multicast.core.peers.of_mid(mid)
        if peer is not None:
            return ipv8_key(peer.key)
        record = None if self.multicast.database is None else self.multicast.database.peer_with_mid(mid)
        return None if record is None else record.public_key

    def count(self, mid: bytes, up: int, down: int, helped: bool) -> None:
        """
        Count bytes of data that went to a peer and came from it; `helped`: from one receiver to another.
        """
        before = self._unwritten.get(mid, Traffic())
        if mid in self._unwritten or len(self._unwritten) < MAX_UNWRITTEN:
            self._unwritten[mid] = before.plus(Traffic(up, down, up * helped, down * helped))

    def write(self) -> None:
        """
        Have the database write what was counted.
        """
        unwritten, self._unwritten = self._unwritten, {}
        if self.multicast.database is None:
            return
        found = {key: traffic for mid, traffic in unwritten.items() if (key := self._key(mid)) is not None}
        if found:
            self.multicast.database.add_traffic(found)
            for mid, traffic in unwritten.items():
                if traffic.down:
                    self._taken(mid)

    def set_named(self, mid: bytes) -> None:
        """
        Remember that a peer was caught sending bad data.
        """
        key = self._key(mid)
        if key is not None and self.multicast.database is not None:
            self.multicast.database.set_named(key, time.time())

    def named(self) -> frozenset[bytes]:
        """
        Get who was caught not long ago.
        """
        if self.multicast.database is None:
            return frozenset()
        return frozenset(record.mid for record in self.multicast.database.named(time.time()))
