"""
Who may talk with this node. With the policy `friends`, others may introduce themselves, verify, leave, and ask to be
friends; they get nothing else, and what this node announces is sealed for its friends.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .wire import Kind

if TYPE_CHECKING:
    from .friends import Friends
    from .peers import PeerState

OPEN_KINDS: Final = frozenset({Kind.INTRODUCTION, Kind.SOLICITATION, Kind.GOODBYE, Kind.CHALLENGE, Kind.RESPONSE,
                               Kind.CONFIRM, Kind.PROBE, Kind.PROBE_REPLY, Kind.ANSWER, Kind.PONG, Kind.FRIEND,
                               Kind.PULL, Kind.PAGE, Kind.TRAIN_REPORT})
"""What is heard from everybody: introductions and pages of them, verification, leaving, asking, and answers to what we
asked ourselves.
A kind that is not listed is for friends."""


class Policy:
    """
    The policy in force in one protocol instance.
    """

    def __init__(self, friends: Friends) -> None:
        """
        Let everyone talk.
        """
        self.friends = friends
        self.friends_only = False

    def allows(self, peer: PeerState) -> bool:
        """
        Tell whether a peer gets more than introductions, verification and a chance to ask.
        """
        return not self.friends_only or self.is_friend(peer)

    def is_friend(self, peer: PeerState) -> bool:
        """
        Tell whether a peer and this node are friends of each other.
        """
        return self.friends.state(peer.key) == "mutual"

    def is_chosen(self, peer: PeerState) -> bool:
        """
        Tell whether the user asked or accepted this peer.
        """
        return self.friends.state(peer.key) in ("mutual", "sent")

    def hears(self, kind: int, peer: PeerState) -> bool:
        """
        Tell whether messages of a kind are taken from a peer.
        """
        return kind in OPEN_KINDS or self.allows(peer)
