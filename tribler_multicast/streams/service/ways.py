"""
How unicast of a live stream comes in: under a tag and a key for each who is asked, which we chose.
"""
from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ..live.messages import KEY_SIZE, TAG_SIZE
from .arriving import Arriving

if TYPE_CHECKING:
    from collections.abc import Container


class Way(NamedTuple):
    """
    How something comes from one who was asked, a helper or the source (None).
    """

    who: bytes | None
    tag: bytes
    key: bytes
    arriving: Arriving


class Ways:
    """
    All of them.
    """

    def __init__(self) -> None:
        """
        With none.
        """
        self.by_tag: dict[bytes, Way] = {}
        self._tags: dict[bytes | None, bytes] = {}

    def to(self, who: bytes | None) -> Way:
        """
        Get how something comes from somebody.
        """
        if who not in self._tags:
            tag, key = os.urandom(TAG_SIZE), os.urandom(KEY_SIZE)
            self._tags[who] = tag
            self.by_tag[tag] = Way(who, tag, key, Arriving(tag, key, unicast=True))
        return self.by_tag[self._tags[who]]

    def drop(self, who: bytes | None) -> None:
        """
        Take nothing more under that key.
        """
        tag = self._tags.pop(who, None)
        if tag is not None:
            del self.by_tag[tag]

    def keep(self, helpers: Container[bytes]) -> None:
        """
        Take nothing more of others than the source and these.
        """
        for who in [who for who in self._tags if who is not None and who not in helpers]:
            self.drop(who)
