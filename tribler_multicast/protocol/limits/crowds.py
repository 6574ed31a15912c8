"""Crowds, and pages of introductions: thousands of nodes that start together."""
from __future__ import annotations

from typing import Final

ENOUGH_VERIFIED: Final = 100
BURST_AT_LEAST: Final = 2
"""A newcomer that verified so many since its start leaves out the rest of its first introductions, but for so many:
when 5,000 start together they need not all say it six times (Trickle, RFC 6206, has the idea)."""

VERIFIED_PER_SECOND: Final = 20.0
VERIFIED_BURST: Final = 64.0
"""A node challenges nobody while it was verified with more than this, on either side: a crowd that starts together
takes its time, 50,000 exchanges per second among 5,000. Only what succeeds counts, so who invents strangers delays
nobody."""

FEW_WANTED: Final = 16
MOST_WANTED: Final = 400
WANTED_MEMORY: Final = 0.5
"""Strangers' addresses heard in the last so many seconds count like verified ones when it is drawn how long to wait
with a challenge, less the first and up to the second: so the first second of a crowd is spread, too, and eight nodes
that start at once wait for nothing. Who invents strangers delays others by 2 s at most."""

MAX_WANTED: Final = 8192
MAX_WANTED_PER_ADDRESS: Final = 64
"""Whom we heard and want to challenge, in all and at one address, some 300 bytes each: 10,000 keys at one address take
up 64 places."""

MAX_HEARD: Final = 8192
"""Introductions kept, 200 to 350 bytes each, of those that are not verified yet: once they are, they go into our
pages."""

PULL_TIMES: Final = (0.5, 2.0, 6.0, 20.0, 60.0, 180.0)
"""When, after its start, a node looks whether there must be many more than it knows of, and pulls if so."""

PULL_ABOVE: Final = 64
PULL_FACTOR: Final = 1.25
"""It does when its peers' intervals (their median: one that lies does not matter) speak of more than so many nodes, and
of so many times more than it knows. On a small LAN pulling costs nothing."""

PULLS_AT_ONCE: Final = 2
MAX_PULLS: Final = 64
PULL_PATIENCE: Final = 0.6
"""Pulls under way at once, in one turn in all (5,000 nodes take 14 when nothing is lost), and seconds without a page
after which another peer is asked for the rest."""

MAX_PAGES: Final = 64
MAX_PAGE_INTRODUCTIONS: Final = 7
"""Pages that one PULL brings, and introductions in one page: no relayer speaks for more than 448 nodes at a time."""

PAGE_BURST: Final = 8
PAGE_GAP: Final = 0.02
PAGES_PER_ASKER: Final = 50.0
PAGES_PER_SECOND: Final = 200.0
MAX_PULLS_SERVED: Final = 32
"""So many pages leave at once, then none for so long; 50 a second to one asker, 200 to all, 2.2 Mbit/s; and so many
askers are served at a time."""

PULLS_PER_SECOND: Final = 2.0
PULLS_BURST: Final = 8.0
"""Pulls of one peer that we check and serve."""

PAGES_CHECKED_PER_SECOND: Final = 100.0
PAGES_CHECKED_BURST: Final = 80.0
"""Pages of one peer that we check: only those of a pull of ours, each once."""

PAGED_PER_SECOND: Final = 600.0
PAGED_BURST: Final = 1000.0
"""Signatures checked on introductions in pages: 4 % of a core. Only on those that are stamped, on the link and news."""

MAX_CANDIDATES: Final = 8192
MAX_CANDIDATES_PER_RELAYER: Final = 512
MAX_CANDIDATES_PER_ADDRESS: Final = 16
"""Nodes known from pages and not verified, about 700 bytes each: in all, of one relayer, at one address."""

CANDIDATE_GRACE: Final = 2.0
CANDIDATES_PER_SECOND: Final = 10.0
"""Candidates challenged per second, once those who heard us had their time to challenge us, and so long more."""

MAX_FAILED_CANDIDATES: Final = 4096
"""Candidates remembered that did not answer: the same introduction of a node that left counts no second time."""

WANTED_NOW_PER_SECOND: Final = 5.0
WANTED_NOW_BURST: Final = 10.0
"""Candidates challenged at once because somebody asks for them."""
