"""
The plugin in one session of Tribler: made when the launchers are registered, started when IPv8 runs, ended with it.
"""
from __future__ import annotations

import asyncio
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ipv8.peer import Peer

from ..assembly import Assembly
from ..community.coded import CodedTransferCommunity
from ..community.multicast import MulticastCommunity
from ..lan.endpoint import LanEndpoint
from ..restapi.security import HostPolicy
from ..settings import SettingError
from .catalogue import Catalogue
from .client import TriblerClient
from .config import ConfigSettings
from .downloads import LanDownloads
from .errors import MissingSymbolError, find, guarded
from .events import HostEvents
from .gossip import Gossip
from .launcher import CodedTransferComponent, MulticastComponent
from .neighbours import Neighbours
from .privacy import Privacy
from .rest import gate, settings_door
from .search import Search
from .state import next_epoch, open_database, remove_api, transfers_folder, write_api
from .stepping import Stepping
from .streaming import Streaming
from .torrents import TriblerTorrents
from .webui import switch

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..community.local_peer import LocalPeer

T = TypeVar("T")

logger = logging.getLogger(__name__)

ROOT_LOGGER = __name__.rpartition(".tribler8.")[0]

STEP = 0.5
"""Seconds between two looks at what changed in Tribler: ports, downloads, whose turn it is to gossip. Tribler itself
looks at its downloads every second, and none may begin and change unseen."""

OPEN_TIMEOUT = 30.0
"""Seconds to wait for IPv8's sockets; without them the LAN part starts all the same."""

OPEN_POLL = 0.05
"""Seconds between two looks whether they are open."""


class Plugin:
    """
    All parts of the plugin in one session.
    """

    def __init__(self, session: Any) -> None:  # noqa: ANN401
        """
        Make what exists before IPv8 runs.

        :raises MissingSymbolError: when this Tribler lacks what nothing works without.
        """
        self.session = session
        self.config = ConfigSettings(find(session, "config"), os.environ)
        self.options = self.config.options
        self.client = TriblerClient(session, _optional("events on /api/events", lambda: HostEvents(session)))
        self.state_dir = Path(session.config.get("state_dir"))
        self.assembly = Assembly(self.client, self.options, open_database(session.config), next_epoch(self.state_dir),
                                 self.config.save)
        self.community = self._make_community()
        self.client.community = self.assembly.community = self.community
        self.coded = self.assembly.coded = _optional("coded transfers", self._make_coded)
        self.neighbours = Neighbours(self.community)
        self.privacy: Privacy | None = None
        self.gossip: Gossip | None = None
        self.downloads: LanDownloads | None = None
        self.announced: object = None
        self._follow_log_level({"log_level"})
        self.options.subscribe(self._follow_log_level)

    def _make_community(self) -> MulticastCommunity:
        """
        Make the community, silent yet, with Tribler's own identity: so its peers are those of the other communities.
        """
        keys = find(self.session, "ipv8", "keys")
        if "anonymous id" not in keys:
            message = "this Tribler has no identity named 'anonymous id'; tested is Tribler 8.4.3"
            raise MissingSymbolError(message)
        # A Peer of our own: the one in there is shared, and the addresses of others would be written into it.
        me = Peer(keys["anonymous id"].key)
        return MulticastCommunity(MulticastCommunity.settings_class(
            my_peer=me, endpoint=LanEndpoint(), **self.assembly.community_arguments()))

    def _make_coded(self) -> CodedTransferCommunity | None:
        """
        Make the community of coded transfers, if the settings want it.
        """
        if not self.options["coded"]:
            return None
        return CodedTransferCommunity(CodedTransferCommunity.settings_class(
            **self.assembly.coded_arguments(self.community, transfers_folder(self.session.config))))

    def _follow_log_level(self, changed: set[str]) -> None:
        """
        Write as much to Tribler's log as the setting says, from this package only.
        """
        if "log_level" in changed:
            logging.getLogger(ROOT_LOGGER).setLevel(str(self.options["log_level"]).upper())

    # --- Before anything runs.

    def register(self) -> None:
        """
        Add the launcher, the REST calls and the settings to the session.
        """
        manager = find(self.session, "rest_manager")
        endpoint = self.assembly.endpoint(HostPolicy(str(self.session.config.get("api/http_host"))))
        endpoint.app.middlewares.append(gate(self.options, self.community))
        set_launcher = find(self.session, "loader", "set_launcher")
        set_launcher(MulticastComponent(self, self.community))
        if self.coded is not None:
            set_launcher(CodedTransferComponent(self.coded))
        find(manager, "add_endpoint")(endpoint)
        self.config.follow()
        switch.wanted = lambda: bool(self.options["enabled"])
        _optional("tokens for players",
                  lambda: find(manager, "root_endpoint", "app", "middlewares").insert(0, endpoint.door))
        _optional("the check of POST /api/settings",
                  lambda: find(manager, "root_endpoint", "app", "middlewares").append(
                      settings_door(self.config, self.assembly.applied)))

    # --- While it runs.

    def launched(self) -> None:
        """
        Go on as soon as the event loop does: IPv8's sockets are opened after all launchers.
        """
        unload = self.community.unload

        async def unload_and_close() -> None:
            await unload()
            if self.client.stepping is not None:
                self.client.stepping.close()
            if self.client.streaming is not None:
                self.client.streaming.unhook()
            if isinstance(self.client.torrents, TriblerTorrents):
                self.client.torrents.close()
            remove_api(self.state_dir)
            self.assembly.stop_events()
            self.assembly.close()

        self.community.unload = unload_and_close  # type: ignore[method-assign]
        self.community.register_task("start in Tribler", self._start, ignore=(Exception,))

    async def _start(self) -> None:
        """
        Start the LAN part, then what works with Tribler's own parts.
        """
        deadline = time.monotonic() + OPEN_TIMEOUT
        while not self.session.ipv8.endpoint.is_open() and time.monotonic() < deadline:
            await asyncio.sleep(OPEN_POLL)
        _optional("the command line", self._write_api)
        try:
            await self.assembly.start(self.community)
        except SettingError as error:
            logger.critical("tribler-multicast does not start: %s", error)
        except Exception:
            logger.critical("tribler-multicast does not start", exc_info=True)
        self.options.subscribe(self._try_again)
        self._hook_in()
        self.community.add_introduction_handler(self._introduced)
        self.community.register_task("look at Tribler", self._step, interval=STEP)

    def _try_again(self, changed: set[str]) -> None:
        """
        Start after all, when what was wrong at the start is mended.
        """
        if changed & {"policy", "group_passphrase"} and self.options["enabled"] and not self.community.running:
            self.community.register_anonymous_task("start again", self.community.start, ignore=(Exception,))

    def _write_api(self) -> None:
        """
        Tell the command line where this Tribler answers.
        """
        port = self.session.rest_manager.get_api_port()
        if port:
            write_api(self.state_dir, f"http://{self.session.config.get('api/http_host')}:{port}",
                      str(self.session.config.get("api/key") or ""))

    def _hook_in(self) -> None:
        """
        Connect Tribler's own parts with the local peers: each one that is there.
        """
        _optional("the download manager's part",
                  lambda: setattr(self, "downloads", LanDownloads(self.neighbours, self.session.download_manager)))
        _optional("torrents by the control interface",
                  lambda: setattr(self.client, "torrents", TriblerTorrents(self.session)))
        _optional("stepping aside", lambda: setattr(self.client, "stepping", Stepping(
            self.session.download_manager, self._limits_given, self._overlay_bytes)))
        overlay = getattr(self.session, "content_discovery_community", None)
        if overlay is None:
            logger.info("Content discovery is switched off: local peers are neither gossiped with nor searched")
            return
        _optional("IPv8 over IPv4", self._open_prefixes)
        if _optional("leaving anonymous downloads out", lambda: self._guard(overlay)) is not None:
            # Gossip only with that guard: it is what makes the neighbours' questions harmless.
            _optional("answers to searches", self._offer)
            _optional("gossip", lambda: setattr(self, "gossip", Gossip(self.neighbours, overlay)))
        _optional("search on the local network",
                  lambda: Search(self.neighbours, self.options, is_friend).inject(overlay))

    def _guard(self, overlay: Any) -> Privacy:  # noqa: ANN401
        privacy = Privacy(self.session.download_manager)
        privacy.guard(overlay)
        self.privacy = privacy
        return privacy

    def _limits_given(self, infohash: bytes) -> tuple[int | None, int | None]:
        """
        Get the limits that the control interface put on a download.
        """
        torrents = getattr(self.client, "torrents", None)
        return (None, None) if torrents is None else torrents.limits.get(infohash, (None, None))

    def _overlay_bytes(self) -> tuple[int, int]:
        """
        Get how many bytes IPv8 sent and received so far.
        """
        endpoint = self.session.ipv8.endpoint
        return endpoint.bytes_up, endpoint.bytes_down

    def _offer(self) -> Catalogue:
        """
        Answer the searches of neighbours. Only with that guard, too.
        """
        assert self.privacy is not None
        privacy = self.privacy
        self.client.streaming = _optional("streams", lambda: Streaming(self.session.download_manager, privacy))
        if self.client.stepping is not None:
            self.client.stepping.streaming = self.client.streaming
        self.client.catalogue = Catalogue(self.session, privacy, self.client.streaming)
        return self.client.catalogue

    def _open_prefixes(self) -> None:
        """
        Have Tribler's IPv4 socket deliver to its communities. It does so only once one of them was added or removed
        after it was opened, which without the tunnel community never happens: then ContentDiscovery hears nothing.
        """
        endpoint = getattr(self.session, "rust_endpoint", None)
        if endpoint is not None and endpoint.is_open():
            endpoint.remove_listener(self.community)  # which never was one: the list is sent anew all the same

    def _introduced(self, peer: LocalPeer) -> None:
        """
        Gossip at once with a peer that became local, or said where it is.
        """
        if self.gossip is not None:
            self.gossip.step(time.monotonic())

    @guarded("looking at Tribler")
    def _step(self) -> None:
        """
        Announce what changed about this Tribler; do what is due.
        """
        now = time.monotonic()
        announced = (self.client.addresses(), self.client.capabilities())
        if announced != self.announced:
            self.announced = announced
            self.community.refresh_introduction()
        if self.privacy is not None:
            self.privacy.look()
        if self.client.streaming is not None:
            self.client.streaming.look()
        if self.gossip is not None:
            self.gossip.step(now)
        if self.downloads is not None:
            self.downloads.step(now)


def is_friend(peer: LocalPeer) -> bool:
    """
    Is this peer a mutual friend?
    """
    return peer.friend == "mutual"


def _optional(what: str, action: Callable[[], T]) -> T | None:
    """
    Do something that the rest can do without; one line in the log when this Tribler cannot.
    """
    try:
        return action()
    except MissingSymbolError as error:
        logger.critical("tribler-multicast works without %s: %s", what, error)
    except Exception:
        logger.critical("tribler-multicast works without %s", what, exc_info=True)
    return None
