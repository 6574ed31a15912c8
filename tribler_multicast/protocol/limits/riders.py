"""What is said on the overlay for other rooms: coded transfer and network weather."""
from __future__ import annotations

from typing import Final

# --- Coded transfer: what is said around it. The data has keys, bounds and sockets of its own (`transfer/limits.py`).

MAX_CODED_PAYLOAD: Final = 1100
"""Payload of a message around a transfer before it is sealed for the pair: with that seal, header and signature it is
1,325 bytes, so that a group's seal fits around it."""

CODED_PER_SECOND: Final = 20.0
CODED_BURST: Final = 60.0
ALL_CODED_PER_SECOND: Final = 500.0
ALL_CODED_BURST: Final = 1000.0
"""Questions for offers, JOINs, ACCEPTs, REFUSEs, LEAVEs, FINISHes, MEMBERS that we check of one verified peer, of all:
3.5 % of a core. A receiver says a few of them for each content; hundreds may join within a second."""

MAX_OFFERS: Final = 64
OFFER_PATIENCE: Final = 10.0
"""OFFERs of one peer that we take for a question of ours, and for how long after it: nobody tells us what it has
unasked, and nobody fills our list."""

OFFERS_PER_SECOND: Final = 32.0
OFFERS_BURST: Final = 128.0
"""OFFERs of one peer that we check: the answers to two questions at once. The budget of all is the one above."""

RANKS_PER_SECOND: Final = 250.0
RANKS_BURST: Final = 250.0
ALL_RANKS_PER_SECOND: Final = 2000.0
ALL_RANKS_BURST: Final = 3000.0
"""REPORTs, HELPs, HAVEs, SUMS, ALARMs and NEEDS that we check of one peer, and of all: six transfers at once at the 40
a second of each, and 14 % of a core. The receivers of one session together send 640 REPORTs a second, so that is three
sessions; what finds no room is said again, 25 ms later or so."""

# --- Network weather.

WEATHER_PER_SECOND: Final = 4.0
WEATHER_BURST: Final = 12.0
ALL_WEATHER_PER_SECOND: Final = 60.0
ALL_WEATHER_BURST: Final = 200.0
"""Weather of one verified peer, and of all, whose signatures we check. All nodes together say it at most 20 times a
second, and one at once when something changes."""

MAX_WEATHER: Final = 256
"""Bytes of its payload."""

OVERHEARD_PER_SECOND: Final = 20.0
OVERHEARD_BURST: Final = 60.0
"""Weather whose signatures we check where we only listen and nobody is verified: what all nodes of a home say. Anybody
can make us check so many, with keys of no cost: 0.2 % of a core."""

MAX_OVERHEARD: Final = 64
"""Keys and addresses that are remembered of those: who makes up more pushes out what he made up before, or others, who
are taken for new then."""
