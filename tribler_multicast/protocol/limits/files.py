"""Shared files. What is spent here is the disk of who shares: to make a torrent of a file it is read to its end."""
from __future__ import annotations

from typing import Final

MAX_FILES_WAITING: Final = 32
"""Files of all peers that wait to be hashed, one at a time. Of one peer, and of one address with all keys there, it is
one: else MAX_KEYS_PER_ADDRESS keys of one machine would take all places. Who asks for more is told to wait, with
nothing kept, and asks again: a peer that wants a terabyte gets its next file when the one before is done and others had
their turn."""

MAX_FILE_WAITERS: Final = 64
"""Peers that wait for the same file: it is hashed once for all of them. More are told to wait too."""

MAX_FILES_KNOWN: Final = 4096
"""Files made ready before, whose torrents are there at once: they do not wait behind one that takes minutes."""

FILE_MOST_REST: Final = 30.0
"""Seconds that the disk rests at most after a file was hashed, else as long as that took: who asks for all there is
takes half of the disk's time, unless they are of many gigabytes each."""

FILE_WAITER_LIFETIME: Final = 30.0
"""Seconds after which who asks no more does not wait for a file any more; one that nobody waits for is not begun."""

MAX_FILE_TIME: Final = 12 * 3600.0
"""Seconds that one file is waited for, and hashed, at most, however often a sharer says that it goes on: 12 h are 4 TB
from a disk of 100 MB/s."""

MAX_FILE_ANSWERS_KEPT: Final = 256
"""Last answers kept to be said again when they were lost."""

MAX_FILE_RUNS: Final = 32
MAX_FILE_RUNS_PER_PEER: Final = 8
"""Files that we wait for at once, and of one peer: our questions stay within FILE_REQUESTS_PER_SECOND of the sharer."""

FILE_ASK_SOON: Final = 0.2
FILE_ASK_LATE: Final = 2.0
"""A sharer is asked again after a quarter of the time (seconds) since the first question, within these."""

FILE_FIRST_PATIENCE: Final = 10.0
"""Seconds until a peer counts as silent that never answered: some 15 questions; at 40 % loss both ways one of 800
stays without an answer. Programs that do not know these messages are silent too."""

FILE_PATIENCE: Final = 30.0
"""Seconds until a peer counts as silent that answered before: one that is verified anew meanwhile is not lost."""

FILE_REQUESTS_PER_SECOND: Final = 16.0
FILE_REQUESTS_BURST: Final = 96.0
"""Questions, and answers, of one peer that we check. An answer has to be waited for."""

ALL_FILE_REQUESTS_PER_SECOND: Final = 100.0
ALL_FILE_REQUESTS_BURST: Final = 300.0
"""Questions of all peers: each that names another file may cost a look into the index of what is shared, and an
answer of at most 254 bytes."""
