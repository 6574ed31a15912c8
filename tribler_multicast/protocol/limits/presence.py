"""Peers that are held, and how often a node speaks of itself and looks after the others."""
from __future__ import annotations

from typing import Final

# --- State.

MAX_PEERS: Final = 8192
"""Verified peers held. Beyond the largest LAN that one multicast domain bears; about 2 KB each."""

MAX_KEYS_PER_ADDRESS: Final = 64
"""Verified keys on one address: several users of a machine yes, one machine that fills the table no."""

MAX_PENDING_CHALLENGES: Final = 2048
"""Challenges of ours that wait for an answer, about 300 bytes each."""

PENDING_LIFETIME: Final = 2.0
"""A RESPONSE later than this is not for us any more. On a LAN it takes milliseconds; Wi-Fi power save up to 0.3 s."""

SECRET_LIFETIME: Final = 30.0
"""Responder nonces are keyed hashes under a secret that changes this often (the previous one still counts), so they are
worth nothing after a minute at most, and need no memory until they come back."""

MAX_USED_NONCES: Final = 16_384
"""Responder nonces already redeemed, per secret. Each counts once: a recorded CONFIRM cannot bring back a peer that
said goodbye since. The signature budgets allow 12,000 in 30 s."""

REPLAY_WINDOW: Final = 1024
"""Sequence numbers told apart behind the highest one seen, per peer: several interfaces deliver out of order."""

MAX_PROBES_WAITING: Final = 8192
"""Probes of ours that wait for an answer."""

MAX_MEASURED: Final = 64
ROUND_TRIPS_PER_SECOND: Final = 6.0
ROUND_TRIPS_BURST: Final = 16.0
"""Round trips that are measured at once for those above, in all, and how often of one peer: with the answers when it
measures us too that is below what either checks (twice PEER_PER_SECOND), so that nobody who is there seems gone."""

# --- Pace.

PHI: Final = 10.0
"""Introductions per second on the whole LAN that we aim at (RTCP, RFC 3550 section 6.2, has the same idea)."""

MIN_INTERVAL: Final = 5.0
MAX_INTERVAL: Final = 135.0
"""Bounds of the time between two introductions of one node, as announced: the longest. On average it is 0.9 of it,
121.5 s, so that 2,400 nodes send fewer than 20 per second."""

CROWD_GROWTH: Final = 1.5
"""An interval that grew by more than this since the last introduction: so many came that waves are to be broken up."""

LEAST_ANNOUNCED_INTERVAL: Final = 0.2
MOST_ANNOUNCED_INTERVAL: Final = 600.0
"""What we believe when others announce their interval: it sets when we probe, and when we forget them."""

EXPIRY_INTERVALS: Final = 3.0
PROBE_AFTER_INTERVALS: Final = 1.5
PROBES_PER_INTERVAL: Final = 20.0
"""A path silent for 1.5 announced intervals is probed by unicast, 20 times an interval, and forgotten after 3. With
40 % loss both ways all 30 probes fail once in 650,000 times, so nobody flaps; a dead node is gone in 3 intervals."""

LEAST_PROBE_GAP: Final = 0.1
"""Shortest time between two probes of one path."""

BURST_TIMES: Final = (0.0, 0.1, 0.3, 0.7, 1.5, 3.0)
"""When a newcomer introduces itself after its start: 40 % loss leaves 0.4 % unheard, and a flood hears it knock
twice."""

LINK_BURST_TIMES: Final = (0.0, 0.2, 0.8)
"""The same on an interface or address that appears later."""

CHALLENGE_SPREAD: Final = 0.005
MANY_CHALLENGERS: Final = 400
CHALLENGE_SPREAD_OF_MANY: Final = 0.0125
"""All who hear a newcomer challenge it within a random time up to N times the first, so it gets 200 a second at most,
for 2 s; what N exceeds the second by counts for the third: 80 a second, of which it can answer all
(UNVERIFIED_SENDS_PER_SECOND)."""

ANSWER_SPREAD: Final = 0.002
MAX_ANSWER_SPREAD: Final = 10.0
"""The same for answers to a solicitation."""

YIELD_TIME: Final = 0.05
"""When two nodes may challenge each other, the one with the higher key waits this long for the other."""

FEW: Final = 16
"""Up to so many addresses we can afford what follows; in a crowd it would make it worse."""

GREET_WAIT: Final = 0.03
GREETINGS_PER_SECOND: Final = 4.0
GREETINGS_BURST: Final = 4.0
"""Who hears a newcomer introduces itself at once, and challenges it so much later, if it was not challenged: the
newcomer's machine then asks for our hardware address (ARP, RFC 826; RFC 4861), which tells ours the newcomer's. Whoever
asks has to wait for a second when question or answer get lost; so it is only when two of each do. The budget bounds
what a stranger who starts again and again makes us say to all."""

CHALLENGE_AGAIN: Final = (0.25, 0.75)
CHALLENGE_AGAIN_OF_FEW: Final = (0.08, 0.4)
"""When an unanswered CHALLENGE is repeated, within the same budget: 40 % loss both ways leaves 26 % unanswered."""

CHALLENGE_PATIENCE: Final = 1.0
"""No new CHALLENGE to the same peer on the same link within this time, whatever it sends meanwhile."""

CONFIRM_WAIT: Final = 0.3
CONFIRM_WAIT_OF_FEW: Final = 0.1
CONFIRM_TRIES: Final = 8
"""The responder probes as soon as it accepted our CONFIRM. If we do not hear it so soon, one of them got lost:
again."""
