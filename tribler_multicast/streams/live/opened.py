"""
Blocks that are not proved yet: what is known of them, what came, and who was asked for the rest.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from ...coding import Decoder
    from .records import Leaf

GROUP: Final = b""
"""Who: the group's stream. The unicast of the source is None, that of a helper its mid."""


class Asked(NamedTuple):
    """
    That a block was asked for.
    """

    who: bytes | None
    symbols: int
    at: float
    until: float


class Open:
    """
    A block that is not proved yet.
    """

    def __init__(self, number: int, since: float) -> None:
        """
        Nothing of it came.
        """
        self.number = number
        self.since = since
        self.leaf: Leaf | None = None
        self.record = b""
        self.decoder: Decoder | None = None
        self.sent = False
        """Whether all of it was sent to the group."""
        self.due = since
        """When to ask for what is lacking."""
        self.asked: Asked | None = None
        self.came = 0
        """Symbols that came by unicast since it was asked for."""
        self.first_asked: float | None = None
        self.last: bytes | None = None
        """Who was asked last."""
        self.absent: set[bytes | None] = set()
        """Who had not enough of it."""
        self.source_asked = float("-inf")
        self.givers: set[bytes | None] = set()
        self.strict = False
        """Whether only what the source sends by unicast counts."""

    @property
    def rank(self) -> int:
        """
        Independent symbols that are here.
        """
        return 0 if self.decoder is None else self.decoder.rank

    @property
    def lacking(self) -> int:
        """
        Symbols that it lacks, as far as is known.
        """
        if self.decoder is not None:
            return self.decoder.code.k - self.decoder.rank
        return 0 if self.leaf is None else self.leaf.shape[0]
