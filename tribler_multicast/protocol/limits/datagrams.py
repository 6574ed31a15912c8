"""Datagrams, the signatures on them that are checked, and what others can make us send."""
from __future__ import annotations

from typing import Final

MAX_DATAGRAM: Final = 1400
"""Larger datagrams are dropped unread: they would be cut into IP fragments, and one lost fragment loses all."""

MAX_NICKNAME: Final = 64
"""Bytes of UTF-8. A name is for a table row; more would be a way to write on other people's screens."""

MAX_CLIENT_ADDRESSES: Final = 6
"""Addresses of the hosting client in one introduction: keeps a RESPONSE smaller than the CHALLENGE it answers."""

CHALLENGE_SIZE: Final = 600
"""A CHALLENGE is padded to this. No answer to it is larger, so nobody gains by having us answer to a victim."""

# --- Signature checks. One costs 70 microseconds of a core [measured], sending a forged datagram costs its sender 2.

STAMP_BITS: Final = 10
"""Work in a stranger's datagram: 2^10 hashes, a millisecond for its sender, one hash for us. A flood of 20,000
scrambled datagrams per second carries none; one that carries them costs its sender ten cores of Python or three of C.
Not more, because a node introduces itself every 5 s on each link, on the smallest NAS too."""

REPEAT_BITS: Final = 1 << 21
REPEAT_ENTRIES: Final = 131_072
REPEAT_MEMORY: Final = 60.0
"""Stamped datagrams of strangers are remembered in a Bloom filter of so many bits, for so many entries or seconds per
generation (two are kept): 512 KiB in all, 1.4 % false positives at worst. Who repeats prepared datagrams is found out
at the second turn; to prepare that many takes two minutes of work."""

INTRODUCTIONS_PER_SECOND: Final = 600.0
INTRODUCTIONS_BURST: Final = 1000.0
"""Signatures checked on stamped multicast from strangers. 5,000 honest nodes send at most 42 per second."""

SOURCE_PER_SECOND: Final = 32.0
SOURCE_BURST: Final = 96.0
"""Signatures checked per source address: one noisy machine cannot use up what is there for all. Not smaller, because
several nodes may share a machine."""

SOURCES_REMEMBERED: Final = 4096
"""Per-source budgets kept, least recently used go first: invented source addresses cost no memory."""

PEER_PER_SECOND: Final = 8.0
PEER_BURST: Final = 32.0
"""Signatures checked per verified peer on multicast. Who forges a peer's datagrams uses up that budget only; the peer
stays alive by unicast probes, which carry a guard that a forger cannot make."""

CHALLENGES_PER_SECOND: Final = 300.0
CHALLENGES_BURST: Final = 600.0
"""The same for stamped challenges."""

HINTS_PER_SECOND: Final = 20.0
HINTS_BURST: Final = 40.0
"""Signatures checked on unicast that only a peer would send, but one that we do not hold as verified (any more)."""

# --- What others can make us send.

TARGET_PER_SECOND: Final = 2.0
TARGET_BURST: Final = 32.0
"""Challenges sent to an address not verified yet, whoever names it, with however many keys: a forged introduction
that names a victim must not make the LAN shoot at it. One heard introduction causes at most three. Not smaller,
because several nodes may start at once on one machine."""

TARGETS_REMEMBERED: Final = 4096
"""Addresses with a budget of their own; least recently used go first."""

UNVERIFIED_SENDS_PER_SECOND: Final = 100.0
UNVERIFIED_SENDS_BURST: Final = 200.0
"""Challenges to all unverified addresses together, and as many responses. Where nobody has the address, the kernel asks
for it by broadcast for 3 s and keeps the datagram: 100 a second are 300 neighbours asked for, well below the 1,024 that
a Linux machine can hold; more would disturb the whole machine and the LAN [measured]. For the same reason there is no
stateless cookie (DTLS, IKEv2) here: answers to invented addresses of our own link are what hurts most."""

CHALLENGED_MEMORY: Final = 10.0
"""Seconds that somebody who was challenged comes last when that budget runs low."""

ANSWERS_PER_PEER_PER_SECOND: Final = 4.0
ANSWERS_PER_PEER_BURST: Final = 12.0
"""Answers (to solicitations) that one verified peer can ask of us."""
