"""Swarms: who of the neighbours takes part in a torrent. What is spent on others here is a hash for each torrent."""
from __future__ import annotations

from typing import Final

MAX_SWARMS_ASKED: Final = 48
"""Torrents in one question, which is 776 bytes. A client that begins a thousand makes 21 questions, not a thousand."""

MAX_SWARM_PEERS: Final = 64
"""Peers that one question goes to: each costs a datagram and an answer. On a larger LAN others are drawn each time."""

MAX_SWARM_RUNS: Final = 8
"""Questions under way: with SWARM_PATIENCE no more than 11 go out in a second, below what those asked check of us all
together only in bursts; the rest waits."""

SWARM_PATIENCE: Final = 0.7
"""Seconds after which an answer does not count: a BitTorrent client waits for it meanwhile. On a LAN that is long."""

MAX_SWARM_PORTS: Final = 16
"""Clients of one node that are told of one torrent: nobody runs more, and nobody fills our lists with ports."""

MAX_SWARM_ANSWER: Final = 1000
"""Bytes of an answer: 200 clients or so of 48 torrents. What finds no room is not told."""

MAX_OWN_SWARMS: Final = 5000
"""Own torrents that are compared with a question, a microsecond each: 5 ms of a core for each question at worst."""

SWARMS_PER_SECOND: Final = 4.0
SWARMS_BURST: Final = 24.0
ALL_SWARMS_PER_SECOND: Final = 40.0
ALL_SWARMS_BURST: Final = 120.0
"""Questions of one peer, and of all, that we check and answer: 40 a second at 1,000 own torrents are 4 % of a core.
Answers to ours have the budget of one peer again; they have to be waited for."""
