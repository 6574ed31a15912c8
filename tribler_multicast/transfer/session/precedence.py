"""
Who is served next when there is not room for all: those who gave, and a share for those who did not.

Whoever gave this node more than it took (`standing`) goes before all others. But newcomers, who can't have given yet,
get NEWCOMERS_SHARE of what is served while both wait, all of them together: else nobody ever came to give. Where only
one kind waits, it gets all.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

NEWCOMERS_SHARE: Final = 0.2
"""What those who did not give get while those who gave wait as well: enough to begin with, and to invent more
newcomers brings nothing, because it is of all of them together."""

OWED_MOST: Final = 64 << 10
"""Bytes of it that are kept for them at most: who comes late must not hold up those who gave for what was served
before."""


def nobody_gave(_mid: bytes) -> int:
    """
    Let all be equal.
    """
    return 0


class Precedence:
    """
    Between those that one helper serves.
    """

    def __init__(self, standing: Callable[[bytes], int] = nobody_gave) -> None:
        """
        Owe newcomers nothing.

        :param standing: gets the bytes that a peer gave us more than it took, at least 0.
        """
        self.standing = standing
        self._owed = 0.0

    def first(self, waiting: Sequence[bytes], givers: Collection[bytes]) -> bytes:
        """
        Get who is served next, of those that wait, the one served longest ago first.

        :param givers: those among them who gave.
        """
        wanted = not self._is_newcomers_turn if givers else False
        return next((mid for mid in waiting if (mid in givers) == wanted), waiting[0])

    @property
    def _is_newcomers_turn(self) -> bool:
        return self._owed > 0

    def givers(self, mids: Iterable[bytes]) -> set[bytes]:
        """
        Get those who gave.
        """
        return {mid for mid in mids if self.standing(mid) > 0}

    def served(self, mid: bytes, size: int, waiting: Collection[bytes], givers: Collection[bytes]) -> None:
        """
        Note that somebody of those that wait was sent so many bytes.
        """
        if not givers or all(each in givers for each in waiting):
            return
        if mid in givers:
            self._owed = min(OWED_MOST, self._owed + size * NEWCOMERS_SHARE / (1 - NEWCOMERS_SHARE))
        else:
            self._owed = max(-OWED_MOST, self._owed - size)


def weights(sessions: Sequence[tuple[float, bool]]) -> list[float]:
    """
    Get the weights of sessions that share a link, from the weights that their owners gave them and whether one of their
    receivers gave: all those without one get NEWCOMERS_SHARE together while both kinds are there.
    """
    gave = sum(weight for weight, is_giver in sessions if is_giver)
    others = sum(weight for weight, is_giver in sessions if not is_giver)
    if not gave or not others:
        return [weight for weight, _ in sessions]
    both = gave + others
    return [weight * both * ((1 - NEWCOMERS_SHARE) / gave if is_giver else NEWCOMERS_SHARE / others)
            for weight, is_giver in sessions]
