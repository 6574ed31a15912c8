"""
Datagrams, byte by byte. `docs/protocol.md` is the prose to this module.

    offset  size  field
         0    22  IPv8 prefix: 00 02, community id; which of the two it is follows from the kind
        22     1  kind
        23     1  version of this protocol
        24     1  channel: the way it was sent; a datagram recorded on one channel counts on no other
        25    16  guard: what must fit before anybody looks at the signature; a stamp, a nonce, or the pair's
        41    64  signer: X25519 key, Ed25519 key
       105     8  epoch of the signer
       113     8  sequence number in that epoch
       121     n  payload
     121+n    64  Ed25519 signature over all of the above behind a domain string

All integers are big-endian.
"""
from __future__ import annotations

import struct
from enum import IntEnum
from hashlib import sha1
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Final, NamedTuple

from .identity import GUARD_SIZE, KEY_SIZE, SIGNATURE_DOMAIN, SIGNATURE_SIZE, Identity, pair_guard, verify
from .limits import MAX_DATAGRAM
from .stamp import make_stamp

COMMUNITY_ID: Final = sha1(b"tribler-multicast overlay 1", usedforsecurity=False).digest()
PREFIX: Final = b"\x00\x02" + COMMUNITY_ID
CODED_COMMUNITY_ID: Final = sha1(b"tribler-multicast coded transfer 1", usedforsecurity=False).digest()
CODED_PREFIX: Final = b"\x00\x02" + CODED_COMMUNITY_ID
"""Of the overlay of coded transfers, which has all else from the first: keys, epochs, sequence numbers, peers."""
PREFIXES: Final = (PREFIX, CODED_PREFIX)
VERSION: Final = 1

HEAD: Final = struct.Struct(">22sBBB16s64sQQ")
HEAD_REST: Final = struct.Struct(">64sQQ")
NO_GUARD: Final = bytes(GUARD_SIZE)
GUARD_START: Final = 25
GUARD_END: Final = GUARD_START + GUARD_SIZE
OVERHEAD: Final = HEAD.size + SIGNATURE_SIZE

IPV4: Final = 4
IPV6: Final = 6


class WireError(ValueError):
    """
    Bytes that are no datagram of ours.
    """


class Kind(IntEnum):
    """
    What a datagram says; IPv8 message numbers of the community.
    """

    INTRODUCTION = 1
    GOODBYE = 2
    CHALLENGE = 3
    RESPONSE = 4
    CONFIRM = 5
    PROBE = 6
    PROBE_REPLY = 7
    SOLICITATION = 8
    ANSWER = 9
    FRAGMENT = 10
    TRAILER = 11
    ASK = 12
    PING = 13
    PONG = 14
    SEALED = 15
    FRIEND = 16
    PULL = 17
    PAGE = 18
    TRAIN = 19
    TRAIN_END = 20
    TRAIN_REPORT = 21
    QUERY = 23
    RESULTS = 24
    FILE_REQUEST = 25
    FILE_ANSWER = 26
    OFFERS_WANTED = 27
    OFFER = 28
    JOIN = 29
    ACCEPT = 30
    REFUSE = 31
    REPORT = 32
    LEAVE = 33
    FINISH = 34
    MEMBERS = 35
    HELP = 36
    HAVE = 37
    SUMS = 38
    ALARM = 39
    WEATHER = 40
    RECEIPT = 45
    WHO_HAS = 46
    HAS = 47
    STREAMS_WANTED = 50
    ON_AIR = 51
    TUNE = 52
    TUNED = 53
    ROSTER = 54
    NEEDS = 55
    UNTUNE = 56


SEALED: Final = PREFIX + bytes((Kind.SEALED, VERSION))
"""What every sealed datagram begins with; its nonce is next."""
SEAL_NONCE_SIZE: Final = 24
SEAL_MAC_SIZE: Final = 16
SEAL_OVERHEAD: Final = 2 + SEAL_NONCE_SIZE + SEAL_MAC_SIZE
"""What a datagram grows by in a group: kind, version, nonce, authenticator."""
MAX_SIGNED: Final = MAX_DATAGRAM - SEAL_OVERHEAD
"""No signed datagram that we make is larger, so that it can be sealed."""

KIND_NAMES: Final = {int(kind): kind.name.lower() for kind in Kind}
MULTICAST_KINDS: Final = frozenset({Kind.INTRODUCTION, Kind.GOODBYE, Kind.SOLICITATION,
                                    Kind.FRAGMENT, Kind.TRAILER, Kind.PING,
                                    Kind.TRAIN, Kind.TRAIN_END, Kind.QUERY, Kind.WEATHER})
UNICAST_KINDS: Final = frozenset(set(Kind) - {Kind.INTRODUCTION, Kind.SOLICITATION, Kind.PING, Kind.SEALED,
                                              Kind.TRAIN, Kind.TRAIN_END, Kind.WEATHER})
TRAIN_PACKET: Final = 22
"""The kind byte of a packet of a train: not signed, and no Kind, because only who awaits it looks at it (`train`)."""
FRAGMENT_KINDS: Final = frozenset({Kind.FRAGMENT, Kind.TRAILER})
"""Of announcements: said by verified peers only, with budgets of their own."""
TRAIN_KINDS: Final = frozenset({Kind.TRAIN, Kind.TRAIN_END})
"""Around a packet train: said by verified peers only, with budgets of their own."""
PEERS_KINDS: Final = frozenset({Kind.GOODBYE, Kind.PING, Kind.QUERY, Kind.WEATHER}) | FRAGMENT_KINDS | TRAIN_KINDS
"""Said by multicast, and heard from verified peers in their confirmed epoch only."""
STAMPED_KINDS: Final = frozenset({Kind.INTRODUCTION, Kind.SOLICITATION, Kind.CHALLENGE})
"""Said by strangers, so that it takes a stamp to be heard."""
RANK_KINDS: Final = frozenset({Kind.REPORT, Kind.HELP, Kind.HAVE, Kind.SUMS, Kind.ALARM, Kind.NEEDS})
"""Of those below the ones that are said again and again while data comes: with budgets of their own."""
STREAM_KINDS: Final = frozenset({Kind.STREAMS_WANTED, Kind.ON_AIR, Kind.TUNE, Kind.TUNED, Kind.ROSTER, Kind.NEEDS,
                                 Kind.UNTUNE})
"""Around live streams."""
CODED_KINDS: Final = frozenset({Kind.OFFERS_WANTED, Kind.OFFER, Kind.JOIN, Kind.ACCEPT, Kind.REFUSE, Kind.LEAVE,
                                Kind.FINISH, Kind.MEMBERS, Kind.RECEIPT}) | RANK_KINDS | STREAM_KINDS
"""Around coded transfers and live streams: these, and no others, have the prefix of their overlay."""
PAIR_KINDS: Final = frozenset({Kind.PROBE, Kind.PROBE_REPLY, Kind.ANSWER, Kind.ASK, Kind.PONG,
                               Kind.FRIEND, Kind.PULL, Kind.PAGE, Kind.TRAIN_REPORT, Kind.RESULTS,
                               Kind.FILE_REQUEST, Kind.FILE_ANSWER, Kind.WHO_HAS, Kind.HAS}) | CODED_KINDS
"""Said only between verified peers, under a guard that both can make and nobody else. (A GOODBYE, FRAGMENT, TRAILER or
QUERY by unicast too.)"""
PAIR_SEALED: Final = 0x20
"""Bit of the channel byte: the payload is sealed for the pair (`pair_seal`)."""
SEARCH_KINDS: Final = frozenset({Kind.QUERY, Kind.RESULTS})
"""What somebody looks for and has: by unicast always sealed for the pair."""
FILE_KINDS: Final = frozenset({Kind.FILE_REQUEST, Kind.FILE_ANSWER})
"""Which shared file somebody wants, and what is made of it."""
SWARM_KINDS: Final = frozenset({Kind.WHO_HAS, Kind.HAS})
"""Who takes part in which torrent, for the trackers of nodes."""
ALWAYS_SEALED: Final = SEARCH_KINDS | FILE_KINDS | SWARM_KINDS | CODED_KINDS
"""What is never heard by unicast when it is not sealed for the pair: it is about content, or has keys in it."""
SEALABLE_KINDS: Final = frozenset({Kind.FRAGMENT, Kind.TRAILER, Kind.ASK}) | ALWAYS_SEALED
"""What may be sealed: also what is about an announcement, whose hash tells it to who guesses right."""


def prefix_of(kind: int) -> bytes:
    """
    Get the 22 bytes that a kind of datagram begins with.
    """
    return CODED_PREFIX if kind in CODED_KINDS else PREFIX


def channel_of(family: int, multicast: bool) -> int:
    """
    Get the channel byte: the family, 4 or 6, and 0x10 for unicast.
    """
    return family if multicast else family | 0x10


class Header(NamedTuple):
    """
    A signed datagram taken apart, and all of it; nothing in it is checked yet.
    """

    kind: int
    version: int
    channel: int
    guard: bytes
    signer: bytes
    epoch: int
    sequence: int
    payload: bytes
    data: bytes = b""


def parse(data: bytes) -> Header:
    """
    Take a signed datagram apart.

    :raises WireError: when it is too short.
    """
    if len(data) < OVERHEAD:
        msg = f"{len(data)} bytes are no signed datagram"
        raise WireError(msg)
    _, kind, version, channel, guard, signer, epoch, sequence = HEAD.unpack_from(data)
    return Header(kind, version, channel, guard, signer, epoch, sequence, data[HEAD.size:-SIGNATURE_SIZE],
                  data)


def is_signed(data: bytes, domain: bytes = SIGNATURE_DOMAIN) -> bool:
    """
    Check the signature of a datagram that `parse` took apart. A group has a `domain` of its own.
    """
    return verify(data[41:41 + KEY_SIZE], data[-SIGNATURE_SIZE:], data[:-SIGNATURE_SIZE], domain)


def without_guard(data: bytes) -> bytes:
    """
    Get what the guard of a datagram between verified peers is computed over.
    """
    return data[:GUARD_START] + data[GUARD_END:-SIGNATURE_SIZE]


class Writer:
    """
    Makes signed datagrams: counts the sequence number, signs.
    """

    def __init__(self, identity: Identity, epoch: int) -> None:
        """
        Write for one epoch of one node.
        """
        self.identity = identity
        self.epoch = epoch
        self.sequence = 0
        self.domain = SIGNATURE_DOMAIN

    def datagram(self, kind: Kind, channel: int, payload: bytes, guard: bytes = NO_GUARD,
                 pair_key: bytes | None = None) -> bytes:
        """
        Make a signed datagram. With a `pair_key` its guard is the one for that peer; kinds that strangers send get a
        stamp.
        """
        self.sequence += 1
        head = prefix_of(kind) + bytes((kind, VERSION, channel))
        rest = HEAD_REST.pack(self.identity.key, self.epoch, self.sequence) + payload
        if pair_key is not None:
            guard = pair_guard(pair_key, head + rest)
        elif kind in STAMPED_KINDS:
            guard = make_stamp(head + rest)
        data = head + guard + rest
        return data + self.identity.sign(data, self.domain)


class Address(NamedTuple):
    """
    An IP address with no scope, and a port.
    """

    family: int
    ip: str
    port: int

    def pack(self) -> bytes:
        """
        Write family (1), address (4 or 16), port (2).
        """
        return bytes((self.family,)) + packed_ip(self.family, self.ip) + self.port.to_bytes(2, "big")


def packed_ip(family: int, ip: str) -> bytes:
    """
    Get the bytes of an address, its scope left out.

    :raises WireError: when it is no address of that family.
    """
    try:
        return inet_pton(AF_INET if family == IPV4 else AF_INET6, ip.partition("%")[0])
    except (OSError, ValueError, UnicodeError) as e:
        msg = f"{ip!r} is no IPv{family} address"
        raise WireError(msg) from e


class Reader:
    """
    Reads a payload from front to back.
    """

    def __init__(self, data: bytes) -> None:
        """
        Start at the front.
        """
        self.data = data
        self.position = 0

    def take(self, size: int) -> bytes:
        """
        Read exactly so many bytes.

        :raises WireError: when there are fewer.
        """
        end = self.position + size
        if end > len(self.data):
            msg = "payload ends too soon"
            raise WireError(msg)
        taken = self.data[self.position:end]
        self.position = end
        return taken

    def number(self, size: int) -> int:
        """
        Read an unsigned integer of so many bytes.
        """
        return int.from_bytes(self.take(size), "big")

    def address(self) -> Address:
        """
        Read an address.

        :raises WireError: for an unknown family.
        """
        family = self.number(1)
        if family not in (IPV4, IPV6):
            msg = f"unknown address family {family}"
            raise WireError(msg)
        ip = inet_ntop(AF_INET if family == IPV4 else AF_INET6, self.take(4 if family == IPV4 else 16))
        return Address(family, ip, self.number(2))

    def end(self) -> None:
        """
        Check that nothing is left.

        :raises WireError: when something is.
        """
        if self.position != len(self.data):
            msg = "payload goes on too long"
            raise WireError(msg)
