"""
Every bound of the weather, and the attack or failure that it stops.

Times are seconds, rates bytes per second.
"""
from __future__ import annotations

from typing import Final

# --- Probes.

PROBE_EACH: Final = 0.2
"""Between two probes of one target while there is load: five answers a second are what a reaction within a second
takes."""

PROBE_LIMITED: Final = 1.1
"""The same for targets that answer once a second only: routers with Linux send no more errors to one address
(net.ipv4.icmp_ratelimit), and behind one gateway all nodes are one address to the routers beyond it; so it is that
times the nodes with load."""

PROBE_IDLE: Final = 20.0
"""Without load: so that the delay of the empty way is known before there is any."""

PROBE_MOST: Final = 20.0
"""Probes per second that one node sends at all, whatever is asked for."""

PROBE_TIMEOUT: Final = 2.0
"""No answer after so long is none: the queues of homes are seldom longer."""

MAX_TARGETS: Final = 8
"""WAN targets that are followed."""

FEWEST_FAR: Final = 3
"""Far targets (peers) it takes to speak of the gateway: one or two may be slow themselves. Of routers right behind the
gateway one is enough."""

# --- Delays.

BASE_PARTS: Final = 15
BASE_PART: Final = 120.0
"""How long the least round trip to a target is believed: so many parts of so long. Routes change."""

REBASE: Final = 10.0
"""When nobody has any load for so long and the way still takes longer, it is the way that is longer."""

WINDOW: Final = 1.0
"""A delay is taken from the answers of so long: jitter comes and goes, a queue stays."""

STALE: Final = 3.0
"""Without an answer for so long nothing is known."""

YOUNG: Final = 30.0
HIDDEN_MOST: Final = 6.0
"""For so long after the first answer what others feel counts too: who comes into a full queue takes it for the empty
way. But for so many seconds altogether: then, as all yield, it must have seen the way empty, and if not it was told
lies."""

LONG_WINDOW: Final = 6.0
MOST_SAMPLES: Final = 256
"""How long summary statistics go back, and how many delays are kept for them."""

BLOAT: Final = 0.030
NO_BLOAT: Final = 0.015
"""A queue at the gateway from which on there is bloat, and below which there is none any more."""

BLOAT_HOLDS: Final = 0.6
"""It must be felt for so long: the bursts of a busy link are shorter."""

OWN_BLOAT: Final = 0.030
"""A queue before the gateway from which on the node's own link is slow."""

# --- Messages.

MAX_RATE: Final = 1.25e10
"""100 Gbit/s: who claims more is a liar or beyond help."""

SUMMARY_LEAST: Final = 1.0
SUMMARY_SHARE: Final = 10.0
"""Between two summaries of a node: so long, or as many seconds as there are nodes with load, over the second figure;
so all together send no more than that per second, and those with high priority as many again."""

SUMMARY_IDLE: Final = 60.0
"""Between two summaries of a node that does nothing."""

MAX_INTERVAL: Final = 120.0
"""What is believed of an interval: nobody's claims live longer than three of these."""

CLAIM_LEAST: Final = 5.0
CLAIM_INTERVALS: Final = 3.0
"""A claim ends after so long without a new one: who vanished needs no room."""

HEARD_BURST: Final = 10.0
HEARD_RATE: Final = 4.0
"""Summaries of one link-layer neighbour that are looked at, at once and per second: more are a flood, or many keys."""

MAX_NEIGHBOURS: Final = 512
"""Link-layer neighbours whose claims are kept."""

MAX_KEYS: Final = 4
"""Nodes of one link-layer neighbour whose claims are kept: a machine with a thousand keys counts once, with the newest
few."""

MAX_OVERHEARD: Final = 16
"""The same where this node only listens, and one node of each: whoever is on the link can be as many neighbours as it
has addresses, and by their number alone make this node's fair share smaller. Homes with more that have load are few."""

OVERHEARD_INTERVAL: Final = 1.5
"""What is believed of an interval there: nobody says goodbye to who only listens."""

# --- Congestion.

TOGETHER: Final = 2
"""So many nodes must feel bloat at once until the gateway is called congested."""

# --- Shares.

TARGETS: Final = {"live": 0.010, "on_demand": 0.020, "room": 0.020, "none": 0.040}
"""The queue at the gateway that bulk traffic makes, by who needs room: somebody with a live stream, on demand, other
programs, nobody."""

STRONGEST: Final = 0.3
"""Share of a level that is left at least by what others say."""

TAUS: Final = (0.7, 0.5)
"""Seconds in which a queue is to come to its target: when nobody needs room, and when somebody does. The longer, the
steadier."""

PROBE_UP_FULL: Final = 0.012
PROBE_UP: Final = 0.02
PROBE_UP_SOON: Final = 0.1
PROBE_UP_MOST: Final = 0.25
"""Growth per second: where what is known to pass is used; while there is room; up to the third figure when no queue was
felt for a second, and to the fourth when for long."""

FLOOR: Final = 0.1
"""Share of a node's fair share that no claim and no delay takes from it (default of the setting)."""

LEAST_LIMIT: Final = 4_000.0
"""A limit below this would starve protocols themselves."""

HOLD: Final = 1.0
"""Room that somebody needed stays free for so long after the need ended by itself: players load in bursts."""

# --- History.

HISTORY: Final = 86_400.0
HISTORY_STEP: Final = 60.0
"""What is remembered: a day, one line a minute."""
