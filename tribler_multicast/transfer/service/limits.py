"""
Every bound of the service, and the attack or failure that it stops.

Sizes are bytes, times seconds, rates bytes per second.
"""
from __future__ import annotations

from typing import Final

from ..limits import MAX_CONTENT_SIZE

# --- Joining.

JOIN_AFTER: Final = (0.1, 0.3, 0.6, 1.0, 2.0, 4.0, 5.0)
"""Seconds from one round of JOINs to the next, the last one for ever: a datagram that got lost costs little, a content
that nobody has costs neighbours next to nothing."""

ASKED_AGAIN: Final = (0.08, 0.25, 0.6)
"""Seconds after which who is asked for offers, and says nothing, is asked once more: on the air one datagram in ten is
lost, and the next round may be a second away. Who has nothing to offer says nothing, so no more than that."""

FRESH_AFTER: Final = (0.15, 0.3, 0.6, 1.2)
"""Who just became a neighbour is asked again so soon, unless it says that it has not got it: a datagram may get lost,
and it may not know us yet."""

JOINS_A_ROUND: Final = 16
"""Neighbours that are asked at once; the next ones in the next round. On a large LAN nobody shoots at all."""

ASKED: Final = 10.0
"""For so long an ACCEPT is expected after a JOIN: one that nobody asked for is dropped."""

ASKERS: Final = 256
"""Who asked in vain is remembered so often: who asks for many contents makes us forget others, who ask again anyway."""

HINTS_PER_SECOND: Final = 1.0
HINTS_AT_ONCE: Final = 8
"""OFFERs of one peer that are looked at although nobody asks for offers, because a content is waited for."""

FAREWELLS: Final = (0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
"""Who has all of it says so again after these, until it is answered: at 20 % loss each way one in 10,000 is not
heard."""

CANDIDATES: Final = 64
"""Neighbours remembered as having offered a content: they are asked first."""

# --- What others may ask of us, each.

JOINS_PER_SECOND: Final = 4.0
JOINS_AT_ONCE: Final = 32
"""JOINs of one peer that are looked at: each accepted one costs two random keys and a byte for each generation."""

ASKS_PER_SECOND: Final = 1.0
ASKS_AT_ONCE: Final = 8
"""OFFERS_WANTED of one peer that are answered: each may cost OFFERS_AT_ONCE datagrams."""

REPORTS_PER_SECOND: Final = 250.0
REPORTS_AT_ONCE: Final = 250
"""REPORTs of one peer that are looked at, all its transfers together: an honest one sends 40 a second for each."""

PEERS_KEPT: Final = 4096
"""Peers for which such budgets are kept."""

OFFERS_AT_ONCE: Final = 32
"""OFFERs in answer to one question; one that asks again gets the next ones."""

OFFERS_KEPT: Final = 256
"""Contents remembered from OFFERs that we asked for: a neighbour with thousands of them does not fill our memory."""

OFFERS_LOOKED_AT: Final = 1024
"""OFFERs looked at for one question: each costs the check of a signature (70 us)."""

ANSWER_PATIENCE: Final = 1.0
ANSWER_QUIET: Final = 0.15
"""Seconds that one neighbour may take to say what it offers, and until nothing more is expected of what it says."""

NEWEST_OFFERED: Final = 8
"""Of OFFERS_AT_ONCE these are the newest each time, the others in turns: who follows a node with hundreds of contents
hears of the next one at once."""

ASK_AGAIN: Final = 1.0
"""Who waits for any offer asks again so often."""

# --- Sending.

SESSIONS: Final = 64
"""Sessions at once: each holds some 24 MiB while it sends."""

HOLD: Final = 2.0
"""With `wait_for`: data flows at the latest so long after the first receiver joined."""

LINGER: Final = 5.0
"""A session without receivers is kept so long: who was away for a moment gets the same one."""

REPEATED: Final = 5.0
"""A JOIN within so long of the one before, with no report between them, is that one again: its ACCEPT was lost."""

LOOK_EACH: Final = 2.0
LOOK_SHARE: Final = 0.05
"""While it is sent, the files of a publication are looked at so often, and for no more than this share of the time: one
that is deleted stays readable for who has it open."""

READS: Final = 2
"""Segments of one session that are read from the disk at a time."""

READERS: Final = 2
"""Threads that read segments for all sessions."""

RETRY_FULL: Final = 0.001
"""A socket that took no more is tried again after so long."""

NOTHING: Final = 0.005
"""Between two looks at sessions that had nothing to send, at least."""

BUSY: Final = 0.25
"""A link is sending when something left in the last so many seconds."""

LEAST_CAP: Final = 60_000.0
"""A receiver that takes less than this does not hold up the others of its session."""

LEAST_ALONE: Final = 2_000.0
"""What even the slowest gets when it is alone: two packets a second."""

LINK_IDLE: Final = 60.0
"""A link that nothing is sent by is given up after so long; until then it knows how fast it was."""

# --- Receiving.

RECEPTIONS: Final = 64
"""Transfers that receive at once: each has sockets, a thread, and some 60 MiB of open segments at worst."""

TRANSFERS: Final = 1024
"""Transfers and publications that are remembered: a loop that starts them does not fill memory or disk."""

SEGMENTS_DIRECT: Final = 8
"""With more segments than these to be written, the next one goes by way of the system's page cache: the disk is late.
With fewer it may be the processor, which has less to do without the cache."""

SEGMENTS_QUEUED: Final = 16
"""Checked and written one after the other by a thread. With more waiting, datagrams are left in the socket: the sender
feels that as delay, and slows down to what the disk takes."""

COMMIT_LOOK: Final = 0.25
"""Between two looks at whether a commit is due."""

ROOM_LOOK: Final = 1.0
"""With the disk full: between two tries."""

BAD_SEGMENTS: Final = 16
"""Segments whose hash is wrong, from one session: then somebody in it lies, and another sender is tried."""

SOURCES_AVOIDED: Final = 30.0
"""For so long a sender that went silent, or failed us, is asked last."""

PARTIAL_STATES: Final = 1000
"""Names looked at in the output folder for what an earlier process left of a content."""

# --- Cooperation.

NAMED_FOR: Final = 3600.0
NAMED_KEPT: Final = 1024
"""Who was certainly caught is asked for nothing, and gets nothing, for so long; so many are remembered."""

DEALINGS_KEPT: Final = 256
"""Peers of one transfer of which it is known what they gave and took."""

FELLOWS: Final = 64
"""Others that want the same content, or have some of it, that a reception remembers from one session to the next."""

HOLDERS: Final = 16
"""Contents, each in one cut, that are given at once to those who ask with no session: each holds up to 24 MiB."""

ALONE_AFTER: Final = 1.5
ALONE_LOOK: Final = 0.25
"""Who finds no sender for so long asks others who receive the same, if it knows what it is; how often it looks."""

OFFER_OF_FELLOW: Final = 10.0
"""For so long one that has some of it is asked what it is."""

TOLD_AGAIN: Final = 0.01
"""Who has all of it tells the others once more after so long: for who does not hear it they stay in vain."""

STAYS: Final = 0.3
STAYS_ALONE: Final = 60.0
"""Who is done and could go stays so long at most while it is asked: where the sender is still there, and where it is
gone, because then the others may have nobody else."""

ASKED_LATELY: Final = 0.15
ASKED_LATELY_ALONE: Final = 2.0
"""Who was not asked for so long, in the two cases, is not needed."""

# --- All.

READERS_FOLLOWED: Final = 4
"""Places where somebody reads that are kept in mind: with more the window of each would be too short to be useful."""

READ_LATELY: Final = 5.0
"""Seconds since the last read for which somebody counts as reading there: players read in pieces, with rests."""

TICK: Final = 0.5
"""Between two looks at who is silent, what is over, and what is to be told."""

RATE_MEMORY: Final = 2.0
"""Seconds over which rates are measured."""

CANARY_EACH: Final = 0.2
CANARIES: Final = 2
"""While we send: one round trip so often, to so many neighbours in turn that are no receivers."""

CANARY_FAILS: Final = 3
CANARY_REST: Final = 60.0
"""One that did not answer so often is left alone for so long."""

CANARY_SAMPLES: Final = 3
"""The least of so many counts."""

CANARY_LEAST: Final = 0.008
CANARY_SLOWEST: Final = 0.1
"""A round trip below the first is none: our own program takes as long. Who never was faster than the second sleeps, and
tells nothing of a queue."""

MAX_RATE: Final = MAX_CONTENT_SIZE
"""A rate that somebody sets: more is none."""

REMEMBERED: Final = 4 << 20
"""Bytes of the file that transfers are remembered in: a longer one is none of ours."""

DEAF: Final = 2
"""After so many sessions in which nothing came by multicast one is asked for without: networks are that swallow it."""

FIRST_DATA: Final = 3.0
"""For so long after an ACCEPT nothing need come: a sender may wait for others (`HOLD`)."""

LEAST_SYMBOL: Final = 1024
LEAST_K: Final = 16
"""Of a session that we join: smaller ones would make its tables as large as the sender likes."""
