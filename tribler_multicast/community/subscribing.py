"""
Subscriptions to neighbours: what one of them publishes from now on is received here, with no hand in between.

A neighbour is asked what it offers, every LOOK_EACH seconds while it is here: nothing is pushed. What counts is what
its own key signed, so nobody else publishes in its name. On the first look what is there already is only noted.
"""
from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..client import ClientError
from ..protocol.identity import ipv8_key, mid_of
from ..transfer.errors import TransferError
from .subscribed import load_subscriptions, save_subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..transfer.content.manifest import Manifest
    from ..transfer.service.service import TransferService
    from .multicast import MulticastCommunity

logger = logging.getLogger(__name__)

TOPIC: Final = "multicast_subscription"

LOOK_EACH: Final = 3.0
"""Seconds between two looks at what a neighbour offers: a datagram there, one back for each of the newest."""

MAX_SUBSCRIPTIONS: Final = 64
"""Neighbours that are followed: a program in a loop does not make this node ask without end."""

MAX_SEEN: Final = 2000
"""Contents of one neighbour that are remembered as seen. Of more the oldest are told by their time."""

MAX_BEGUN_PER_DAY: Final = 100
DAY: Final = 86_400.0
"""What is begun of one neighbour in a day: who floods with new contents fills no disk overnight. The rest waits."""

CLOCKS_APART: Final = 3600.0
"""Seconds by which the clock of a neighbour may be behind ours that offered nothing at the first look, or whose answer
got lost: then there is no time of its own to go by."""

LEAST_FREE: Final = 2 << 30
"""Bytes that stay free on the disk: a subscription is nobody's order to fill it. What finds no room waits."""

MAX_SHOWN: Final = 100
"""Contents that were begun of one subscription, as they are listed."""

MOST_FIRST: Final = 100
"""Contents that are there already and can be asked for with a subscription."""


@dataclass
class Begun:
    """
    A content that was begun: when (Unix seconds), and the transfer.
    """

    content_id: bytes
    name: str
    size: int
    at: float
    transfer: str


@dataclass
class Subscription:
    """
    To one neighbour, by its key (74 bytes); `folder` None: as the settings have it. Times are Unix seconds.

    New is what was not `seen` and was not signed before `baseline`, by the neighbour's own clock: that of the newest at
    the first look. So nothing old is taken for new because an answer got lost.
    """

    public_key: bytes
    folder: str | None = None
    first: int = 0
    since: float = 0.0
    looked: bool = False
    baseline: int = 0
    seen: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    begun: list[Begun] = field(default_factory=list)
    last_look: float | None = field(default=None, compare=False)
    error: str = field(default="", compare=False)

    @property
    def mid(self) -> bytes:
        """
        Whom it is to.
        """
        return mid_of(self.public_key[10:])

    def note(self, manifest: Manifest) -> None:
        """
        Take a content for seen.
        """
        self.seen[manifest.content.id] = None
        if len(self.seen) > MAX_SEEN:
            self.seen.popitem(last=False)
            self.baseline = max(self.baseline, manifest.time)  # all before it was noted, too

    def fresh(self, offered: list[Manifest]) -> list[Manifest]:
        """
        Get what is new of what is offered, in the order in which it was published.
        """
        offered = sorted(offered, key=lambda manifest: manifest.time)
        if not self.looked:
            self.looked = True
            self.baseline = offered[-1].time if offered else int(self.since - CLOCKS_APART)
            for manifest in offered[:max(0, len(offered) - self.first)]:
                self.note(manifest)
            return offered[max(0, len(offered) - self.first):]
        return [manifest for manifest in offered
                if manifest.content.id not in self.seen and manifest.time >= self.baseline]


class Subscriptions:
    """
    Of one node. They are kept in the folder of transfers.
    """

    def __init__(self, multicast: MulticastCommunity, service: Callable[[], TransferService],
                 folder: Path | None) -> None:
        """
        Follow nobody before `start`.

        :param service: gets what receives now.
        """
        self.multicast = multicast
        self.service = service
        self.path = None if folder is None else folder / "subscriptions.json"
        self.all: dict[bytes, Subscription] = {}
        """By mid."""
        self._task: asyncio.Task[None] | None = None
        self._loaded = False

    # --- Life.

    async def start(self) -> None:
        """
        Go on where it was left.
        """
        if not self._loaded and self.path is not None:
            self.all = {each.mid: each for each in await asyncio.to_thread(load_subscriptions, self.path)}
        self._loaded = True
        self._task = asyncio.ensure_future(self._run())

    def stop(self) -> None:
        """
        Look no more; what was begun is the transfers' affair.
        """
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            for subscription in list(self.all.values()):
                try:
                    await self.look(subscription)
                except Exception:
                    logger.exception("A look at what a neighbour offers failed")
            await asyncio.sleep(LOOK_EACH)

    async def _save(self) -> None:
        if self.path is not None:
            await asyncio.to_thread(save_subscriptions, self.path, list(self.all.values()))

    # --- For users.

    def folder_of(self, subscription: Subscription) -> Path:
        """
        Get where its contents go.
        """
        text = subscription.folder or str(self.multicast.options.get("subscribe_folder", ""))
        if text:
            return Path(text).expanduser()
        if self.multicast.client is None:
            raise ClientError("this node has no folder for downloads")
        return self.multicast.client.download_folder()

    async def add(self, mid: bytes, folder: str | None, first: int) -> Subscription:
        """
        Follow a neighbour, known by its mid; one that is followed already is only got.

        :raises ClientError: with one line, when that can't be.
        """
        if mid in self.all:
            return self.all[mid]
        if mid == self.multicast.my_peer.mid:
            raise ClientError("that is this node itself", 409)
        if len(self.all) >= MAX_SUBSCRIPTIONS:
            raise ClientError(f"{MAX_SUBSCRIPTIONS} neighbours are followed already", 409)
        peer, database = self.multicast.core.peers.of_mid(mid), self.multicast.database
        record = None if database is None else database.peer_with_mid(mid)
        if peer is None and record is None:
            raise ClientError(f"no node with the mid {mid.hex()} is known", 404)
        key = ipv8_key(peer.key) if peer is not None else record.public_key if record is not None else b""
        subscription = self.all[mid] = Subscription(key, folder, first, time.time())
        await self._save()
        await self.look(subscription)
        return subscription

    async def remove(self, mid: bytes) -> Subscription:
        """
        Follow it no more; what was begun stays.

        :raises ClientError: 404 when it was not followed.
        """
        if mid not in self.all:
            raise ClientError(f"this node does not follow {mid.hex()}", 404)
        subscription = self.all.pop(mid)
        await self._save()
        return subscription

    def view(self, subscription: Subscription) -> dict[str, Any]:
        """
        Get a subscription as REST shows it.
        """
        peer = self.multicast.core.peers.of_mid(subscription.mid)
        record = None if self.multicast.database is None else self.multicast.database.peer(subscription.public_key)
        transfers = self.service().transfers
        return {
            "mid": subscription.mid.hex(),
            "nickname": peer.introduction.nickname if peer is not None else record.nickname if record else "",
            "is_local": peer is not None, "folder": str(self.folder_of(subscription)), "since": subscription.since,
            "last_look": subscription.last_look, "error": subscription.error or None,
            "begun": [{"content_id": each.content_id.hex(), "name": each.name, "size": each.size, "at": each.at,
                       "id": each.transfer,
                       "state": transfers[each.transfer].state if each.transfer in transfers else None}
                      for each in reversed(subscription.begun)]}

    # --- Looking.

    async def look(self, subscription: Subscription) -> None:
        """
        See what a neighbour offers now, and begin what is new. One that is not here is not asked.
        """
        service = self.service()
        offered = await service.offered.of(subscription.mid)
        if offered is None or self.all.get(subscription.mid) is not subscription:
            return
        subscription.last_look, subscription.error, was_looked = time.time(), "", subscription.looked
        fresh = subscription.fresh([each for each in offered if ipv8_key(each.key) == subscription.public_key])
        for manifest in fresh:
            if not await self._begin(service, subscription, manifest):
                break
        if fresh or not was_looked:
            await self._save()

    async def _begin(self, service: TransferService, subscription: Subscription, manifest: Manifest) -> bool:
        """
        Receive a content; False when this one and what is behind it has to wait.
        """
        content, now = manifest.content, time.time()
        if content.id in service.publications:
            subscription.note(manifest)
            return True
        if content.size > int(self.multicast.options.get("subscribe_size", 0) or content.size):
            subscription.error = f"{content.name} is larger than the setting subscribe_size: left out"
            subscription.note(manifest)
            return True
        if sum(now - each.at < DAY for each in subscription.begun) >= MAX_BEGUN_PER_DAY:
            subscription.error = f"{MAX_BEGUN_PER_DAY} were begun within a day: the others wait"
            return False
        try:
            folder = self.folder_of(subscription)
            free = await asyncio.to_thread(_room, folder)
            if free - content.size < LEAST_FREE:
                subscription.error = f"the disk has too little room for {content.name}: it waits"
                return False
            reception = await service.receive(content.id, folder)
        except (ClientError, OSError, TransferError) as error:
            subscription.error = " ".join(str(error).split())
            return False
        subscription.note(manifest)
        subscription.begun.append(Begun(content.id, content.name, content.size, now, reception.id))
        del subscription.begun[:-MAX_SHOWN]
        self.multicast.tell(TOPIC, mid=subscription.mid.hex(), content_id=content.id.hex(), name=content.name,
                            id=reception.id)
        return True


def _room(folder: Path) -> int:
    """
    Make a folder, and get the bytes that are free on its disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(folder).free
