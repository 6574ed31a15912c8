"""
Every bound of a session, and the attack or failure that it stops.

Sizes are bytes, times seconds, rates bytes per second.
"""
from __future__ import annotations

from typing import Final

# --- Datagrams.

MAX_DATA: Final = 1452
"""UDP payload of a data datagram: IPv6 and UDP headers with it fill 1,500."""

MAX_CONTROL: Final = 1100
"""Payload of a control message: with prefix, key, signature or seal it stays below the overlay's 1,400."""

LAST_SEQUENCE: Final = (1 << 32) - (1 << 20)
"""A session in which a stream has come so far (5 TiB) ends, its receivers join another one. A sequence is the nonce of
the cipher: used twice under one key it would give away what is sealed, and a receiver takes none twice anyway."""

MAX_GENERATIONS: Final = 1 << 30
"""Numbers of generations: 1 TiB in runs of 8 symbols. A content that needs more is refused."""

LEAST_SYMBOL: Final = 8
LEAST_K: Final = 8
"""Smaller ones would make the tables of a session larger than the content."""

# --- Reports.

MAX_RUNS: Final = 1100
"""Runs in one report: more do not fit into it."""

SCAN: Final = 1 << 16
"""Generations looked at for one report: the next one goes on there. 1 TiB takes 200 reports, none of them long to
make."""

REPORT_INTERVAL: Final = 0.025
REPORTS_PER_SECOND: Final = 640.0
"""Between two reports of one receiver, and of all together: for 64 receivers 100 ms. The rate follows them."""

LEAST_INTERVAL: Final = 0.005
MAX_INTERVAL: Final = 0.6
"""What a receiver takes as an interval: a sender can't make it shoot."""

# --- Members.

MAX_MEMBERS: Final = 256
"""Receivers of one session: each costs a byte for each generation (52 KB for 4 GiB)."""

MAX_TABLES: Final = 1 << 28
"""Bytes of all those tables: of 1 TiB no more than 20 receivers at once."""

SILENT: Final = 1.5
"""A receiver that says nothing for so long does not hold up the others: neither rate nor repair follow it."""

GONE: Final = 20.0
"""After so long it is forgotten, and would have to join again."""

MAX_LOSS: Final = 0.5
"""Loss that repair makes up for in advance. A receiver that loses more, or says so, gets the rest in the next round."""

LOSS_SAMPLE: Final = 32
"""Packets over which a loss counts: of fewer nothing can be told."""

BUDGET_SHARE: Final = 2.0
BUDGET_LEAST: Final = 4 << 20
"""Repair that one receiver can cause: this share of what it lacked when it joined, and so much at least. At half of the
packets lost it needs 1.0 of it. Who wants more is a liar or beyond help, and gets no more than what others cause."""

GREEDY_REST: Final = 5.0
GREEDY_MORE: Final = 1 << 20
"""Who has used that up gets so much more after so long: it may be honest, behind a link that lost all while its rate
was not known, and would never end. A liar costs 1.7 Mbit/s."""

SENT_KEPT: Final = 16
"""Batches of one generation that are remembered as perhaps still under way."""

# --- The sender's work.

CHUNK: Final = 16
"""Repair packets of one generation in a row: then others have their turn."""

SEGMENTS_HELD: Final = 24
"""Segments (1 MiB each) held in memory to send and to repair."""

READ_AHEAD: Final = 2
"""Segments asked for before they are due."""

PROOF_ROOM: Final = 1320
"""Bytes of hashes in one proof packet."""

PROOF_EACH: Final = 8
"""A proof is sent again before each segment whose number is a multiple of this: 0.01 % of the bytes."""

POLL: Final = 0.01
POLL_MOST: Final = 0.5
"""When all that is known to be lacking is sent, reports are asked for after so long; each time that none comes the next
time is twice as long, up to the second figure."""

HEARTBEAT: Final = 1.0
"""Seconds between heartbeats when nobody lacks anything."""

# --- The receiver.

OPEN_SEGMENTS: Final = 48
"""Segments that may be open at once, some 1.2 MiB each while they are. Those that lack most are given up for newer."""

UNPROVED_SEGMENTS: Final = 16
"""Complete segments held until their hashes are known: a sender that sends data and no proofs fills no memory. The
eldest is given up for the next."""

SENDER_SILENT: Final = 5.0
"""After so long without a datagram the sender is told to be silent: time to join again, or elsewhere."""

# --- Rate.

START_RATE: Final = 2_500_000.0
LEAST_RATE: Final = 60_000.0
MAX_RATE: Final = 1.25e9
"""The first rate, the one that is left beside whoever takes all, and 10 Gbit/s."""

TARGET_DELAY: Final = 0.005
"""Seconds of queue in front of the narrowest link that the stream makes: what others on it feel of us."""

SHARED_TARGET: Final = 0.01
"""The same where helpers send to the receivers, too, by fits and starts: with less, links are idle in between."""

ROUND: Final = 0.025
"""Seconds from one decision on the rate to the next."""

BASE_MEMORY: Final = 120.0
BASE_PARTS: Final = 12
"""How long the least delay of a path is believed, in so many parts (as RFC 6817): routes and clocks change."""

SLOWDOWN_EACH: Final = 10.0
"""At least so often the queue must be seen empty, else the stream pauses for some rounds: to know the delay of the bare
path, and for others to be heard (LEDBAT++)."""

CATCH_UP: Final = 0.004
"""Seconds of the pace that are made up for at once after the process had to wait."""

FRAME: Final = 14 + 20 + 8
"""Bytes of Ethernet, IPv4 and UDP headers of each datagram: they take their share of the link too."""
