"""
The endpoint that a host adds to its REST server: ``path`` and ``app``, which is all that Tribler asks of one.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from .activity_endpoint import ActivityRoom
from .announcements_endpoint import AnnouncementsRoom
from .browse_endpoint import BrowseRoom
from .data_endpoint import DataRoom
from .errors import error_middleware
from .events_endpoint import EventsRoom
from .feeds_endpoint import FeedsRoom
from .friends_endpoint import FriendsRoom
from .peers_endpoint import PeersRoom
from .ping_endpoint import PingRoom
from .publications_endpoint import PublicationsRoom
from .search_endpoint import SearchRoom
from .security import HostPolicy, origin_middleware
from .settings_endpoint import SettingsRoom
from .status_endpoint import StatusRoom
from .streams_endpoint import StreamsRoom
from .subscriptions_endpoint import SubscriptionsRoom
from .tokens import token_door
from .torrents_endpoint import TorrentsRoom
from .tracker_endpoint import TrackerRoom
from .transfers_endpoint import TransfersRoom
from .weather_endpoint import WeatherRoom

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

    from .context import RestContext


class MulticastEndpoint:
    """
    Everything under ``/api/multicast``.

    It brings its own middleware for errors and for Host and Origin, so that it behaves the same in every host; the API
    key is the host's affair. What lets players in without it, `door`, is to be put before what asks for it.
    """

    path = "/api/multicast"

    def __init__(self, context: RestContext, policy: HostPolicy | None = None) -> None:
        """
        Create the application with all its rooms.
        """
        self.app = web.Application(middlewares=[error_middleware, origin_middleware(policy or HostPolicy())])
        self.events = EventsRoom(context)
        self.data = DataRoom(context)
        self.streams = StreamsRoom(context, self.data.tokens)
        for room in (StatusRoom(context), PeersRoom(context), AnnouncementsRoom(context), PingRoom(context),
                     SettingsRoom(context), FriendsRoom(context), TorrentsRoom(context),
                     SearchRoom(context, self.data.tokens), ActivityRoom(context), WeatherRoom(context),
                     FeedsRoom(context), PublicationsRoom(context), TransfersRoom(context, self.data.tokens),
                     self.data, self.streams, BrowseRoom(context), TrackerRoom(context), SubscriptionsRoom(context),
                     self.events):
            self.app.add_routes(room.routes())

    @property
    def door(self) -> Middleware:
        """
        The middleware that knows the tokens of players.
        """
        return token_door(self.data.tokens, [self.data.get_data, *self.streams.for_players()])

    def close(self) -> None:
        """
        End the streams of events and data, which would otherwise hold up the end of the server.
        """
        self.events.close()
        self.data.close()
        self.streams.close()
