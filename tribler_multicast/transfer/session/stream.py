"""
The sender's side of a stream: datagrams are numbered and sealed.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from .kernels import BEST
from .packets import CLOCK, HEAD, MAC_SIZE, NUMBERED, OVERHEAD, UNICAST, microseconds

if TYPE_CHECKING:
    from .kernels import Way
    from .packets import Bytes


class Stream:
    """
    A stream to the group or to one receiver. `sequence` is that of the last datagram.
    """

    def __init__(self, tag: bytes, key: bytes, unicast: bool, way: Way = BEST) -> None:
        """
        Begin with sequence 1.
        """
        self.tag = tag
        self.way = UNICAST if unicast else 0
        self.sequence = 0
        self._key = way.datagrams.mac_key(key)
        self._seal, self._lay = way.datagrams.seal, way.datagrams.lay

    def finish(self, form: int, datagrams: bytearray, size: int, now: float, ask: int) -> bytearray:
        """
        Write heads and MACs into datagrams of `size` bytes each, whose bodies are written.
        """
        self._seal(datagrams, size, form + self.way, self.tag, (self.sequence + 1) % CLOCK, microseconds(now), ask,
                   self._key)
        self.sequence += len(datagrams) // size
        return datagrams

    def one(self, form: int, body: bytes, now: float, ask: int) -> bytearray:
        """
        Make one datagram.
        """
        datagram = bytearray(HEAD.size) + body + bytes(MAC_SIZE)
        return self.finish(form, datagram, len(datagram), now, ask)

    def systematic(self, segment: Bytes, symbol: int, schedule: bytes, first: int, count: int,  # noqa: PLR0913, PLR0917
                   generation: int, now: float, ask: int) -> bytearray:
        """
        Make the datagrams of symbols of a segment, `count` of a schedule (`Geometry.schedule`) from `first` on.

        :param generation: the first of the segment.
        """
        made = self._lay(segment, symbol, schedule, first, count, generation)
        return self.finish(NUMBERED, made, OVERHEAD + symbol, now, ask)
