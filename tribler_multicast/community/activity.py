"""
What this node is doing: what a player or camera declared, while that holds; else what is played here; else what the
client says.
"""
from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from ..client import ACTIVITY_CLASSES, Activity

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..client import Client

logger = logging.getLogger(__name__)


class Declared(NamedTuple):
    """
    A declared activity, and until when (seconds, of whatever clock it was declared with) it holds.
    """

    activity: Activity
    until: float


class Activities:
    """
    Knows the activity that counts now.
    """

    def __init__(self, client: Client) -> None:
        """
        With nothing declared.
        """
        self.client = client
        self.declared: Declared | None = None
        self.playing: list[Callable[[], str | None]] = []
        """Who knows of players: each gets one of ACTIVITY_CLASSES, None when nobody plays."""

    def declare(self, activity: Activity, ttl: float, now: float) -> None:
        """
        Let an activity count for `ttl` seconds, whatever the client says.
        """
        self.declared = Declared(activity, now + ttl)

    def current(self, now: float) -> tuple[Activity, float | None]:
        """
        Get the activity that counts, and until when if it was declared. Rates that were not declared are the client's.
        """
        try:
            own = self.client.activity()
        except Exception:
            logger.exception("The client failed to tell its activity")
            own = Activity()
        own = self._with_players(own)
        if self.declared is not None and now >= self.declared.until:
            self.declared = None
        if self.declared is None:
            return own, None
        said = self.declared.activity
        return Activity(said.kind, own.up if said.up is None else said.up,
                        own.down if said.down is None else said.down), self.declared.until

    def _with_players(self, own: Activity) -> Activity:
        """
        Get what counts of what the client does and what is played here: what needs the network most.
        """
        kinds = [own.kind, *(kind for playing in self.playing if (kind := playing()) is not None)]
        return Activity(max(kinds, key=ACTIVITY_CLASSES.index), own.up, own.down)
