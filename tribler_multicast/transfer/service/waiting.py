"""
Who asked for what is not here, or not whole: whoever comes to offer it soon after tells them, so that they need not
wait for their next question.
"""
from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from .limits import ASKED, ASKERS

if TYPE_CHECKING:
    from .courier import LinkKey


class Waiting:
    """
    The latest of those who asked.
    """

    def __init__(self) -> None:
        """
        Nobody asked yet.
        """
        self._asked: OrderedDict[tuple[bytes, bytes], tuple[LinkKey, float]] = OrderedDict()
        """By content and mid: by which link, and when."""

    def note(self, content_id: bytes, mid: bytes, link: LinkKey, now: float) -> None:
        """
        Note that somebody asked for a content.
        """
        self._asked[content_id, mid] = link, now
        self._asked.move_to_end((content_id, mid))
        if len(self._asked) > ASKERS:
            self._asked.popitem(last=False)

    def take(self, content_id: bytes, now: float) -> list[tuple[bytes, LinkKey]]:
        """
        Take those who asked for a content not long ago.
        """
        asked = [key for key in self._asked if key[0] == content_id]
        found = [(key[1], *self._asked.pop(key)) for key in asked]
        return [(mid, link) for mid, link, at in found if now - at <= ASKED]
