"""
The three-message exchange that makes a peer local.

    CHALLENGE  initiator -> responder   initiator's nonce
    RESPONSE   responder -> initiator   responder's nonce; keys, addresses, nonces, epochs of both: proves the responder
    CONFIRM    initiator -> responder   the same, signed by the other: proves the initiator

All three travel by unicast with hop limit 255 and count only when they arrive with 255: they crossed no router (GTSM,
RFC 5082). Both sides sign both addresses as they see them, so a proxy that relays the messages of a node elsewhere is
found out: its addresses are not those that were signed. It proves both directions at once, like SIGMA (Krawczyk, 2003).

The responder keeps no state: its nonce is a keyed hash of what it saw, and must come back in the CONFIRM (as the
cookies of DTLS and IKEv2 do, RFC 6347 section 4.2.1). This module holds payloads and nonces; `exchange` decides.
"""
from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from hmac import compare_digest
from os import urandom
from typing import TYPE_CHECKING, Final

from .identity import GUARD_SIZE, KEY_SIZE
from .introduction import Introduction
from .limits import CHALLENGE_SIZE, MAX_PENDING_CHALLENGES, MAX_USED_NONCES, PENDING_LIFETIME, SECRET_LIFETIME
from .wire import OVERHEAD, Address, Header, Reader, packed_ip

if TYPE_CHECKING:
    from .links import Arrival
    from .peers import HostPort, LinkKey

NONCE_SIZE: Final = GUARD_SIZE


@dataclass(frozen=True, slots=True)
class Challenge:
    """
    Payload of a CHALLENGE: whom it is for, a nonce, and the addresses as the initiator sees them.
    """

    target: bytes
    nonce: bytes
    initiator: Address
    responder: Address

    def pack(self) -> bytes:
        """
        Write key (64), nonce (16), both addresses, zeros up to CHALLENGE_SIZE in all.
        """
        body = self.target + self.nonce + self.initiator.pack() + self.responder.pack()
        return body.ljust(CHALLENGE_SIZE - OVERHEAD, b"\0")

    @classmethod
    def unpack(cls, payload: bytes) -> Challenge:
        """
        Read what `pack` wrote.

        :raises WireError: when it is none.
        """
        reader = Reader(payload)
        return cls(reader.take(KEY_SIZE), reader.take(NONCE_SIZE), reader.address(), reader.address())


@dataclass(frozen=True, slots=True)
class Proof:
    """
    Payload of a RESPONSE or a CONFIRM: the other's key, a nonce (RESPONSE: the responder's, CONFIRM: the initiator's;
    the other one is the guard), the other's epoch, both addresses as the sender sees them, and who the sender is.
    """

    target: bytes
    nonce: bytes
    epoch: int
    initiator: Address
    responder: Address
    introduction: Introduction

    def pack(self) -> bytes:
        """
        Write key (64), nonce (16), epoch (8), both addresses, introduction.
        """
        return b"".join((self.target, self.nonce, self.epoch.to_bytes(8, "big"), self.initiator.pack(),
                         self.responder.pack(), self.introduction.pack()))

    @classmethod
    def unpack(cls, payload: bytes) -> Proof:
        """
        Read what `pack` wrote.

        :raises WireError: when it is none.
        """
        reader = Reader(payload)
        proof = cls(reader.take(KEY_SIZE), reader.take(NONCE_SIZE), reader.number(8), reader.address(),
                    reader.address(), Introduction.read(reader))
        reader.end()
        return proof


@dataclass(slots=True)
class Pending:
    """
    A CHALLENGE of ours that waits for its RESPONSE.
    """

    key: bytes
    nonce: bytes
    link: LinkKey
    address: HostPort
    sent: float


class PendingChallenges:
    """
    Our challenges under way, bounded in number and time; one per peer and link.
    """

    def __init__(self) -> None:
        """
        Start with none.
        """
        self.by_nonce: OrderedDict[bytes, Pending] = OrderedDict()
        self.by_path: dict[tuple[bytes, LinkKey], Pending] = {}

    def __len__(self) -> int:
        """
        Count them.
        """
        return len(self.by_nonce)

    def start(self, key: bytes, link: LinkKey, address: HostPort, now: float) -> Pending:
        """
        Make a new one, in place of an older one to the same peer on the same link.
        """
        self.expire(now)
        older = self.by_path.get((key, link))
        if older is not None:
            self.remove(older)
        if len(self.by_nonce) >= MAX_PENDING_CHALLENGES:
            self.remove(next(iter(self.by_nonce.values())))
        pending = Pending(key, urandom(NONCE_SIZE), link, address, now)
        self.by_nonce[pending.nonce] = pending
        self.by_path[key, link] = pending
        return pending

    def get(self, nonce: bytes, now: float) -> Pending | None:
        """
        Get the one with this nonce unless it is too old.
        """
        self.expire(now)
        return self.by_nonce.get(nonce)

    def remove(self, pending: Pending) -> None:
        """
        Forget one.
        """
        self.by_nonce.pop(pending.nonce, None)
        if self.by_path.get((pending.key, pending.link)) is pending:
            del self.by_path[pending.key, pending.link]

    def expire(self, now: float) -> None:
        """
        Forget those that are too old; they stand in the order they were sent.
        """
        while self.by_nonce:
            oldest = next(iter(self.by_nonce.values()))
            if now - oldest.sent < PENDING_LIFETIME:
                break
            self.remove(oldest)


class Secrets:
    """
    What the responder side knows instead of state: two secrets that rotate, and the nonces redeemed under them.
    """

    def __init__(self) -> None:
        """
        Start with fresh secrets.
        """
        self.current, self.previous = urandom(32), urandom(32)
        self.rotated: float | None = None
        self.used: set[bytes] = set()
        self.used_before: set[bytes] = set()

    def nonce(self, arrival: Arrival, header: Header, initiator_nonce: bytes, now: float) -> bytes:
        """
        Make the responder's nonce (16 bytes) for a challenge.
        """
        self.rotate(now)
        return self.hash(self.current, arrival, header, initiator_nonce)

    def is_nonce(self, arrival: Arrival, header: Header, now: float) -> bool:
        """
        Tell whether the guard of a CONFIRM is a nonce that we made for just that, not redeemed yet.
        """
        self.rotate(now)
        if header.guard in self.used or header.guard in self.used_before:
            return False
        initiator_nonce = header.payload[KEY_SIZE:KEY_SIZE + NONCE_SIZE]
        return any(compare_digest(header.guard,
                                  self.hash(secret, arrival, header, initiator_nonce))
                   for secret in (self.current, self.previous))

    def redeem(self, nonce: bytes, now: float) -> bool:
        """
        Let a nonce count, this once. False when there is no room to remember it: then it must not count.
        """
        self.rotate(now)
        if len(self.used) >= MAX_USED_NONCES:
            return False
        self.used.add(nonce)
        return True

    def rotate(self, now: float) -> None:
        """
        Change the secrets when it is time.
        """
        if self.rotated is None:
            self.rotated = now
        if now - self.rotated >= SECRET_LIFETIME:
            self.previous = self.current if now - self.rotated < 2 * SECRET_LIFETIME else urandom(32)
            self.current = urandom(32)
            self.used_before, self.used = self.used, set()
            self.rotated = now

    @staticmethod
    def hash(secret: bytes, arrival: Arrival, header: Header, initiator_nonce: bytes) -> bytes:
        """
        Hash what the responder saw, under a secret.
        """
        index, family = arrival.link
        ip, port = arrival.source
        seen = b"%b|%b|%d %d %d %d|%b" % (header.signer, initiator_nonce, header.epoch, index, family, port,
                                          packed_ip(family, ip))
        return blake2b(seen, key=secret, digest_size=NONCE_SIZE).digest()
