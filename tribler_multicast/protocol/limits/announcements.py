"""Announcements: tuples to all, in fragments, sent again where somebody misses one."""
from __future__ import annotations

from typing import Final

MAX_ANNOUNCEMENT: Final = 256 * 1024
"""Bytes of packed values. What is larger is a file, not an announcement to everybody."""

MAX_VALUES: Final = 65_536
"""Values in one announcement, at all depths together: a value of one byte takes 8 to 64 bytes of memory."""

MAX_VALUE_DEPTH: Final = 16
"""Tuples in tuples; the outermost is the first. A chain of 50,000 would overflow the stack of who reads it."""

MAX_INTEGER: Final = 1024
"""Bytes of one integer: 2,466 digits. Python takes quadratic time to write larger ones, and refuses above 4,300."""

FRAGMENTS_PER_SECOND: Final = 600.0
FRAGMENTS_BURST: Final = 1000.0
"""Signatures checked on multicast fragments in the name and from the address of one verified peer. Apart from
PEER_PER_SECOND, so that who floods with forged fragments leaves the peer's introductions alone. A sender keeps below
(ANNOUNCE_PER_SECOND and REPAIRS_PER_SECOND together)."""

ALL_FRAGMENTS_PER_SECOND: Final = 1500.0
ALL_FRAGMENTS_BURST: Final = 3000.0
"""The same in the names of all peers together: 10 % of a core."""

PAIR_FRAGMENTS_PER_SECOND: Final = 400.0
PAIR_FRAGMENTS_BURST: Final = 600.0
"""Signatures checked on fragments sent to us alone, by one verified peer under the guard of the pair: a repair gets
through whoever forges what by multicast."""

ASKS_PER_SECOND: Final = 50.0
ASKS_BURST: Final = 100.0
"""Signatures checked on what one verified peer asks of us, under the guard of the pair. Receivers keep to 0.8 times
that, whatever a hostile sender lets them miss."""

MAX_ASSEMBLIES_PER_PEER: Final = 128
MAX_ASSEMBLY_BYTES_PER_PEER: Final = 1 << 20
MAX_ASSEMBLY_BYTES: Final = 16 << 20
"""Announcements of which fragments are missing, per sender and all together. Bytes are those that came, and
ASSEMBLY_COST for each. Endless first fragments push out older announcements of the same sender; when all together
take too much, the sender that holds the most loses its oldest."""

ASSEMBLY_COST: Final = 1024
"""Bytes that an announcement of which little came counts for besides its content."""

ASSEMBLY_LIFETIME: Final = 12.0
"""Seconds from the first fragment until an announcement is given up. Shorter than its sender keeps it."""

ASK_QUIET: Final = 0.05
ASK_GROWTH: Final = 1.4
MAX_ASK_WAIT: Final = 0.6
ASK_TRIES: Final = 16
"""A receiver asks for missing fragments when none came for ASK_QUIET; each time it waits longer, and so many times at
most: 10 s in all. 40 % loss both ways leaves 233 fragments incomplete once in some thousand times."""

ASK_SPREAD: Final = 0.001
MAX_ASK_SPREAD: Final = 0.25
"""All who miss something ask within a random time up to N times this, and at least 20 ms."""

ANNOUNCE_BURST: Final = 8
ANNOUNCE_GAP: Final = 0.005
"""So many fragments leave at once, then nothing for so long: 18 Mbit/s at most. A switch, an access point and the
receive buffer of a phone take eight datagrams; two hundred at once they do not."""

ANNOUNCE_PER_SECOND: Final = 300.0
ANNOUNCE_TOKENS: Final = 480.0
"""Fragments sent first, and trailers: two announcements of the largest size at full pace, then 3.4 Mbit/s. Nobody's
program makes us drown the LAN, and receivers' FRAGMENTS_PER_SECOND is never used up by honest senders."""

MAX_KEPT_BYTES: Final = 4 << 20
MAX_KEPT: Final = 256
KEPT_LIFETIME: Final = 15.0
"""What was announced is kept for those who miss something, so many bytes, announcements and seconds (after the last
fragment left)."""

TRAILER_TIMES: Final = (0.02, 0.25, 1.0)
"""When, after the last fragment, it is said by multicast what was announced: who missed all of it asks then."""

MAX_UNICAST_TRAILERS: Final = 64
UNICAST_TRAILERS_PER_SECOND: Final = 200.0
UNICAST_TRAILERS_BURST: Final = 400.0
"""The second time each peer is told by unicast too, when there are no more peers than this, and so many at most."""

REPAIR_GATHER: Final = 0.015
"""Seconds that a repair waits for others who miss the same."""

REPAIRS_PER_SECOND: Final = 300.0
REPAIRS_BURST: Final = 480.0
"""Fragments sent again, whoever asks: 3.4 Mbit/s at most."""

REPAIR_SHARE: Final = 2
REPAIR_LEAST: Final = 16
"""One peer gets so many times the fragments of one announcement again, and so many more: a peer that asks for ever is
told no. 40 % loss takes 0.7 times."""
