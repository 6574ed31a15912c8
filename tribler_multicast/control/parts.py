"""
What the control interface moves: the parts of one node.
"""
from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..community.activity import Activities

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..client import Client
    from ..community.coded import CodedTransferCommunity
    from ..community.multicast import MulticastCommunity
    from ..community.weather_room import WeatherRoom
    from ..database import PeerDatabase
    from ..feeds.feeds import Feeds
    from ..settings import Settings
    from ..streams.streams import Streams
    from ..tracker.tracker import Tracker
    from ..transfer.service.service import TransferService
    from ..weather.service.service import WeatherService


@dataclass
class Parts:
    """
    The parts of a running node.

    ``change_settings`` saves checked changes and puts them into effect; it raises when they cannot be saved, and then
    nothing is changed. ``started`` is monotonic (seconds), for the uptime. ``feeds`` is None where there are none,
    ``coded`` where nothing is sent coded, ``tracker`` where none was ever wanted, ``streams`` where nothing is
    streamed.
    """

    version: str
    client: Client
    options: Settings
    community: MulticastCommunity
    database: PeerDatabase | None
    change_settings: Callable[[dict[str, Any]], Awaitable[None]]
    feeds: Feeds | None = None
    coded: CodedTransferCommunity | None = None
    tracker: Tracker | None = None
    streams: Streams | None = None
    started: float = field(default_factory=time.monotonic)
    activities: Activities = field(init=False)

    def __post_init__(self) -> None:
        """
        Begin with no declared activity.
        """
        self.activities = Activities(self.client)

    @property
    def weather(self) -> WeatherService | None:
        """
        Get the weather, None where there is none.
        """
        room: WeatherRoom | None = getattr(self.community, "weather", None)
        return None if room is None or not self.options["weather"] else room.service

    @property
    def transfers(self) -> TransferService | None:
        """
        Get what sends and receives coded, None while nothing does. It is another one after it was switched off and on.
        """
        return self.coded.service if self.coded is not None and self.coded.started else None
