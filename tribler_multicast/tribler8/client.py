"""
Tribler as the hosting client: what it offers on the LAN and where it listens.
"""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..client import Activity, ClientError, Traffic
from ..community.views import addresses_in_use
from .errors import guarded
from .torrents import begin, magnet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ..client import Result
    from ..community.multicast import MulticastCommunity
    from ..torrents import Torrents
    from .catalogue import Catalogue
    from .events import HostEvents
    from .stepping import Stepping
    from .streaming import Streaming

ANY = ("0.0.0.0", "::")


class TriblerClient:
    """
    What the plugin sees of Tribler.
    """

    name = "tribler"

    def __init__(self, session: Any, events: HostEvents | None) -> None:  # noqa: ANN401
        """
        Look at this session.
        """
        self.session = session
        self.events = events
        self.community: MulticastCommunity | None = None
        self.catalogue: Catalogue | None = None
        self.streaming: Streaming | None = None
        self.stepping: Stepping | None = None
        self.torrents: Torrents | None = None

    def download_folder(self) -> Path:
        """
        Where Tribler's downloads go.
        """
        return Path(self.session.config.get("libtorrent/download_defaults/saveas"))

    def capabilities(self) -> frozenset[str]:
        """
        What this Tribler can do for others now.
        """
        found = {"tribler"}
        if getattr(self.session, "content_discovery_community", None) is not None:
            found.add("search")
        if self._libtorrent_ports():
            found.add("torrents")
        return frozenset(found)

    def addresses(self) -> list[tuple[str, str, int]]:
        """
        Where IPv8 and libtorrent (the session without anonymity) listen on the interfaces that the plugin uses.
        """
        return self._addresses() or []

    @guarded("looking for the addresses to announce")
    def _addresses(self) -> list[tuple[str, str, int]]:
        ipv8, libtorrent = dict(self._ipv8_ports()), self._libtorrent_ports()
        found = []
        for ip in self._lan_addresses():
            for kind, ports in (("ipv8", ipv8), ("libtorrent", libtorrent)):
                port = ports.get(ip) or ports.get(ANY[":" in ip])
                if port:
                    found.append((kind, ip, port))
        return found

    def _lan_addresses(self) -> list[str]:
        """
        Our addresses on the interfaces in use. No link-local ones: neither IPv8 nor libtorrent keeps the interface.
        """
        return [] if self.community is None else addresses_in_use(self.community.lan.links.values())

    def _ipv8_ports(self) -> Iterator[tuple[str, int]]:
        """
        The addresses that IPv8's open sockets are bound to, with their ports.
        """
        endpoint = self.session.ipv8.endpoint
        for socket in getattr(endpoint, "interfaces", {"": endpoint}).values():
            if socket.is_open():
                ip, port = socket.get_address()[:2]
                yield ip, port

    def _libtorrent_ports(self) -> dict[str, int]:
        """
        The addresses and ports of the libtorrent session without anonymity, which exists from the first such download
        on.
        """
        manager = getattr(self.session, "download_manager", None)
        ports: dict[int, dict[str, int]] = getattr(manager, "listen_ports", {})
        return dict(ports.get(0, {}))

    def notify(self, topic: str, **kwargs: object) -> None:
        """
        Tell Tribler's own listeners.
        """
        if self.events is not None:
            self.events.notify(topic, kwargs)

    def search(self, text: str, kinds: frozenset[str], most: int) -> list[Result]:
        """
        Find torrents in Tribler's database.
        """
        return [] if self.catalogue is None else self.catalogue.search(text, kinds, most)

    def streams(self) -> list[Result]:
        """
        List what is streamed now.
        """
        return [] if self.streaming is None else self.streaming.now()

    def activity(self) -> Activity:
        """
        Tell what Tribler does without anonymity.
        """
        return Activity() if self.catalogue is None else self.catalogue.activity()

    def traffic(self) -> Traffic:
        """
        Tell what Tribler moves over the internet without anonymity.
        """
        return Traffic() if self.stepping is None else self.stepping.traffic()

    def limit_bulk(self, up: float | None, down: float | None) -> None:
        """
        Limit what of it nobody watches.
        """
        if self.stepping is not None:
            self.stepping.limit(up, down)

    async def download(self, infohash: bytes, addresses: Sequence[tuple[str, int]]) -> None:
        """
        Download a torrent without anonymity, from these peers and whoever finds us, and from nobody on the internet: by
        no DHT, no peer exchange and no tracker. One that is there already only gets the peers.

        :raises ClientError: when it is there as an anonymous one: that is not tried on the LAN, ever.
        """
        manager = self.session.download_manager
        download = manager.get_download(infohash)
        if download is None or infohash in manager.metainfo_requests:
            download = await begin(self.session, magnet(infohash), lan_only=True)
        if download.config.get_hops() != 0:
            message = "this torrent is there already as an anonymous download, which never uses the local network"
            raise ClientError(message, 409)
        for address in addresses:
            download.add_peer(address)

    async def offer_file(self, file_id: bytes, progress: Callable[[float], None]) -> bytes:
        """
        Refuse: what Tribler shares are torrents already.
        """
        message = "this node shares torrents, no files"
        raise ClientError(message, 404)
