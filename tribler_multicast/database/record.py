"""
What is remembered of one peer.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from hashlib import sha1
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .limits import MAX_TOTAL, NAMED_FOR

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY_SIZE: Final = 74
"""Bytes of an IPv8 curve25519 public key: "LibNaCLPK:" and two keys of 32."""

FRIEND_STATES: Final = ("none", "sent", "received", "mutual")


@dataclass(frozen=True)
class PeerRecord:
    """
    One peer as the database knows it. Its lists belong to the database: read them, do not change them.

    ``public_key`` is IPv8's binary form, ``mid`` its SHA-1. Times are Unix seconds, ``rtt_ms`` milliseconds, totals
    bytes. An address is (family ``ipv4`` or ``ipv6``, ip, port). ``was_local`` stays true once ``is_local`` has been.

    ``friend`` is what this user chose and what the peer did, together; ``friend_refused``: this user said no, and the
    peer may not know yet. The serials are those of ``protocol.friends``: of our decision, of theirs, and of ours as far
    as they know it.

    ``total_up`` was given to the peer and ``total_down`` taken from it; ``helped_up`` and ``helped_down`` are the part
    of both that one receiver gave another. ``named_at``: when it was last caught sending bad data, None for never.

    ``receipt_given`` is the highest total that the peer signed to have taken from us, with its signature (hex);
    ``receipt_taken`` the highest that we signed to have taken from it and it agreed to, with its signature.
    """

    public_key: bytes
    mid: bytes
    nickname: str
    first_seen: float
    last_seen: float
    addresses: list[tuple[str, str, int]] = field(default_factory=list)
    interface: str | None = None
    rtt_ms: float | None = None
    capabilities: list[str] = field(default_factory=list)
    is_local: bool = False
    was_local: bool = False
    friend: str = "none"
    total_up: int = 0
    total_down: int = 0
    friend_refused: bool = False
    friend_serial: int = 0
    friend_their_serial: int = 0
    friend_acked: int = 0
    helped_up: int = 0
    helped_down: int = 0
    named_at: float | None = None
    receipt_given: int = 0
    receipt_given_signature: str = ""
    receipt_taken: int = 0
    receipt_taken_signature: str = ""

    def is_named(self, now: float) -> bool:
        """
        Whether it was caught in the last `NAMED_FOR` seconds; a time to come counts not. `now`: Unix seconds.
        """
        return self.named_at is not None and 0 <= now - self.named_at < NAMED_FOR

    @property
    def is_friend(self) -> bool:
        """
        Whether this user chose the peer. Being asked (``received``) is the other's choice: anyone can ask.
        """
        return self.friend in ("sent", "mutual")


class Traffic(NamedTuple):
    """
    Bytes that went to a peer and came from it; ``helped_*`` are the part of them that one receiver gave another.
    """

    up: int = 0
    down: int = 0
    helped_up: int = 0
    helped_down: int = 0

    def plus(self, other: Traffic) -> Traffic:
        """
        Both together.
        """
        return Traffic(*map(sum, zip(self, other, strict=True)))


def with_totals(record: PeerRecord, total: Traffic) -> PeerRecord:
    """
    The record with these totals, as far as they can be kept.
    """
    up, down, helped_up, helped_down = (min(MAX_TOTAL, max(0, number)) for number in total)
    return replace(record, total_up=up, total_down=down, helped_up=helped_up, helped_down=helped_down)


def higher_receipts(one: PeerRecord, other: PeerRecord) -> dict[str, Any]:
    """
    The receipts of two records of one peer: of each kind the higher one.
    """
    given = max(one, other, key=lambda record: record.receipt_given)
    taken = max(one, other, key=lambda record: record.receipt_taken)
    return {"receipt_given": given.receipt_given, "receipt_given_signature": given.receipt_given_signature,
            "receipt_taken": taken.receipt_taken, "receipt_taken_signature": taken.receipt_taken_signature}


def mid_of(public_key: bytes) -> bytes:
    """
    The 20-byte member id of an IPv8 public key. Raises ValueError for anything that cannot be such a key.
    """
    if not isinstance(public_key, bytes) or len(public_key) != KEY_SIZE:
        message = f"a public key has {KEY_SIZE} bytes"
        raise ValueError(message)
    return sha1(public_key).digest()


def clean_text(text: str) -> str:
    """
    The text with what UTF-8 cannot carry replaced: one such name must not make every later write fail.
    """
    return text.encode("utf-8", "replace").decode()


def clean_number(number: float) -> float:
    """
    The number as a float. Raises ValueError for infinity and not-a-number, which SQLite cannot keep.
    """
    if not math.isfinite(number):
        message = f"{number} is not a time or a duration"
        raise ValueError(message)
    return float(number)


def clean_addresses(addresses: Iterable[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    """
    Addresses as they are kept. Raises ValueError or TypeError where one is not (family, ip, port).
    """
    return [(clean_text(family), clean_text(ip), int(port)) for family, ip, port in addresses]


def to_columns(record: PeerRecord) -> dict[str, Any]:
    """
    The columns of the record's row; lists become JSON.
    """
    columns = dict(vars(record))
    columns["addresses"] = json.dumps(record.addresses)
    columns["capabilities"] = json.dumps(record.capabilities)
    return columns


def from_columns(columns: dict[str, Any]) -> PeerRecord:
    """
    The record of a row. Raises ValueError or TypeError where the row is none of ours.
    """
    public_key = bytes(columns["public_key"])
    capabilities = json.loads(columns["capabilities"])
    for time in ("first_seen", "last_seen", "named_at"):
        if time != "named_at" or columns[time] is not None:
            clean_number(columns[time])
    if mid_of(public_key) != columns["mid"] or columns["friend"] not in FRIEND_STATES:
        message = "a row that does not fit its key"
        raise ValueError(message)
    if not isinstance(capabilities, list) or not all(isinstance(name, str) for name in capabilities):
        message = "capabilities that are no list of names"
        raise ValueError(message)
    return PeerRecord(**{**columns, "public_key": public_key, "capabilities": capabilities,
                         "addresses": clean_addresses(json.loads(columns["addresses"]))})
