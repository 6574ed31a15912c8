"""
Every bound of a live stream on the network, and the attack or failure that it stops.

Sizes are bytes, times seconds, rates bytes per second.
"""
from __future__ import annotations

from typing import Final

# --- Cutting.

SYMBOL: Final = 1344
"""Bytes of a symbol at most: with vector and headers a datagram stays within 1,452."""

MAX_K: Final = 48
"""Symbols of a block at most: what is lacking of a larger one takes longer to tell and to solve, and its vector would
not fit beside the symbol."""

MAX_BLOCK: Final = SYMBOL * MAX_K

BLOCK_TIME: Final = 0.1
"""A block is cut after so long: it is checked as a whole, so nobody plays its first byte before its last is there."""

BLOCK_LEAST: Final = 8 << 10
SLOW_BLOCK_TIME: Final = 0.3
"""One that is smaller waits up to the second figure: a record of 400 bytes for each 1,600 would be a quarter of it."""

RUN: Final = 6
"""Blocks in one signed record. Each is told by so many records, one after the other: at 40 % loss 0.4 % of the blocks
have to ask for theirs."""

MAX_BLOCKS: Final = 1 << 31
"""Block numbers: seven years of ten a second. Above are those of heads."""

IDLE_RECORD: Final = 0.25
"""A source that has nothing to send repeats its last record: so the loss of the last block is noticed, and its own."""

# --- Keeping.

HISTORY: Final = 16 << 20
HISTORY_TIME: Final = 30.0
"""Proved blocks that a source and a viewer keep to give to others: no more than so much and so old."""

JOIN_BACK: Final = 4.0
"""A viewer begins at most so far behind the edge, at the newest place where a player can: more would take long to come
and be old when it is there."""

PREROLL: Final = 64 << 10
"""Where no such place is known, it begins so many bytes before the edge."""

AHEAD: Final = 16
"""Blocks beyond the newest one that is signed of which symbols are kept: 1 MiB. Who forges numbers fills no more."""

OPEN: Final = 96
"""Blocks between the one that is due and the newest: 6 MiB at most. A viewer that is further behind begins anew near
the edge."""

# --- Repair.

PATIENCE: Final = 2.0
"""A block that is not there so long after its time is given up, as soon as a later one is there: then the players get
on. Its repair ends, too."""

SETTLE: Final = 0.004
"""What is lacking is asked for so long after the end of its block was seen: datagrams overtake each other."""

ANSWER_LEAST: Final = 0.05
ANSWER_MOST: Final = 0.4
ANSWER_FIRST: Final = 0.12
"""How long an answer is waited for: three round trips as seen, within these. The last is for who was never asked."""

HELPERS_FIRST: Final = 2
HELPERS_TIME: Final = 0.25
"""The source is asked for a block when so many fellow viewers had not enough of it, or nobody gave it for so long: its
link may carry the stream and no more."""

SOURCE_AGAIN: Final = 0.1
ABSENT_AGAIN: Final = 0.03
"""The source is asked again for the same block after the first, others after the second, when those asked first had
nothing: what nobody got must come from the source, and is not there sooner by asking around."""

FIRST_WINDOW: Final = 32.0
LEAST_WINDOW: Final = 12.0
MOST_WINDOW: Final = 192.0
WINDOW_GROWTH: Final = 0.5
"""Symbols asked for and not there yet, at first, at least and at most, and what each that comes adds; when an answer
stays away it is half. Who joins must not fill the queue in front of its own link or of the source's, through which the
stream comes, too."""

OUTSTANDING_EACH: Final = 64
"""Of one helper."""

SILENT_ANSWERS: Final = 4
AVOIDED: Final = 5.0
"""A helper that left so many questions in a row unanswered is not asked for so long: it was switched off."""

POLLUTED: Final = 30.0
"""Nobody who gave symbols of a block that turned out false is asked for so long."""

MAX_NEEDS: Final = 120
"""Blocks in one question."""

MAX_ROSTER: Final = 48
"""Fellow viewers that a source tells of: they fit into one message, and are more than anybody asks."""

GIVE_SHARE: Final = 2.0
GIVE_LEAST: Final = 250_000.0
GIVE_BURST: Final = 1 << 20
"""Bytes/s that a viewer gives to others: this share of the stream's rate, and so much at once. Who asks for more is
told that it is not there."""

PEER_SHARE: Final = 1.5
PEER_BURST: Final = 2 << 20
"""The same that one peer gets of us: a viewer that joins takes 4 s of the stream at once, a liar no more than that."""

SOURCE_SHARE: Final = 0.25
SOURCE_BURST: Final = 3 << 20
"""The same of the source for all: beyond, viewers have to help each other."""

EXTRA_UP_TO: Final = 8
"""Who asks again for no more symbols than that asks for one more: the answer may have its losses, too."""

GATHER: Final = 0.008
"""The source waits so long for others who lack the same block: two of them get one multicast instead of two
datagrams."""

REPAIRED: Final = 0.05
"""After such a multicast, questions for that block are taken as answered for so long: they were under way."""

ADVANCE_FROM: Final = 0.05
ADVANCE_MOST: Final = 0.25
"""Loss from which repair is sent in advance, and its share of a block. At 2 % every second block lacks something, and
a neighbour mends that in 20 ms; on bad air most do."""

# --- Pace.

HEADROOM: Final = 1.15
"""Stream and repair leave by so many times the rate that is fed. Headers and records take 1.07: what is left for repair
by the source makes no queue in front of a link with 1.1 times the rate."""

HURRY: Final = 1.5
HURRY_AFTER: Final = 0.2
"""When so much waits to be sent (a picture that stands alone is ten times as large as others), it leaves by so much
faster, where no queue is seen."""

REPAIR_PACE: Final = 3.0
QUEUED_REPAIR: Final = 0.03
"""Repair leaves beside it by so many times the rate, where no queue is seen (what was before for somebody who joins),
and where one is."""

LEAST_PACE: Final = 100_000.0
FIRST_CEILING: Final = 2_500_000.0
MAX_PACE: Final = 62_500_000.0
"""The pace at least, at most at the beginning, and at most."""

CONGESTED_DELAY: Final = 0.08
CONGESTED_LOSS: Final = 0.1
LOSSY_DELAY: Final = 0.02
CLEAR_DELAY: Final = 0.005
BACK_OFF: Final = 0.85
BACK_OFF_EACH: Final = 0.5
GROWTH: Final = 0.1
"""When all viewers see so long a queue, or a short one and most that loss, the pace may be this share of what it is,
each so many seconds; else it may grow so much in a second. In advance nothing is sent but where there is none. Loss
with no queue is that of the air: to send less of the stream would not help. A stream does not step aside for downloads:
its delay counts, not theirs."""

BACKLOG: Final = 512 << 10
"""Bytes that wait to be sent. Who feeds faster than the network carries has to wait."""

BATCH: Final = 8
"""Datagrams that leave at once."""

CATCH_UP: Final = 0.004
"""Seconds of the pace that are made up for at once after the process had to wait."""

# --- Who is there.

REPORT_EACH: Final = 0.7
"""A viewer tells so often how the stream arrives."""

VIEWER_GONE: Final = 6.0
"""One that said nothing for so long is not told of to others any more."""

DEAF_AFTER: Final = 1.2
MAX_DEAF: Final = 4
"""A viewer that hears nothing of the group for so long (an access point or switch that filters multicast) gets the
stream by unicast. Each costs the source the whole rate, so there are not more."""

MAX_VIEWERS: Final = 256
"""Of one stream: each costs its source 1.5 messages a second."""

SOURCE_GONE: Final = 10.0
"""After so long with nothing from anybody a stream is over."""

ENDING: Final = 3.0
"""So long a source answers after the end: the last block has its losses, too."""

MAX_RATE_TOLD: Final = (1 << 32) - 1
