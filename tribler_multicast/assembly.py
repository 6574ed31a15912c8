"""
The one place where the parts are put together, for any client: settings, database, communities, events, REST.

A client (standalone, or Tribler) makes an ``Assembly`` from what only it knows, has IPv8 load the communities with
``community_arguments`` and ``coded_arguments``, gives the first to ``start``, keeps the second in ``coded`` and adds
``endpoint`` to its REST server.
"""
from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, cast

from . import __version__
from .community.activity import Activities
from .community.grouping import check_group
from .restapi.announcements import Announcements

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .client import Client
    from .community.coded import CodedTransferCommunity
    from .community.multicast import MulticastCommunity
    from .control import Control
    from .database import PeerDatabase
    from .feeds.feeds import Feeds
    from .restapi.endpoint import MulticastEndpoint
    from .restapi.security import HostPolicy
    from .settings import Settings
    from .streams.network import LiveNetwork
    from .streams.streams import Streams
    from .tracker.tracker import Tracker

logger = logging.getLogger(__name__)


class Assembly:
    """
    The parts of one node.
    """

    def __init__(self, client: Client, options: Settings, database: PeerDatabase | None, epoch: int,
                 save_settings: Callable[[dict[str, Any]], None], feeds: Feeds | None = None) -> None:
        """
        Put together what exists before the community does.

        :param epoch: the number of this start, higher than every earlier one of the same identity.
        :param save_settings: makes changed settings durable; raises when it cannot.
        :param feeds: the feeds of the node, None where there are none.
        """
        self.client = client
        self.options = options
        self.database = database
        self.epoch = epoch
        self.save_settings = save_settings
        self.feeds = feeds
        self.started = time.monotonic()
        self.announcements = Announcements()
        self.activities = Activities(client)
        self.community: MulticastCommunity | None = None
        self.coded: CodedTransferCommunity | None = None
        self.tracker: Tracker | None = None
        self.live: LiveNetwork | None = None
        """Another network of live streams than that of ``coded``, set before ``control`` is made. Where there is
        neither, streams stay on this node."""
        self.streams: Streams | None = None
        self._control: Control | None = None
        self._endpoint: MulticastEndpoint | None = None
        self._applying: asyncio.Task[None] | None = None

    def community_arguments(self) -> dict[str, Any]:
        """
        What the settings of the community get beside ``my_peer``, ``endpoint`` and ``network``.
        """
        return {"epoch": self.epoch, "options": self.options, "database": self.database, "client": self.client}

    def coded_arguments(self, community: MulticastCommunity, folder: Path | None) -> dict[str, Any]:
        """
        What the settings of the community of coded transfers get, which rides on this one. A node with the setting
        ``coded`` off has none.

        :param folder: where it is kept what is published and received, None for nowhere.
        """
        return {"multicast": community, "options": self.options, "folder": folder}

    async def start(self, community: MulticastCommunity) -> None:
        """
        Open the sockets of the loaded community, unless the node is switched off: from now on it introduces itself, and
        what rides on it starts too.
        """
        self.community = community
        self._want_weather(community)
        self.options.subscribe(self._follow)
        community.add_announcement_handler(self.announcements.received)
        if self.options["enabled"]:
            await community.start()
        await self._serve_tracker()

    async def _serve_tracker(self) -> None:
        """
        Have the tracker served as the settings want it; who never wanted it does not load it.
        """
        if self.tracker is None and self.options["tracker_enabled"] and self.community is not None:
            from .tracker.tracker import Tracker  # noqa: PLC0415 (off by default)

            self.tracker = Tracker(self.community, self.options)
            if self._control is not None:
                self._control.parts.tracker = self.tracker
        if self.tracker is not None:
            await self.tracker.apply()

    def _want_weather(self, community: MulticastCommunity) -> None:
        """
        Give the community its weather, if the settings want it. Once there, it sees for itself that they don't.
        """
        if self.options["weather"] and getattr(community, "weather", None) is None:
            from .community.weather_room import WeatherRoom  # noqa: PLC0415 (who does not want it does not load it)

            WeatherRoom(community, self.client, self.activities, cast("Mapping[str, Any]", self.options))

    async def change_settings(self, changes: Mapping[str, Any]) -> None:
        """
        Save settings, then put them into effect. The changes are checked; when they cannot be saved nothing is changed.

        :raises SettingError: one line, when they do not go together; nothing is changed.
        """
        if changes.keys() & {"policy", "group_passphrase"}:
            check_group(self.options, changes)
        self.save_settings({**self.options.file_values(), **changes})
        self.options.update(changes)
        await self.applied()

    async def applied(self) -> None:
        """
        Wait until the changes so far are in effect.
        """
        if self._applying is not None:
            await self._applying

    def _follow(self, changed: set[str]) -> None:
        """
        Have the community take over settings that changed, one change after the other.
        """
        self._applying = asyncio.ensure_future(self._apply(changed, self._applying))

    async def _apply(self, changed: set[str], earlier: asyncio.Task[None] | None) -> None:
        """
        Wait for the earlier change, then take over this one. A failure is the log's affair: the setting is changed.
        """
        if earlier is not None:
            await earlier
        assert self.community is not None
        self._want_weather(self.community)
        # Gathered, because what the community cancels of its own must not look like the end of whoever waits here.
        result = (await asyncio.gather(self.community.apply_settings(changed), return_exceptions=True))[0]
        if any(name.startswith("tracker_") for name in changed):
            await self._serve_tracker()
        if isinstance(result, BaseException):
            logger.error("A change of %s could not be put into effect", ", ".join(sorted(changed)), exc_info=result)

    @property
    def control(self) -> Control:
        """
        The control interface, for programs in this process, made once, after ``start``.
        """
        from .control import Control, Parts  # noqa: PLC0415 (not before the LAN part runs)
        from .streams.local import LocalNetwork  # noqa: PLC0415
        from .streams.streams import Streams  # noqa: PLC0415

        assert self.community is not None
        if self._control is None:
            mid, tell = self.community.my_peer.mid.hex(), self.community.tell
            live = self.live or (None if self.coded is None else self.coded.live)
            self.streams = Streams(live or LocalNetwork(mid), tell)
            self.activities.playing.append(lambda: "live" if self.streams is not None and self.streams.live else None)
            self._control = Control(Parts(version=__version__, client=self.client, options=self.options,
                                          community=self.community, database=self.database,
                                          change_settings=self.change_settings, feeds=self.feeds,
                                          coded=self.coded, tracker=self.tracker, streams=self.streams,
                                          started=self.started))
            self._control.parts.activities = self.activities
        return self._control

    def endpoint(self, policy: HostPolicy | None = None) -> MulticastEndpoint:
        """
        The endpoint for the REST server of the client, made once, after ``start``.

        :param policy: the names under which that server may be addressed; default: loopback only.
        """
        from .restapi.context import RestContext  # noqa: PLC0415 (aiohttp costs start time; the LAN comes first)
        from .restapi.endpoint import MulticastEndpoint  # noqa: PLC0415

        if self._endpoint is None:
            self._endpoint = MulticastEndpoint(RestContext(self.control, self.announcements), policy)
        return self._endpoint

    def stop_events(self) -> None:
        """
        End the event streams and the users of the control interface, before the REST server waits for its requests
        to end.
        """
        if self._control is not None:
            self._control.close()
        if self.streams is not None:
            self.streams.close()
        if self._endpoint is not None:
            self._endpoint.close()
        if self.tracker is not None:
            self.tracker.close()

    def close(self) -> None:
        """
        Stop following the settings, and close what outlives the community. The client unloads the community before.
        """
        self.options.unsubscribe(self._follow)
        if self._control is not None:
            self._control.close()
        if self.streams is not None:
            self.streams.close()
        if self.community is not None:
            self.community.remove_announcement_handler(self.announcements.received)
        if self.database is not None:
            self.database.close()
