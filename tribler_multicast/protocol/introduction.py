"""
What a node says of itself: the body of an INTRODUCTION and of a SOLICITATION, behind the address that it leaves from;
also carried by RESPONSE, CONFIRM and ANSWER.
"""
from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from .limits import LEAST_ANNOUNCED_INTERVAL, MAX_CLIENT_ADDRESSES, MAX_NICKNAME, MOST_ANNOUNCED_INTERVAL
from .wire import Address, Reader, WireError

if TYPE_CHECKING:
    from collections.abc import Iterable

CAPABILITIES: Final = ("tribler", "search", "torrents", "coded", "recode", "stream", "weather", "tracker")
"""Names of the capability bits, lowest first. Unknown bits of newer nodes are ignored."""


class Service(IntEnum):
    """
    What listens at an address of the hosting client.
    """

    IPV8 = 1
    LIBTORRENT = 2


def pack_capabilities(names: Iterable[str]) -> bytes:
    """
    Write capabilities as two bytes of bits.

    :raises ValueError: for an unknown name.
    """
    bits = 0
    for name in names:
        bits |= 1 << CAPABILITIES.index(name)
    return bits.to_bytes(2, "big")


def unpack_capabilities(bits: int) -> frozenset[str]:
    """
    Get the names of the known bits.
    """
    return frozenset(name for number, name in enumerate(CAPABILITIES) if bits >> number & 1)


def clean_nickname(raw: bytes) -> str:
    """
    Get a nickname that is safe to show on a line: no control, format or surrogate characters, however it was encoded.
    """
    text = raw[:MAX_NICKNAME].decode(errors="ignore")
    return "".join(c for c in text if unicodedata.category(c)[0] != "C").strip()


@dataclass(frozen=True, slots=True)
class Introduction:
    """
    What a node says of itself.

    `interval` is the longest time (seconds) until its next introduction, `services` where its hosting client listens.
    """

    interval: float
    capabilities: frozenset[str] = frozenset()
    nickname: str = ""
    services: tuple[tuple[Service, Address], ...] = ()

    def pack(self) -> bytes:
        """
        Write: interval in 1/10 s (2), capability bits (2), length (1) and UTF-8 of the nickname, number of services
        (1), each as service (1), address (7 or 19).
        """
        name = self.nickname.encode()
        if len(name) > MAX_NICKNAME:
            name = name[:MAX_NICKNAME].decode(errors="ignore").encode()
        services = self.services[:MAX_CLIENT_ADDRESSES]
        tenths = max(1, min(0xFFFF, round(self.interval * 10)))
        return b"".join((tenths.to_bytes(2, "big"), pack_capabilities(self.capabilities), bytes((len(name),)), name,
                         bytes((len(services),)),
                         *(bytes((service,)) + address.pack() for service, address in services)))

    @classmethod
    def read(cls, reader: Reader) -> Introduction:
        """
        Read what `pack` wrote.

        :raises WireError: when it is no introduction, or exceeds a limit.
        """
        interval = min(max(reader.number(2) / 10, LEAST_ANNOUNCED_INTERVAL), MOST_ANNOUNCED_INTERVAL)
        capabilities = unpack_capabilities(reader.number(2))
        length = reader.number(1)
        if length > MAX_NICKNAME:
            msg = "nickname too long"
            raise WireError(msg)
        nickname = clean_nickname(reader.take(length))
        count = reader.number(1)
        if count > MAX_CLIENT_ADDRESSES:
            msg = "too many addresses"
            raise WireError(msg)
        services = []
        for _ in range(count):
            number = reader.number(1)
            address = reader.address()
            if number in tuple(Service):
                services.append((Service(number), address))
        return cls(interval, capabilities, nickname, tuple(services))
