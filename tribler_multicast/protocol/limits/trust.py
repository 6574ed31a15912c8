"""Groups and friends."""
from __future__ import annotations

from typing import Final

# --- Groups.

GROUP_KEY_PASSES: Final = 4
GROUP_KEY_MEMORY: Final = 64 << 20
"""Work (argon2id) between a passphrase and the key of its group: a tenth of a second and 64 MiB, once for a member, and
again for each guess of whoever recorded the LAN and tries passphrases at home. Not more: the smallest NAS."""

MAX_SEAL_KEYS: Final = 4096
"""Keys kept for the addresses that others seal from; least recently used go first. To work one out again takes a
microsecond, and only what opened is kept: invented addresses push nobody out."""

FOREIGN_SEAL_GAP: Final = 600.0
"""Seconds between two log lines that somebody here seals with another passphrase: whoever wants can make us say it."""

FOREIGN_SEAL_MEMORY: Final = 120.0
"""Seconds that the status and the doctor go on saying so after the last such datagram. The longest interval between
introductions (MAX_INTERVAL)."""

# --- Friends.

MAX_SERIAL: Final = (1 << 63) - 1
"""Largest serial of a verdict: what a database keeps in a signed integer."""

FRIEND_DELAY: Final = 0.05
"""Seconds from the verification of a peer until we compare notes with it: its CONFIRM or PROBE is on the way."""

FRIEND_AGAIN: Final = 0.3
FRIEND_AGAIN_GROWTH: Final = 1.5
FRIEND_AGAIN_MOST: Final = 30.0
"""A verdict that the other does not show to know is told again after 0.3 s, then 1.5 times as long each time, 30 s at
most: at 40 % loss both ways one of nine tries in the first 15 s succeeds 98 times of 100, and who is not answered (too
many asks wait there) makes no noise."""

FRIENDS_PER_SECOND: Final = 2.0
FRIENDS_BURST: Final = 16.0
"""FRIENDs that one verified peer can make us check, keep and answer. Honest ones send one or two per decision."""

ALL_FRIENDS_PER_SECOND: Final = 20.0
ALL_FRIENDS_BURST: Final = 60.0
"""The same for all whom the user has not chosen together: each may cost a write to the disk. Those asked or accepted
have only their own budget, so that no crowd of strangers keeps friends from agreeing."""

MAX_ASKS_WAITING: Final = 128
"""Asks of others that wait for the user. Further ones are dropped and not answered, so an honest asker tries again:
a newer ask must not push out an older one, or who has thousands of keys empties the list again and again. Only an ask
of somebody who is gone makes room for one who is here, or a spammer that left would keep it full for ever."""

MAX_ASKS_PER_ADDRESS: Final = 8
"""Of them, from peers at one IP address at a time: one machine does not fill the list."""
