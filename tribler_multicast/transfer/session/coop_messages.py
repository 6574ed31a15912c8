"""
The messages of cooperation, byte by byte: payloads that the overlay seals for the one they are for (kinds 35 to 39).

    MEMBERS  tag of the session (8), flags (1; bit 0: these are all, bit 1: leave the group, bit 2: be in the group),
             member ids (20 each): from the source, who else receives
    HELP     content id (32), k (1), symbol size (2), tag of the stream (8), its key (32), UDP port for data (2), number
             from 1 (4), pace in kbit/s (4), flags (1; bit 0: answer with a HAVE, bit 1: nothing that is not checked,
             bit 2: encrypted), a segment whose hash proof is missing, + 1, or 0 (4),
             highest sequence that came on the stream (4), what is wanted (n)
    SUMS     tag of the session (8), key (32), then again and again: generation (4), secure random checksums of its n
             symbols (8 x n): from the source, of nobody else's use (coding/checksums)
    ALARM    tag of the session (8), segments whose checksums are wanted (n; as lacking ones in JOIN): to the source
    HAVE     content id (32), flags (1; bit 0: of this content there is nothing here), segments that are not whole there
             (n; as in JOIN)

What is wanted, of one generation after the other:

    gap (v)     generations that nothing is wanted of, since the one before (the first time: since 0)
    wanted (1)  packets, 1 to 255
    state (1)   0: nothing of it is here; else how many coded packets are, + 1, and then
    symbols     those that are here: a bit each, the first lowest, as many bytes as it takes

A HELP says all there is to know, so that a helper need not have heard of the one before. Who asks chooses key and tag
of the stream: what comes on it was made by the helper, by nobody else, and the tag tells who that is before the key is
tried. The answer goes to the address of the peer that sealed the HELP: nobody can order data for others. It ends with
an *account*, a heartbeat of that stream:

    number (4), packets that were sent (1 each, as wanted, 255 for more)

(v) as in reports. All integers are big-endian.
"""
from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from ...coding import MAX_SYMBOLS
from ...coding.checksums import FUNCTIONALS
from ..content.manifest import ID_SIZE
from .coop_limits import MAX_ASKED, MAX_PACKETS_ASKED
from .limits import MAX_CONTROL
from .packets import KEY_SIZE, TAG_SIZE
from .reports import VARINT_BYTES, Lacks, pack_lacks, read_lacks, read_varint, varint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .geometry import Geometry

    Bytes = bytes | bytearray | memoryview

MID_SIZE: Final = 20
MEMBERS: Final = struct.Struct(f">{TAG_SIZE}sB")
HELP: Final = struct.Struct(f">{ID_SIZE}sBH{TAG_SIZE}s{KEY_SIZE}sHIIBII")
HAVE: Final = struct.Struct(f">{ID_SIZE}sB")
ACCOUNT: Final = struct.Struct(">I")
ALL: Final = 1
LEAVE_GROUP: Final = 2
BE_IN_GROUP: Final = 4
HAVE_WANTED: Final = 1
CHECKED: Final = 2
SEALED: Final = 4
NOTHING: Final = 1
SUMS: Final = struct.Struct(f">{TAG_SIZE}s{KEY_SIZE}s")
SUMS_ROOM: Final = MAX_CONTROL - SUMS.size
LARGEST_CHECKED: Final = (SUMS_ROOM - 4) // FUNCTIONALS
"""Symbols of a generation whose checksums fit into a message."""
MIDS_EACH: Final = (MAX_CONTROL - MEMBERS.size) // MID_SIZE
WANTED_ROOM: Final = MAX_CONTROL - HELP.size
LARGEST_WANT: Final = VARINT_BYTES + 2 + -(-MAX_SYMBOLS // 8)
MOST_WANTED: Final = 255
LACKS_ROOM: Final = MAX_CONTROL - HAVE.size


class Want(NamedTuple):
    """
    So many packets of a generation are wanted by somebody who has these symbols (a bit each), and so many coded packets
    besides; `coded` None: nothing at all.
    """

    generation: int
    packets: int
    coded: int | None = None
    symbols: int = 0

    @property
    def rank(self) -> int:
        """
        How many independent packets of it are there.
        """
        return self.symbols.bit_count() + (self.coded or 0)


class Help(NamedTuple):
    """
    Somebody wants packets. `pace` in bytes per second.
    """

    content_id: bytes
    k: int
    symbol: int
    tag: bytes
    key: bytes
    port: int
    number: int
    pace: float
    wants_have: bool
    wants_checked: bool
    sealed: bool
    proof: int | None
    highest: int
    wants: Sequence[Want]

    def pack(self, geometry: Geometry) -> bytes:
        """
        Write it.
        """
        return HELP.pack(*self[:7], min(max(int(self.pace / 125), 1), 0xFFFFFFFF),
                         (HAVE_WANTED if self.wants_have else 0) | (CHECKED if self.wants_checked else 0)
                         | (SEALED if self.sealed else 0),
                         0 if self.proof is None else self.proof + 1, self.highest) + pack_wants(self.wants, geometry)

    @classmethod
    def read(cls, payload: Bytes, geometry: Geometry) -> Help | None:
        """
        Read one off the wire, of a session cut like this; None when it is none. Never raises.
        """
        if not HELP.size <= len(payload) <= MAX_CONTROL:
            return None
        content_id, k, symbol, tag, key, port, number, pace, flags, proof, highest = HELP.unpack_from(payload)
        if (k, symbol) != (geometry.k, geometry.symbol) or not number or proof > geometry.segments:
            return None
        wants = read_wants(payload[HELP.size:], geometry)
        if wants is None:
            return None
        return cls(content_id, k, symbol, tag, key, port, number, 125.0 * pace, bool(flags & HAVE_WANTED),
                   bool(flags & CHECKED), bool(flags & SEALED), proof - 1 if proof else None,
                   highest, wants)


def content_of(payload: Bytes) -> bytes | None:
    """
    Get which content a HELP or HAVE is about; None when it is neither.
    """
    return bytes(payload[:ID_SIZE]) if len(payload) >= HAVE.size else None


def cut_of(payload: Bytes) -> tuple[int, int] | None:
    """
    Get k and symbol size that a HELP is about; None when it is none.
    """
    return HELP.unpack_from(payload)[1:3] if len(payload) >= HELP.size else None


def is_to_source(payload: Bytes) -> bool:
    """
    Tell whether a HELP asks the source of its sender's session: it has a stream for that already.
    """
    return len(payload) >= HELP.size and not any(HELP.unpack_from(payload)[3])


def size_of(want: Want, before: int, geometry: Geometry) -> int:
    """
    Get how many bytes a want takes in a HELP behind one of another generation.
    """
    return len(varint(want.generation - before)) + 2 + (0 if want.coded is None
                                                        else -(-geometry.size(want.generation) // 8))


def pack_wants(wants: Sequence[Want], geometry: Geometry) -> bytes:
    """
    Write what is wanted: in the order of the generations.
    """
    out = bytearray()
    before = 0
    for want in wants:
        out += varint(want.generation - before) + bytes((want.packets, 0 if want.coded is None else want.coded + 1))
        if want.coded is not None:
            out += want.symbols.to_bytes(-(-geometry.size(want.generation) // 8), "little")
        before = want.generation + 1
    return bytes(out)


def read_wants(data: Bytes, geometry: Geometry) -> list[Want] | None:
    """
    Read what is wanted; None when it can't be: a generation that is not there, symbols or a rank that it has not, or
    more than anybody may ask for at once. Never raises.
    """
    wants: list[Want] = []
    at = before = total = 0
    try:
        while at < len(data):
            gap, at = read_varint(data, at)
            generation = before + gap
            if generation >= geometry.generations or at + 2 > len(data) or len(wants) >= MAX_ASKED:
                return None
            size = geometry.size(generation)
            packets, state = data[at], data[at + 1]
            at += 2
            want = Want(generation, packets)
            if state:
                length = -(-size // 8)
                want = Want(generation, packets, state - 1, int.from_bytes(data[at:at + length], "little"))
                at += length
            total += packets
            if at > len(data) or not packets or want.symbols >> size or want.rank >= size or total > MAX_PACKETS_ASKED:
                return None
            wants.append(want)
            before = generation + 1
    except ValueError:
        return None
    return wants


class Members(NamedTuple):
    """
    Who else is in a session. `group`: whether to be in its group; None: as before.
    """

    tag: bytes
    is_all: bool
    mids: Sequence[bytes]
    group: bool | None = None

    def pack(self) -> bytes:
        """
        Write it.
        """
        group = 0 if self.group is None else BE_IN_GROUP if self.group else LEAVE_GROUP
        return MEMBERS.pack(self.tag, (ALL if self.is_all else 0) | group) + b"".join(self.mids)

    @classmethod
    def read(cls, payload: Bytes) -> Members | None:
        """
        Read one off the wire; None when it is none. Never raises.
        """
        if not MEMBERS.size <= len(payload) <= MAX_CONTROL or (len(payload) - MEMBERS.size) % MID_SIZE:
            return None
        tag, flags = MEMBERS.unpack_from(payload)
        group = None if not flags & (LEAVE_GROUP | BE_IN_GROUP) else bool(flags & BE_IN_GROUP)
        return cls(tag, bool(flags & ALL), [bytes(payload[at:at + MID_SIZE])
                                            for at in range(MEMBERS.size, len(payload), MID_SIZE)], group)


class Have(NamedTuple):
    """
    What somebody lacks, by segments; None: it has nothing at all of this content.
    """

    content_id: bytes
    lacks: Lacks | None

    @property
    def is_whole(self) -> bool:
        """
        Whether all of it is there.
        """
        return self.lacks is not None and not self.lacks.runs and not self.lacks.start

    def pack(self) -> bytes:
        """
        Write it.
        """
        return HAVE.pack(self.content_id, NOTHING if self.lacks is None else 0) + (
            b"" if self.lacks is None else pack_lacks(self.lacks))

    @classmethod
    def read(cls, payload: Bytes, segments: int) -> Have | None:
        """
        Read one off the wire, of a content of so many segments; None when it is none. Never raises.
        """
        if not HAVE.size <= len(payload) <= MAX_CONTROL:
            return None
        content_id, flags = HAVE.unpack_from(payload)
        if flags & NOTHING:
            return cls(content_id, None)
        lacks = read_lacks(payload[HAVE.size:], segments)
        return None if lacks is None else cls(content_id, lacks)


class Sums(NamedTuple):
    """
    Checksums of some generations, for one receiver.
    """

    tag: bytes
    key: bytes
    sums: Sequence[tuple[int, bytes]]

    def pack(self) -> bytes:
        """
        Write it.
        """
        return SUMS.pack(self.tag, self.key) + b"".join(generation.to_bytes(4, "big") + sums
                                                        for generation, sums in self.sums)

    @classmethod
    def read(cls, payload: Bytes, geometry: Geometry) -> Sums | None:
        """
        Read one off the wire; None when it is none. Never raises.
        """
        if not SUMS.size < len(payload) <= MAX_CONTROL:
            return None
        tag, key = SUMS.unpack_from(payload)
        found: list[tuple[int, bytes]] = []
        at = SUMS.size
        while at < len(payload):
            generation = int.from_bytes(payload[at:at + 4], "big")
            size = geometry.size(generation) if generation < geometry.generations else 0
            at += 4 + FUNCTIONALS * size
            if not size or at > len(payload):
                return None
            found.append((generation, bytes(payload[at - FUNCTIONALS * size:at])))
        return cls(tag, key, found)


def pack_alarm(tag: bytes, segments: Lacks) -> bytes:
    """
    Write an ALARM.
    """
    return tag + pack_lacks(segments)


def read_alarm(payload: Bytes, segments: int) -> tuple[bytes, Lacks] | None:
    """
    Read an ALARM off the wire, about a content of so many segments: tag, segments; None when it is none. Never raises.
    """
    if not TAG_SIZE < len(payload) <= MAX_CONTROL:
        return None
    lacks = read_lacks(payload[TAG_SIZE:], segments)
    return None if lacks is None else (bytes(payload[:TAG_SIZE]), lacks)


def pack_account(number: int, sent: Sequence[int]) -> bytes:
    """
    Write an account: what was sent for a HELP.
    """
    return ACCOUNT.pack(number) + bytes(min(count, 255) for count in sent)


def read_account(body: Bytes) -> tuple[int, bytes] | None:
    """
    Read the body of an account: number of the HELP, packets that were sent of each generation; None when it is none.
    """
    if len(body) < ACCOUNT.size:
        return None
    return ACCOUNT.unpack_from(body)[0], bytes(body[ACCOUNT.size:])
