"""
The announcements that were received, kept for programs that ask now and then.

It lives as long as the node and not only as long as somebody asks, so it is fed from the start of the community on.
What is kept is JSON already: its size is known to the byte, and a question is answered by putting pieces together.
"""
from __future__ import annotations

import json
import time
from collections import deque
from itertools import dropwhile
from typing import TYPE_CHECKING, Any

from ..protocol.values import to_json

if TYPE_CHECKING:
    from ..community.local_peer import LocalPeer

MAX_KEPT = 1000
"""Announcements that are kept, the newest."""

MAX_KEPT_BYTES = 16 * 1024 * 1024
"""Bytes of JSON that are kept. Stops a thousand of the largest announcements, each 512 KiB as JSON of bytes, from
taking half a gigabyte, and bounds the answer to whoever asks for all; the newest one is kept whatever its size."""


class Announcements:
    """
    The newest announcements received, each with a number of its own: 1, 2, 3... since the start of this node.
    """

    def __init__(self) -> None:
        """
        Nothing was received yet.
        """
        self.last = 0
        self._kept: deque[tuple[int, bytes]] = deque()
        self._bytes = 0

    def received(self, peer: LocalPeer, values: tuple[Any, ...]) -> None:
        """
        Keep one more, and forget the oldest that are too many; an announcement handler of the community.
        """
        entry = json.dumps({"seq": self.last + 1, "mid": peer.mid.hex(), "values": to_json(values),
                            "received_at": time.time()}).encode()
        self.last += 1
        self._kept.append((self.last, entry))
        self._bytes += len(entry)
        while len(self._kept) > MAX_KEPT or (self._bytes > MAX_KEPT_BYTES and len(self._kept) > 1):
            self._bytes -= len(self._kept.popleft()[1])

    def since(self, number: int) -> bytes:
        """
        All kept ones after this number, oldest first, as the JSON document that ``GET /announcements`` answers.
        """
        entries = dropwhile(lambda kept: kept[0] <= number, self._kept)
        return b'{"announcements": [%b], "last": %d}' % (b", ".join(entry for _, entry in entries), self.last)
