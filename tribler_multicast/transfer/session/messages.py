"""
The control messages of a session, byte by byte: payloads that the overlay signs or seals for the one they are for.

    OFFER    flags (1; bit 0: a session is running), receivers (2), manifest (n)
    JOIN     content id (32), largest k (1), flags (1; bit 0: send the manifest, bit 1: no multicast, bit 2: only
             sealed, bit 3: it helps), most that this receiver takes in kbit/s (4; 0: any), its UDP port for unicast
             data (2), segments that are lacking (n; as in reports, of segments)
    ACCEPT   content id (32), tag (8), key of the group's stream (32), key of the unicast stream (32), k (1), symbol
             size (2), flags (1; bit 0: data is sealed), manifest (n; none when it was not asked for)
    REFUSE   content id (32), reason (1)
    REPORT   tag (8), report (n): see reports
    LEAVE    tag (8), reason (1): the receiver goes
    FINISH   tag (8), reason (1): the sender ends the session

All integers are big-endian. ACCEPT holds keys: it is sealed for its receiver. The key of the unicast stream is new for
each JOIN that is accepted, that of the group for each session: nothing of an earlier time fits. (A JOIN that is
repeated before anything was reported gets the same ones: its ACCEPT was lost.) The session's group is derived from the
tag (`lan.session_group.group_of`) and joined by its receivers only.
"""
from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from ...coding import MAX_SYMBOLS
from ..content.manifest import ID_SIZE, MAX_MANIFEST
from .geometry import ROOM
from .limits import LEAST_K, LEAST_SYMBOL, MAX_CONTROL
from .packets import KEY_SIZE, TAG_SIZE
from .reports import Lacks, pack_lacks, read_lacks

if TYPE_CHECKING:
    Bytes = bytes | bytearray | memoryview

OFFER: Final = struct.Struct(">BH")
JOIN: Final = struct.Struct(f">{ID_SIZE}sBBIH")
ACCEPT: Final = struct.Struct(f">{ID_SIZE}s{TAG_SIZE}s{KEY_SIZE}s{KEY_SIZE}sBHB")
REFUSE: Final = struct.Struct(f">{ID_SIZE}sB")
END: Final = struct.Struct(f">{TAG_SIZE}sB")
RUNNING: Final = 1
MANIFEST_WANTED: Final = 1
NO_MULTICAST: Final = 2
ONLY_SEALED: Final = 4
HELPS: Final = 8
SEALED: Final = 1
LACKS_ROOM: Final = MAX_CONTROL - JOIN.size

Code = TypeVar("Code", bound=IntEnum)


class Refusal(IntEnum):
    """
    Why somebody may not join.
    """

    UNKNOWN = 0
    """There is no such content here (any more)."""
    POLICY = 1
    FULL = 2
    MALFORMED = 3
    """What it asked for can't be."""
    PARTLY = 4
    """It is not whole here, but some of it is: ask by HELP."""


class Ending(IntEnum):
    """
    Why somebody goes, or a session ends.
    """

    DONE = 0
    CANCELLED = 1
    CHANGED = 2
    """The content is not what it was."""
    FAILED = 3
    """A disk that is full, or broken."""


class Offer(NamedTuple):
    """
    There is a content. `manifest` is packed, and not checked here.
    """

    is_running: bool
    receivers: int
    manifest: bytes

    def pack(self) -> bytes:
        """
        Write it.
        """
        return OFFER.pack(RUNNING if self.is_running else 0, min(self.receivers, 0xFFFF)) + self.manifest

    @classmethod
    def read(cls, payload: Bytes) -> Offer | None:
        """
        Read one off the wire; None when it is none. Never raises.
        """
        if not OFFER.size < len(payload) <= OFFER.size + MAX_MANIFEST:
            return None
        flags, receivers = OFFER.unpack_from(payload)
        return cls(bool(flags & RUNNING), receivers, bytes(payload[OFFER.size:]))


class Join(NamedTuple):
    """
    Somebody wants a content. `rate` in kbit/s, 0: any. `port`: where unicast data goes. What is lacking, packed, tells
    of segments: read it with `lacks`. `sealed`: data in clear would not be taken. `helps`: it asks others for what it
    lacks, and us for what they have not.
    """

    content_id: bytes
    largest_k: int
    wants_manifest: bool
    no_multicast: bool
    rate: int
    port: int
    packed_lacks: bytes
    sealed: bool = False
    helps: bool = False

    @classmethod
    def of(cls, content_id: bytes, lacks: Lacks, port: int, *, largest_k: int = MAX_SYMBOLS,  # noqa: PLR0913
           wants_manifest: bool = False, no_multicast: bool = False, rate: int = 0, sealed: bool = False,
           helps: bool = False) -> Join:
        """
        Ask for the segments that are lacking.
        """
        return cls(content_id, largest_k, wants_manifest, no_multicast, min(rate, 0xFFFFFFFF), port, pack_lacks(lacks),
                   sealed, helps)

    def pack(self) -> bytes:
        """
        Write it.
        """
        flags = ((MANIFEST_WANTED if self.wants_manifest else 0) | (NO_MULTICAST if self.no_multicast else 0)
                 | (ONLY_SEALED if self.sealed else 0) | (HELPS if self.helps else 0))
        return JOIN.pack(self.content_id, self.largest_k, flags, self.rate, self.port) + self.packed_lacks

    def lacks(self, segments: int) -> Lacks | None:
        """
        Get what is lacking of a content of so many segments; None when that can't be.
        """
        return read_lacks(self.packed_lacks, segments)

    @classmethod
    def read(cls, payload: Bytes) -> Join | None:
        """
        Read one off the wire; None when it is none. Never raises.
        """
        if not JOIN.size < len(payload) <= MAX_CONTROL:
            return None
        content_id, largest_k, flags, rate, port = JOIN.unpack_from(payload)
        if largest_k < LEAST_K or not port:
            return None
        return cls(content_id, largest_k, bool(flags & MANIFEST_WANTED), bool(flags & NO_MULTICAST), rate, port,
                   bytes(payload[JOIN.size:]), bool(flags & ONLY_SEALED), bool(flags & HELPS))


class Accept(NamedTuple):
    """
    Somebody may join: what it needs to read the data. `manifest` is packed, and not checked here. `sealed`: bodies of
    datagrams are encrypted.
    """

    content_id: bytes
    tag: bytes
    group_key: bytes
    unicast_key: bytes
    k: int
    symbol: int
    sealed: bool = False
    manifest: bytes = b""

    def pack(self) -> bytes:
        """
        Write it.
        """
        return ACCEPT.pack(*self[:6], SEALED if self.sealed else 0) + self.manifest

    @classmethod
    def read(cls, payload: Bytes) -> Accept | None:
        """
        Read one off the wire; None when it is none. Never raises.
        """
        if not ACCEPT.size <= len(payload) <= ACCEPT.size + MAX_MANIFEST:
            return None
        content_id, tag, group_key, unicast_key, k, symbol, flags = ACCEPT.unpack_from(payload)
        found = cls(content_id, tag, group_key, unicast_key, k, symbol, bool(flags & SEALED),
                    bytes(payload[ACCEPT.size:]))
        if found.k < LEAST_K or not LEAST_SYMBOL <= found.symbol <= ROOM - found.k:
            return None
        return found


def pack_refusal(content_id: bytes, reason: Refusal) -> bytes:
    """
    Write a REFUSE.
    """
    return REFUSE.pack(content_id, reason)


def read_refusal(payload: Bytes) -> tuple[bytes, Refusal] | None:
    """
    Read a REFUSE off the wire: content id and reason; None when it is none. Never raises.
    """
    if len(payload) != REFUSE.size:
        return None
    content_id, reason = REFUSE.unpack(payload)
    return (content_id, Refusal(reason)) if reason in list(Refusal) else None


def pack_end(tag: bytes, reason: Ending) -> bytes:
    """
    Write a LEAVE or FINISH.
    """
    return END.pack(tag, reason)


def read_end(payload: Bytes) -> tuple[bytes, Ending] | None:
    """
    Read a LEAVE or FINISH off the wire: tag and reason; None when it is none. Never raises.
    """
    if len(payload) != END.size:
        return None
    tag, reason = END.unpack(payload)
    return (tag, Ending(reason)) if reason in list(Ending) else None


def pack_report(tag: bytes, report: bytes) -> bytes:
    """
    Write a REPORT.
    """
    return tag + report


def read_report(payload: Bytes) -> tuple[bytes, bytes] | None:
    """
    Get tag and report of a REPORT; None when it is none. Never raises.
    """
    if not TAG_SIZE < len(payload) <= MAX_CONTROL:
        return None
    return bytes(payload[:TAG_SIZE]), bytes(payload[TAG_SIZE:])
