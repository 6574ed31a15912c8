"""
Every bound of the tracker, and the attack or failure it stops.

Whoever reaches its port may ask, without a key: by default that is this machine alone.
"""
from __future__ import annotations

from typing import Final

MAX_REQUEST: Final = 4096
"""Bytes of a request with all its headers. A client's has some 400; a scrape of 50 torrents 2,100."""

REQUEST_TIMEOUT: Final = 5.0
"""Seconds that a client may take to say what it wants: who sends a byte now and then is not waited for."""

ANSWER_TIMEOUT: Final = 5.0
"""Seconds that it may take to take the answer, which is of some KB."""

MAX_CONNECTIONS: Final = 256
MAX_CONNECTIONS_PER_ADDRESS: Final = 128
"""Connections at a time, and of one address, so that one machine can't take them all. A client that begins hundreds of
torrents opens as many; what finds no room it tries again."""

MAX_SWARMS: Final = 5000
"""Torrents known at a time; the one that was announced longest ago makes room. Infohashes cost nothing to invent."""

MAX_CLIENTS: Final = 200
"""Clients of one torrent; the one that was heard longest ago makes room. A LAN has fewer, and ports can be invented."""

MAX_ALL_CLIENTS: Final = 20_000
"""Clients of all torrents: some 10 MB."""

MAX_PORTS_PER_ADDRESS: Final = 16
"""Clients of one torrent at one address: nobody crowds others out by inventing ports."""

MAX_ASKED: Final = 200
DEFAULT_ASKED: Final = 50
"""Peers in one answer: as many as asked for (`numwant`), no more than the first, by default the second."""

MAX_SCRAPED: Final = 50
"""Torrents of one scrape."""

INTERVAL: Final = 60
LONELY_INTERVAL: Final = 15
MIN_INTERVAL: Final = 5
"""Seconds between two announces of one client: as a rule, while it knows nobody, and at least. On a LAN an announce
costs next to nothing, and somebody who comes is to be found soon."""

LIFETIME: Final = 150.0
"""Seconds for which a client counts that said nothing since: two intervals and a half."""

FOUND_FOR: Final = 20.0
NOBODY_FOR: Final = 1.0
"""Seconds for which the neighbours are not asked again about a torrent: when some of them had it, when none had."""

MAX_REMEMBERED: Final = 5000
"""Answers of neighbours that are kept meanwhile."""

FIRST_PAUSE: Final = 1.0
LAST_PAUSE: Final = 60.0
"""Seconds until a port that could not be had is tried again, at first and at last."""

SHOWN: Final = 100
"""Torrents that the statistics list, those announced last."""
