"""
Every bound of cooperation, and the attack or failure that it stops.

Sizes are bytes, times seconds, rates bytes per second with all headers.
"""
from __future__ import annotations

from typing import Final

# --- HELP.

MAX_ASKED: Final = 512
"""Generations in one HELP: more would not fit into it."""

MAX_PACKETS_ASKED: Final = 1024
"""Packets that one HELP can order: nobody makes a helper shoot for longer than 0.1 s of a 100 Mbit/s link."""

HELPS_KEPT: Final = 6
"""HELPs of one peer that wait to be answered. Older ones are dropped: others have been asked long since."""

MAX_CLIENTS: Final = 64
"""Peers that a helper serves at once: each has a stream, and a share of the upload."""

CLIENT_FORGOTTEN: Final = 60.0
"""After so long without a HELP a peer's stream is forgotten: room for others."""

GIVE_SHARE: Final = 2.0
GIVE_LEAST: Final = 4 << 20
"""What one peer can get of one content from one helper: this share of the content's size, and so much at least. At half
of the packets lost it takes 2.0 for one that everybody else has left. Who wants more is a liar or beyond help."""

LEAST_PACE: Final = 60_000.0
MAX_PACE: Final = 1.25e9
"""What a HELP can ask for as pace: slower than an answer in useful time, or faster than 10 Gbit/s, is not meant."""

BATCH_TIME: Final = 0.001
BATCH: Final = 16
"""What is sent to one peer at once: so many seconds of its pace, so that answers do not come in bursts, and so many
packets of one generation: then the next peer has its turn."""

# --- Asking.

MAX_HELPERS: Final = 32
"""Peers that one receiver asks for help in a session: each costs a stream. More could not make it faster."""

TIMEOUT_LEAST: Final = 0.02
TIMEOUT_SPREAD: Final = 4.0
TIMEOUT_MOST: Final = 0.5
LATE_KEPT: Final = 1.0
"""An answer that has not ended when it should have, by so much or so many times by what that varies (as TCP, RFC 6298),
is not waited for: never by more than the third figure, or who answers later and later holds up what it was asked for.
One that comes after that, but not later than the last, is learnt from: else on a busy machine all would be too late."""

REST: Final = 0.25
REST_MOST: Final = 8.0
"""A helper that did not answer is not asked for so long, twice as long each time, up to the second figure."""

SOURCE_PATIENCE: Final = 0.1
"""After so long a generation is asked for again at the source: a HELP or its packets got lost."""

END: Final = 48
END_HELPERS: Final = 3
END_QUIET: Final = 0.02
"""When so few packets are lacking, and the source has sent nothing new for so long, they are asked of so many at once:
some come twice, but nobody waits for one that got lost."""

ENOUGH_TRIED: Final = 3
"""When so many helpers had nothing useful of a generation lately, nobody has: it was lost on its way to all."""

FIRST_PATIENCE: Final = 0.5
"""For so long a newcomer waits to be told who else is there, before it asks the source."""

SOURCE_ASKED: Final = 512
"""Packets that are asked of the source and have not come: more it would not send before it is asked again."""

SOON_MOST: Final = 8
"""Segments that one receiver may need soon at a time: 8 MiB are 16 s of a film of 4 Mbit/s."""

SOON_EACH: Final = 0.25
"""Seconds after which the source is told again what is needed soon: a HELP may be lost."""

SOON_PATIENCE: Final = 0.5
"""Seconds that the source has to pass what is needed soon; then the others are asked for it, too."""

HASTENED_PER_SECOND: Final = 4.0
HASTENED_AT_ONCE: Final = 12.0
"""How often one receiver may change what the source passes next: two segments are read from the disk each time, for
nothing when others are wanted next. Who skips through a film does not skip more often."""

TRY_AGAIN: Final = 0.15
"""After so long helpers that had nothing useful of a generation may have it."""

ASK_START: Final = 1_250_000.0
ASK_LEAST: Final = 60_000.0
ASK_MOST: Final = 1.25e9
"""What is asked of one helper per second: at first, when there is no room at all, and at most."""

REPAIR_TARGET: Final = 0.025
"""Seconds of queue that answers may make in front of our link: more than the source's stream makes (10 ms), so that
this gives way: what is lacking comes before what is new."""

REPAIR_SHARE: Final = 0.6
REPAIR_TICKS: Final = 2
LEAST_REPAIR: Final = 16
"""While the source's stream brings something, from one HELP to the next no more packets are asked for than this share
of what came from it, nor than what is lacking over so many, and so many at least: so that both have room, and no bursts
come."""

BULK_OPEN: Final = 12
"""Segments that are open at once because of helpers: as many as the answers under way can be about, and less than what
a receiver holds."""

QUIET: Final = 0.1
"""The source's stream brings nothing when nothing of it was new for so long: then whole segments are asked for from
helpers."""

PROBABLY_GONE: Final = 0.5
"""After so long without anything new from the source, what it has not passed yet is asked for from helpers, too."""

HAVE_EACH: Final = 1.0
"""At most so often a peer is told what is here, and asked what is there."""

HAVE_VALID: Final = 0.3
"""For so long what a HAVE says is lacking is taken to be lacking still."""

# --- The source.

MEMBERS_EACH: Final = 0.1
MEMBERS_AGAIN: Final = (0.3, 1.0, 4.0, 15.0)
"""MEMBERS go out at most so often: a hundred that join at once cost each other one message, not a hundred. All of them
are told to each one again after so long: messages get lost."""

ASKED_SHARE: Final = 0.1
ASKED_MOST: Final = 256.0
"""Packets that one receiver can ask of the source while it passes what others have not got at all: this share of what
is passed, so many at once. Who asks for more lies, or gets it later."""

ASKED_EACH: Final = 2
"""Packets of a generation that are sent for each that is asked of the source: so many get lost on a bad way. Then it
has to be asked again."""

MANY: Final = 2
"""So many receivers that help must be there, for each of them to ask the others before the source."""

# --- Checked mode.

ALARM_EACH: Final = 0.1
ALARM_AGAIN: Final = 0.3
"""ALARMs go out at most so often; what was asked for and did not come is asked for again after so long, at first after
the former: messages get lost."""

ALARM_TIMES: Final = 10
"""After so many in vain there is nobody to ask: then the hash alone decides."""

CHECKED_AHEAD: Final = 4
"""Segments ahead of the source's pass of which checksums are asked for."""

SUMS_AT_ONCE: Final = 16
"""Segments whose checksums are made before anything else has its turn: a millisecond or two with native code."""

SUMS_TIMES: Final = 8
"""How often the source makes the checksums of one segment for one receiver: they get lost; nobody orders a flood."""

SUSPECTS: Final = 64
SUSPECTS_EACH: Final = 4
"""Bad packets that are kept until it is known what they should have been, of all and of each who sent some: one is
enough to name somebody."""

OLD_ONES: Final = 16
"""After so many packets with a sequence far behind, somebody else sends on the group's stream: what that tells of
delays is worth nothing."""

SPOILT: Final = 200
SPOILT_SHARE: Final = 4
"""When of so many bad packets under the key of all there are so many times as many as good ones, the group's stream is
worth nothing: it is left, for unicast. Fewer are dropped as they come: for everybody to leave because somebody sends
200 would cost the source its link, once for each receiver, which is what that one wants."""
