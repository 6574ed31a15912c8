"""Multicast ping, and throughput by packet train."""
from __future__ import annotations

from typing import Final

# --- Ping.

PINGS_PER_SECOND: Final = 20.0
PINGS_BURST: Final = 40.0
"""Multicast pings of one verified peer that we check and answer, and answers of one peer to ours that we check. Apart
from PEER_PER_SECOND, so that pings leave introductions alone. Our own leave at half of this, all together, so that
no honest node runs into it, nor by its probes beside them into PEER_PER_SECOND."""

ALL_PINGS_PER_SECOND: Final = 200.0
ALL_PINGS_BURST: Final = 400.0
"""Multicast pings of all peers together that we check and answer: 2 % of a core."""

PING_SPREAD: Final = 0.001
MAX_PING_SPREAD: Final = 10.0
"""When all are pinged they answer within a random time up to N times this, so that the asker gets 1,000 answers a
second at most; it sends the next ping when that time is over."""

PING_PATIENCE: Final = 1.0
"""Seconds on the way after which an answer to a ping counts as lost. Wi-Fi power save takes up to 0.3."""

MAX_PING_RUNS: Final = 8
MAX_PING_COUNT: Final = 100
"""Series of pings under way at once, and pings in one: 800 that wait for answers at most."""

PINGS_ANSWERED_REMEMBERED: Final = 4096
"""Pings answered lately: one that comes on two interfaces is answered once."""

# --- Throughput by packet train.

TRAIN_SIZE: Final = 1358
"""Bytes of one packet of a train: MAX_DATAGRAM less what sealing adds, so that figures do not depend on it."""

LEAST_TRAIN_SIZE: Final = 64
"""Smaller packets would measure the receiver's processor instead of the link, and make it work more per byte."""

MAX_TRAIN_RATE: Final = 1e9
"""Bits per second at which a train is sent at most, and shown at most: beyond this Python measures itself, whatever a
peer reports."""

TRAIN_PACKETS: Final = (64, 768, 3072)
"""Packets at most in the first, second and third train of a measurement: 87 KB to learn how fast the link is about,
1 MB and 4 MB to measure. More would be felt by everybody on the same Wi-Fi."""

TRAIN_TIME: Final = 0.2
LEAST_TRAIN_PACKETS: Final = 32
TRAIN_EXCESS: Final = 1.5
"""The second and third train last TRAIN_TIME seconds at TRAIN_EXCESS times the rate measured before, within the bounds
above: enough to fill the narrowest link, not to drown it."""

LEAST_TRAIN_RATE: Final = 250e3
"""Bits per second at which a train is sent at least: a peer that reports next to nothing must not make it last."""

TRAIN_SLOWER: Final = 20.0
"""When nobody got enough of a train to tell, the next one is so many times slower: in front of a link of 1 Mbit/s may
be room for four packets."""

TRAIN_OFFERED: Final = 1.15
TRAIN_SAME: Final = 0.1
TRAINS_AGAIN: Final = 2
"""A link was measured when a train of so many times its rate gave the same as the one before, up to this share. Else
the train is sent again, so often at most: a sender that had no processor must not take itself for the link."""

TRAIN_NOTICE: Final = (0.0, 0.03, 0.06)
"""When, in seconds, it is said that a train is to begin; it leaves after the last. 40 % loss leaves 6 % untold."""

TRAIN_SETTLE: Final = (0.1, 0.25, 0.5)
"""When, after the last packet, the key is disclosed: the queue in front of a slow link must have run empty by then."""

TRAIN_REPORT_SPREAD: Final = 1.0
"""Longest time (seconds) within which all who took part report; they use PING_SPREAD per peer."""

TRAIN_REPORT_PATIENCE: Final = 0.5
"""Seconds that reports are awaited after that."""

TRAIN_LIFETIME: Final = 3.0
"""Seconds after which a train that was begun and not ended is forgotten, and one being sent counts as sent: nobody
keeps a receiver busy by beginning."""

TRAIN_PAUSE: Final = 3.0
"""Seconds between two measurements of this node. At most a twentieth of a gigabit link over time."""

TRAIN_SPARE: Final = 2
"""A receiver keeps so many times the packets announced: forged ones take room until the key tells them apart. With the
largest train that is 6,144 of some 250 bytes."""

LEAST_TRAIN_COUNT: Final = 8
"""Fewer packets in the measured part tell nothing."""

TRAINS_TAKEN_PER_SECOND: Final = 1.0
TRAINS_TAKEN_BURST: Final = 12.0
ALL_TRAINS_TAKEN_PER_SECOND: Final = 2.0
ALL_TRAINS_TAKEN_BURST: Final = 24.0
"""Trains of one peer, and of all, that a receiver takes part in, one at a time. A measurement takes three to
six on each link; a peer that begins a thousand gets a word with us as often as this."""

TRAINS_PER_SECOND: Final = 8.0
TRAINS_BURST: Final = 48.0
ALL_TRAINS_PER_SECOND: Final = 32.0
ALL_TRAINS_BURST: Final = 128.0
"""Signatures checked on what begins and ends trains, per peer and in all names, and on reports per peer, apart from
PEER_PER_SECOND. A measurement takes 18 to 36."""

TRAIN_REPORTS_REMEMBERED: Final = 32
TRAIN_REPORT_TIMES: Final = 3
"""Reports kept, to be sent again when the end of a train is told again, and how often each is sent."""
