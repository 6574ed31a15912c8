"""
Which gateway a node is behind, in a form that tells only those who know that gateway.

Each summary has a salt of its own, and the hash of that and the gateway's hardware address. Who is behind the same
gateway finds it equal; for others two summaries of one network have nothing in common, wherever they were recorded.
"""
from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

SALT_SIZE: Final = 8
TAG_SIZE: Final = 8
DOMAIN: Final = b"tm-gateway-1"


class GatewayTag(NamedTuple):
    """
    A salt, and the tag it makes.
    """

    salt: bytes
    tag: bytes


def make_tag(gateway: str, salt: bytes) -> GatewayTag:
    """
    Make the tag of a gateway, by its hardware address, or its IP address where the former is not known.
    """
    return GatewayTag(salt, blake2b(gateway.encode(), digest_size=TAG_SIZE, salt=salt, person=DOMAIN).digest())


def find_gateway(tag: GatewayTag, gateways: Iterable[str]) -> str | None:
    """
    Find which of our gateways it is; None when it is another.
    """
    for gateway in gateways:
        if make_tag(gateway, tag.salt) == tag:
            return gateway
    return None
