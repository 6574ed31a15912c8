"""
The overlay of local nodes as an IPv8 community, isolated from all others.

It has a `Network` and an endpoint of its own. IPv8 shares one `Peer` object per key between all overlays of a
network, and writes the address of whatever was received last into it: a multicast address in there makes other
overlays talk to a port where nobody listens. IPv8's own introductions are off: only the verified exchange adds peers.
"""
from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, cast

from ipv8.community import CommunitySettings
from ipv8.peerdiscovery.network import Network

from ..lan.endpoint import Datagram, LanEndpoint, LanListener
from ..protocol.core import MulticastProtocol
from ..protocol.events import (
    Announced,
    Asked,
    CodedReceived,
    FileAsked,
    FileEnded,
    FileProgress,
    ForeignSeal,
    FriendChanged,
    PeerAnswered,
    PeerGone,
    PeerLocal,
    PingEnded,
    ResultsFound,
    RoundTrip,
    SearchEnded,
    SwarmsAsked,
    SwarmsEnded,
    WeatherOverheard,
    WeatherReceived,
)
from ..protocol.identity import Identity
from ..protocol.introduction import CAPABILITIES, Introduction, Service
from ..protocol.limits import MAX_CLIENT_ADDRESSES
from ..protocol.links import Link
from ..protocol.values import to_json
from ..protocol.wire import COMMUNITY_ID, IPV4, IPV6, Address
from .befriending import Befriending, DatabaseBook
from .callbacks import Callbacks
from .carrying import Carrying
from .discovering import Discovering
from .fetching import Fetching
from .grouping import Grouping, foreign_seal_line
from .handlers import Handlers
from .noting import Noting
from .pinging import Pinging
from .searching import Searching
from .swarming import Swarming
from .views import LAN_SETTINGS, interface_statuses, lan_config
from .weathering import Weathering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ipv8.keyvault.keys import PrivateKey

    from ..client import Client
    from ..database import PeerDatabase
    from ..protocol.events import Event
    from .local_peer import InterfaceStatus

TOUCH_INTERVAL = 60.0


class MulticastSettings(CommunitySettings):
    """
    What the community is made with. `options` are the plugin's settings, `epoch` is higher than at any earlier start.
    """

    epoch: int
    options: Mapping[str, Any] | None = None
    database: PeerDatabase | None = None
    client: Client | None = None
    lan: LanEndpoint | None = None


class MulticastCommunity(Callbacks, Discovering, Pinging, Noting, Carrying, Searching, Fetching, Befriending,
                         Grouping, Weathering, Swarming, LanListener):
    """
    Finds the nodes on the local network, verifies them, and tells who is there.
    """

    community_id = COMMUNITY_ID
    settings_class = MulticastSettings

    def __init__(self, settings: MulticastSettings) -> None:
        """
        Create the community; it is silent until `start`.
        """
        given = getattr(settings, "endpoint", None)
        lan = settings.lan or (given if isinstance(given, LanEndpoint) else LanEndpoint())
        settings.endpoint = lan
        settings.network = Network()
        settings.max_peers = -1
        super().__init__(settings)
        self.cancel_pending_task("discover_lan_addresses")
        self.decode_map = [None] * 256
        self.lan = lan
        self.options: Mapping[str, Any] = settings.options if settings.options is not None else {}
        self.database = settings.database
        self.client = settings.client
        self.ports = (self.options.get("port", lan.config.port),
                      self.options.get("control_port", lan.config.first_port))
        self.introduced = Handlers("introductions")
        self.happened = Handlers("events")
        self.answered = Handlers("answers")
        self.announced = Handlers("announcements")
        self.ping_ends = {}
        self.train_ends, self.train_tasks = {}, set()
        self.prepare_search()
        self.prepare_fetching()
        self.prepare_swarming()
        self.timer: asyncio.TimerHandle | None = None
        self.running = False
        self.core = MulticastProtocol(Identity(cast("PrivateKey", settings.my_peer.key)), settings.epoch,
                                      shortest_interval=float(self.options.get("introduction_interval", 5.0)),
                                      book=None if self.database is None else DatabaseBook(self.database))
        self.apply_policy()
        self.lan.on_links = self.links_changed
        self.lan.on_leaving = self.leave_links
        self.logger = logging.getLogger(__name__)

    # --- The 2009 module's calls in today's form.

    def announce(self, values: tuple[Any, ...]) -> int:
        """
        Announce a tuple to all local nodes, at most 256 KiB; get the number of this announcement, from 1.

        Each of them gets all of it, once, or nothing. Known values: None, bool, int, float, bytes, str, tuple, list.

        :raises ValueError: with one line that says why, when it can't be sent.
        """
        number = self.core.announce(values, self.now())
        self.pump()
        return number

    # --- Status.

    def interfaces(self) -> list[InterfaceStatus]:
        """
        List the interfaces in use, and those that should be but can't.
        """
        return interface_statuses(self.lan.links.values(), self.lan.switched_off)

    def counters(self) -> dict[str, dict[str, int]]:
        """
        Get counts of all messages sent, received and dropped by reason.
        """
        counters = self.core.counters.as_dict()
        for reason, count in self.lan.dropped.items():
            counters["dropped"][reason] = counters["dropped"].get(reason, 0) + count
        counters["datagrams"] = {"sent": self.lan.packets_up, "received": self.lan.packets_down,
                                 "bytes_sent": self.lan.bytes_up, "bytes_received": self.lan.bytes_down}
        return {**counters, **self.carried_counters(), **self.weather_counters()}

    # --- Life.

    async def start(self) -> None:
        """
        Open the LAN and begin to introduce this node.
        """
        if self.running:
            return
        await self.take_seal()
        if self._shutdown or self.core.started is not None:  # Something else happened while the key was worked out.
            return
        self.lan.configure(lan_config(self.options, self.lan.config, self.ports))
        await self.lan.open()
        self.running = True
        self.begin_carried()
        self.core.set_introduction(self.own_introduction(), self.now())
        self.links_changed()
        self.core.start(self.now())
        self.pump()
        if self.database is not None:
            self.register_task("touch", self.touch, interval=TOUCH_INTERVAL)
        self.weather_start()
        await self.start_carried()

    async def stop(self) -> None:
        """
        Say goodbye and close the LAN; `start` may follow, in a new epoch's stead the sequence numbers go on.
        """
        if self.running:
            await self.weather_stop()
            await self.stop_carried()
        if not self.running:  # Now, or somebody else was faster meanwhile.
            return
        self.running = False
        self.core.stop()
        self.pump()
        for task in list(self.train_tasks):
            task.cancel()
        self.stop_fetching()
        self.end_swarming()
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.lan.close()
        self.core.set_links((), self.now())
        if self.is_pending_task_active("touch"):
            self.cancel_pending_task("touch")

    async def unload(self) -> None:
        """
        Say goodbye, close the LAN, end all tasks.
        """
        await self.stop()
        for handlers in (self.introduced, self.happened, self.answered, self.announced):
            handlers.cancel()
        if self.lookups is not None:
            self.lookups.close()
        self.unload_fetching()
        await super().unload()

    async def apply_settings(self, changed: set[str]) -> None:
        """
        Take over settings that changed while running.
        """
        if "enabled" in changed:
            await (self.start() if self.options["enabled"] else self.stop())
        self.apply_policy()
        if not self.running:
            return
        if changed & {"policy", "group_passphrase"} and not await self.change_group():
            return
        if changed & LAN_SETTINGS:
            self.lan.configure(lan_config(self.options, self.lan.config, self.ports))
        if "introduction_interval" in changed:
            self.core.set_shortest_interval(float(self.options["introduction_interval"]), self.now())
        self.refresh_introduction()
        self.weather_start()
        self.weather_changed()

    def refresh_introduction(self) -> None:
        """
        Say what is new about this node, if anything is.
        """
        if self.running:
            self.core.set_introduction(self.own_introduction(), self.now())
            self.pump()

    def own_introduction(self) -> Introduction:
        """
        Get what this node says of itself now.
        """
        nickname, interval = self.options.get("nickname", ""), self.core.shortest_interval
        capabilities = self.carried_capabilities() | self.weather_capabilities(
            wanted=bool(self.options.get("weather", True)))
        if self.swarm_source is not None:
            capabilities |= {"tracker"}
        if self.client is None:
            return Introduction(interval, capabilities, nickname)
        capabilities = (capabilities | self.client.capabilities()) & frozenset(CAPABILITIES)
        services = tuple((Service[kind.upper()], Address(IPV6 if ":" in ip else IPV4, ip.partition("%")[0], port))
                         for kind, ip, port in self.client.addresses()[:MAX_CLIENT_ADDRESSES])
        return Introduction(interval, capabilities, nickname, services)

    # --- Between the protocol and the world.

    def links_changed(self) -> None:
        """
        Tell the protocol which links there are.
        """
        links = [Link(*link.key, *link.address, link.interface.networks(link.family), link.silent)
                 for link in self.lan.links.values() if link.address is not None]
        self.core.set_links(links, self.now())
        self.pump()
        self.carried_links_changed()
        self.weather_changed()

    def leave_links(self, keys: list[tuple[int, int]]) -> None:
        """
        Say goodbye on links that are to fall silent.
        """
        self.core.leaving.leave(keys, self.now())
        self.pump()

    def on_datagram(self, datagram: Datagram) -> None:
        """
        Give one datagram to the protocol.
        """
        self.core.datagram_received(datagram.data, datagram, self.now())
        if self.core.outbox.waiting or self.core.events:
            self.pump()
        else:
            self.set_timer()

    def on_timer(self) -> None:
        """
        Let the protocol do what is due.
        """
        self.timer = None
        self.core.run_timers(self.now())
        self.pump()

    def flush(self) -> None:
        """
        Send what the protocol says.
        """
        self.lan.send_batch((link, address, data, not verified)
                            for (link, address, verified), data in self.core.take_outgoing())

    def pump(self) -> None:
        """
        Send what the protocol says, act on what happened.
        """
        self.flush()
        for event in self.core.take_events():
            if isinstance(event, PeerLocal):
                self.on_local(event.peer, event.first)
                self.weather_found()
            elif isinstance(event, PeerGone):
                self.on_gone(event.peer, event.reason)
                self.weather_gone(event.peer.mid)
            elif isinstance(event, PeerAnswered):
                self.answered(self.view(event.peer), event.address)
            elif isinstance(event, Announced):
                self.announced(self.view(event.peer), event.values)
                self.tell("multicast_announcement", mid=event.peer.mid.hex(), values=to_json(event.values))
            elif isinstance(event, PingEnded):
                self.ping_ended(event.run)
            elif isinstance(event, ForeignSeal):
                self.logger.warning("%s", foreign_seal_line(event.source[0]))
            elif isinstance(event, FriendChanged):
                self.friend_changed(event)
            else:
                self.on_run_event(event)
        self.set_timer()

    def on_run_event(self, event: Event) -> None:
        """
        Act on what happened in what takes a while: searches, shared files, transfers, measurements.
        """
        if isinstance(event, Asked | ResultsFound | SearchEnded):
            self.on_search_event(event)
        elif isinstance(event, FileAsked | FileProgress | FileEnded):
            self.on_file_event(event)
        elif isinstance(event, CodedReceived | RoundTrip):
            self.on_coded_event(event)
        elif isinstance(event, WeatherReceived | WeatherOverheard):
            self.on_weather_event(event)
        elif isinstance(event, SwarmsAsked | SwarmsEnded):
            self.on_swarm_event(event)
        else:
            self.on_train_event(event)

    def set_timer(self) -> None:
        """
        Wake up when the protocol wants.
        """
        due = self.core.next_timer() if self.running else None
        if self.timer is not None and (due is None or self.timer.when() != due):
            self.timer.cancel()
            self.timer = None
        if due is not None and self.timer is None:
            self.timer = asyncio.get_running_loop().call_at(due, self.on_timer)
