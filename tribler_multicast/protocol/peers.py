"""The peers that are verified now, and the paths on which they are."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .identity import mid_of
from .limits import MAX_KEYS_PER_ADDRESS, MAX_PEERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .introduction import Introduction
    from .replay import ReplayWindow

LinkKey = tuple[int, int]
HostPort = tuple[str, int]


@dataclass(slots=True)
class Path:
    """
    One verified way to a peer: its unicast address on one link of ours.

    `heard` and `since` (last verified) are seconds on the protocol's clock; `confirmed` once it showed that it
    verified us too; `probes` counts those sent since it was heard last; `introduction` is its last INTRODUCTION on this
    link as it came, without the first 22 bytes.
    """

    link: LinkKey
    address: HostPort
    heard: float
    since: float
    confirmed: bool = False
    probes: int = 0
    introduction: bytes = b""


@dataclass(slots=True)
class PeerState:
    """
    A peer verified on at least one path; while it is in the table it is local.

    `friend_heard` is epoch and sequence number of its newest FRIEND.
    """

    key: bytes
    epoch: int
    introduction: Introduction
    pair_key: bytes
    since: float
    window: ReplayWindow
    paths: dict[LinkKey, Path] = field(default_factory=dict)
    rtt: float | None = None
    mid: bytes = b""
    friend_heard: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        """
        Work out the mid once.
        """
        self.mid = mid_of(self.key)

    @property
    def heard(self) -> float:
        """
        Get the last time (seconds, protocol clock) that it was heard on any path.
        """
        return max((path.heard for path in self.paths.values()), default=self.since)

    def freshest_path(self) -> Path:
        """
        Get the path on which it was heard last; a peer in the table has one.
        """
        return max(self.paths.values(), key=lambda path: path.heard)

    def add_rtt(self, sample: float) -> None:
        """
        Smooth the round-trip time with a new sample in seconds (RFC 6298 section 2, alpha = 1/8).
        """
        self.rtt = sample if self.rtt is None else self.rtt + (sample - self.rtt) / 8


class PeerTable:
    """
    All verified peers, by key and by address; bounded.
    """

    def __init__(self) -> None:
        """
        Start with none.
        """
        self.peers: dict[bytes, PeerState] = {}
        self.by_mid: dict[bytes, PeerState] = {}
        self.keys_at: dict[tuple[LinkKey, str], set[bytes]] = {}
        self.path_count = 0

    def __iter__(self) -> Iterator[PeerState]:
        """
        Go over a snapshot of the peers.
        """
        return iter(list(self.peers.values()))

    def __len__(self) -> int:
        """
        Count the peers.
        """
        return len(self.peers)

    @property
    def address_count(self) -> int:
        """
        Count the addresses: what the pace is set by. Many keys at one address count once, and a key once per link.
        """
        return len(self.keys_at)

    def get(self, key: bytes) -> PeerState | None:
        """
        Get the peer with this key (64 bytes) if it is verified now.
        """
        return self.peers.get(key)

    def of_mid(self, mid: bytes) -> PeerState | None:
        """
        Get the peer with this mid (20 bytes) if it is verified now.
        """
        return self.by_mid.get(mid)

    def has_room(self, key: bytes, link: LinkKey, ip: str) -> bool:
        """
        Tell whether a key may be added at an address: the table and each address in it are bounded.
        """
        if key in self.keys_at.get((link, ip), ()):
            return True
        return ((key in self.peers or len(self.peers) < MAX_PEERS)
                and len(self.keys_at.get((link, ip), ())) < MAX_KEYS_PER_ADDRESS)

    def set_path(self, peer: PeerState, path: Path) -> None:
        """
        Add a peer on this path, or let the path take the place of its older one on the same link.
        """
        self.remove_path(peer, path.link)
        self.peers[peer.key] = self.by_mid[peer.mid] = peer
        peer.paths[path.link] = path
        self.keys_at.setdefault((path.link, path.address[0]), set()).add(peer.key)
        self.path_count += 1

    def remove_path(self, peer: PeerState, link: LinkKey) -> Path | None:
        """
        Forget one path of a peer; with the last one goes the peer.
        """
        path = peer.paths.pop(link, None)
        if path is None:
            return None
        self.path_count -= 1
        place = link, path.address[0]
        keys = self.keys_at[place]
        keys.discard(peer.key)
        if not keys:
            del self.keys_at[place]
        if not peer.paths:
            self.peers.pop(peer.key, None)
            self.by_mid.pop(peer.mid, None)
        return path
