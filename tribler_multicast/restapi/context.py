"""
What the endpoints may touch: one small object instead of the whole node.
"""
from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..community.activity import Activities

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from ..client import Client
    from ..community.multicast import MulticastCommunity
    from ..database import PeerDatabase
    from ..settings import Settings
    from .announcements import Announcements


@dataclass
class RestContext:
    """
    The parts that the endpoints show and change.

    ``change_settings`` saves checked changes and puts them into effect; it raises when they cannot be saved, and then
    nothing is changed. ``started`` is monotonic (seconds), for the uptime.
    """

    version: str
    client: Client
    options: Settings
    community: MulticastCommunity
    announcements: Announcements
    database: PeerDatabase | None
    change_settings: Callable[[dict[str, Any]], Awaitable[None]]
    started: float = field(default_factory=time.monotonic)
    activities: Activities = field(init=False)

    def __post_init__(self) -> None:
        """
        Begin with no declared activity.
        """
        self.activities = Activities(self.client)
