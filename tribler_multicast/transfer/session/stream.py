"""
Streams: at the sender datagrams are numbered and sealed, at a receiver they are opened.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from .kernels import BEST
from .packets import HEAD, MAC_SIZE, NUMBERED, OVERHEAD, UNICAST, microseconds, sealing_keys

if TYPE_CHECKING:
    from .fallback_datagrams import Streams
    from .kernels import Way
    from .packets import Bytes


class Stream:
    """
    A stream to the group or to one receiver. `sequence` is that of the last datagram.
    """

    def __init__(self, tag: bytes, key: bytes, unicast: bool, way: Way = BEST, *, sealed: bool = False) -> None:
        """
        Begin with sequence 1.

        :param sealed: whether bodies are encrypted. The key was never used before, and is of this stream alone.
        """
        self.tag = tag
        self.way = UNICAST if unicast else 0
        self._cipher = None
        if sealed:
            key, self._cipher = sealing_keys(key, tag, self.way)
        self.sequence = 0
        self._key = way.datagrams.mac_key(key)
        self._seal, self._lay = way.datagrams.seal, way.datagrams.lay

    def finish(self, form: int, datagrams: bytearray, size: int, now: float, ask: int) -> bytearray:
        """
        Write heads and MACs into datagrams of `size` bytes each, whose bodies are written; they are encrypted here.

        :raises ValueError: when there are no sequences left: none is used twice.
        """
        self._seal(datagrams, size, form + self.way, self.tag, self.sequence + 1, microseconds(now), ask, self._key,
                   self._cipher)
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


def arriving(way: Way, tag: bytes, group_key: bytes | None, unicast_key: bytes | None, *, sealed: bool) -> Streams:
    """
    Make what takes the datagrams of such streams at a receiver. None: there is no such stream.
    """
    if not sealed:
        return way.datagrams.Streams(tag, group_key, unicast_key)
    group = (None, None) if group_key is None else sealing_keys(group_key, tag, 0)
    unicast = (None, None) if unicast_key is None else sealing_keys(unicast_key, tag, UNICAST)
    return way.datagrams.Streams(tag, group[0], unicast[0], group[1], unicast[1])
