"""
What a client asks of the tracker, read from the target of its request. Everything in it is a stranger's word.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from .limits import DEFAULT_ASKED, MAX_ASKED, MAX_SCRAPED

INFOHASH_SIZE: Final = 20
PEER_ID_SIZE: Final = 20
EVENTS: Final = frozenset({"", "empty", "started", "stopped", "completed", "paused"})
NUMBER: Final = re.compile(rb"[0-9]{1,20}")


class RequestError(ValueError):
    """
    A request that can't be answered: one line for the client's user.
    """


@dataclass(frozen=True, slots=True)
class Announce:
    """
    A client says that it takes part. There is no address in it: what counts is where it came from (BEP 3 lets a client
    name another one, by which somebody could have others connect to a victim).
    """

    infohash: bytes
    peer_id: bytes
    port: int
    left: int | None
    event: str = ""
    asked: int = DEFAULT_ASKED
    compact: bool = True
    no_peer_id: bool = False

    @property
    def is_seed(self) -> bool:
        """
        Whether it has all.
        """
        return self.left == 0


def fields_of(query: str) -> dict[str, list[bytes]]:
    """
    Get the values of each name; values are bytes, percent-encoded.
    """
    found: dict[str, list[bytes]] = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if name:
            found.setdefault(name, []).append(unquote_to_bytes(value))
    return found


def read_announce(query: str) -> Announce:
    """
    Read the query of an announce.

    :raises RequestError: when it is none.
    """
    fields = {name: values[0] for name, values in fields_of(query).items()}
    infohash, peer_id = fields.get("info_hash", b""), fields.get("peer_id", b"")
    if len(infohash) != INFOHASH_SIZE:
        raise RequestError("info_hash must have 20 bytes")
    if len(peer_id) != PEER_ID_SIZE:
        raise RequestError("peer_id must have 20 bytes")
    port = _number(fields, "port")
    if port is None or not 0 < port < 65536:
        raise RequestError("port must be from 1 to 65535")
    event = fields.get("event", b"").decode("ascii", "replace")
    if event not in EVENTS:
        raise RequestError("there is no such event")
    asked = _number(fields, "numwant")
    return Announce(infohash, peer_id, port, _number(fields, "left"), event,
                    DEFAULT_ASKED if asked is None else min(asked, MAX_ASKED), fields.get("compact") != b"0",
                    fields.get("no_peer_id") == b"1")


def read_scrape(query: str) -> list[bytes]:
    """
    Read the infohashes of a scrape. One of everything there is is refused: it is nobody's business.

    :raises RequestError: when it is none.
    """
    infohashes = fields_of(query).get("info_hash", [])
    if not 0 < len(infohashes) <= MAX_SCRAPED or any(len(each) != INFOHASH_SIZE for each in infohashes):
        raise RequestError(f"a scrape names from 1 to {MAX_SCRAPED} info_hash of 20 bytes")
    return infohashes


def _number(fields: dict[str, bytes], name: str) -> int | None:
    """
    Get a number; None where it is none: clients write -1 where they have not made up their mind.
    """
    value = fields.get(name, b"")
    return int(value) if NUMBER.fullmatch(value) else None
