"""
Every bound of the database, and the failure or attack it stops.
"""

from __future__ import annotations

from typing import Final

MAX_KNOWN_PEERS: Final = 10_000
"""Peers remembered. Keys cost nothing: someone on the LAN who verifies under a new one again and again must fill
neither memory (about 1 KiB each, 10 MiB) nor disk. Twice the nodes of the largest LAN that is simulated.
Friends stay beyond it: the user chose each of them."""

MAX_TOTAL: Final = 2**63 - 1
"""Bytes counted of one peer; SQLite keeps no more. A counter that overflows must not make every later write fail."""

NAMED_FOR: Final = 3600.0
"""Seconds for which a peer that was caught sending bad data counts as such. Its key is free to be exchanged, so longer
stops no attacker; and a source that lies can have an honest helper named, which must not stay."""

BUSY_TIMEOUT: Final = 0.1
"""Seconds to wait for another program's lock on the file. The event loop stands still meanwhile: at most this long,
once; while writes keep failing they do not wait at all."""

LOG_INTERVAL: Final = 60.0
"""Seconds between two log lines about writes that fail. A full disk must not be filled further by the log."""

MAX_SET_ASIDE: Final = 100
"""Damaged files of the same second that get a name of their own; a search without end would hang the start."""
