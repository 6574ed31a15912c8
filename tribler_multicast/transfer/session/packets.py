"""
The datagrams of the data stream, byte by byte. They go to the session's group, or by unicast to one receiver.

    offset  size  field
         0     1  form: c1 numbered, c2 recoded, c3 proof, c4 heartbeat; + 10 (hexadecimal): by unicast
         1     8  tag of the session
         9     4  sequence, from 1: of the group, or of the unicast to this receiver
        13     4  time at the sender, microseconds modulo 2^32
        17     1  bit 7: report at once; bits 6-0: seconds / 200 from one report to the next
        18     n  body
      18+n    16  BLAKE2b (keyed, 16 bytes) over all of the above, under the key of the stream

    numbered    generation (4), number (4): below its size that symbol itself, else the seed of a combination, symbol
    recoded     generation (4), vector (as many bytes as the generation has symbols), symbol
    proof       first segment (4), height (1), hashes (32 each): see content.tree
    heartbeat   0 (1): somebody lacks something; 1: nobody does

In a session that is sealed the body is encrypted (ChaCha20, RFC 8439, from block 1 on), then the MAC is made: over what
is on the wire. Both keys are made of that of the stream (`sealing_keys`), the nonce is bytes 1 to 12 of the datagram,
tag and sequence: no sequence is used twice under a key, and at LAST_SEQUENCE a session ends.

No datagram of IPv8 begins with such a byte, so both can come to one socket. All integers are big-endian. Of 1,452 bytes
42 are not symbol or vector. The key of the group is held by all members: it says that a member sent this, no more. The
key of a unicast stream is held by the sender and one receiver.
"""
from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final, TypeAlias

from .limits import LEAST_INTERVAL, MAX_INTERVAL, PROOF_ROOM

Bytes: TypeAlias = bytes | bytearray | memoryview

NUMBERED: Final = 0xC1
RECODED: Final = 0xC2
PROOF: Final = 0xC3
HEARTBEAT: Final = 0xC4
UNICAST: Final = 0x10
FORMS: Final = frozenset(form + way for form in (NUMBERED, RECODED, PROOF, HEARTBEAT) for way in (0, UNICAST))

HEAD: Final = struct.Struct(">B8sIIB")
PLACE: Final = struct.Struct(">II")
RUN: Final = struct.Struct(">IB")
GENERATION_AT: Final = HEAD.size
NUMBER_AT: Final = GENERATION_AT + 4
SYMBOL_AT: Final = NUMBER_AT + 4
MAC_SIZE: Final = 16
TAG_SIZE: Final = 8
KEY_SIZE: Final = 32
AT_ONCE: Final = 0x80
STEP: Final = LEAST_INTERVAL
CLOCK: Final = 1 << 32
NONCE: Final = slice(1, 1 + TAG_SIZE + 4)
"""Where in a datagram the nonce is."""
SEAL_DOMAIN: Final = b"tm-data-seal-1"
LEAST: Final = HEAD.size + 1 + MAC_SIZE
OVERHEAD: Final = SYMBOL_AT + MAC_SIZE
"""Bytes of a numbered datagram that are not symbol."""


def sealing_keys(key: bytes, tag: bytes, way: int) -> tuple[bytes, bytes]:
    """
    Get the keys of a stream that is sealed: of the MACs and of the cipher (32 bytes each). So nothing of one that is
    sealed passes in one that is not.

    :param way: `UNICAST`, or 0 for the group's stream.
    """
    made = blake2b(bytes((way,)) + tag, key=key, digest_size=2 * KEY_SIZE, person=SEAL_DOMAIN).digest()
    return made[:KEY_SIZE], made[KEY_SIZE:]


def microseconds(now: float) -> int:
    """
    Get a time as datagrams carry it.
    """
    return int(now * 1e6) % CLOCK


def asked(interval: float, at_once: bool = False) -> int:
    """
    Get the byte that says how often to report.
    """
    steps = round(min(max(interval, LEAST_INTERVAL), MAX_INTERVAL) / STEP)
    return steps | (AT_ONCE if at_once else 0)


def interval_of(ask: int) -> float:
    """
    Get the seconds from one report to the next that such a byte asks for.
    """
    return min(max(1, ask & ~AT_ONCE) * STEP, MAX_INTERVAL)


def pack_proof(first: int, height: int, hashes: bytes) -> bytes:
    """
    Write the body of a proof.
    """
    return RUN.pack(first, height) + hashes


def read_proof(body: memoryview) -> tuple[int, int, bytes] | None:
    """
    Read the body of a proof: first segment, height, hashes; None when it is none.
    """
    if not RUN.size < len(body) <= RUN.size + PROOF_ROOM:
        return None
    first, height = RUN.unpack_from(body)
    return first, height, bytes(body[RUN.size:])
