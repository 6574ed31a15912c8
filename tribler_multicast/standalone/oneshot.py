"""
``send`` and ``receive``: a node for one transfer, with an identity that nobody saw before and nobody will see again, no
database and no REST.

It starts as fast as it can. What is sent is hashed while the network part is loaded and started, and from the moment
when its id is known, this node says that it has something: whoever waits for it asks then.
"""
from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..client import Activity
from ..community.grouping import check_group
from ..policy import effective_policy
from ..settings import SettingError, Settings
from ..transfer.errors import TransferError
from ..transfer.service.transfer import DONE, FAILED
from ..transfer.service.views import coded_view, publication_view

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

    from ..client import Result
    from ..torrents import Torrents
    from ..transfer.service.publication import Publication
    from ..transfer.service.service import TransferService
    from ..transfer.service.transfer import Transfer

    Report = Callable[[dict[str, Any]], None]
    """Is told what happens, as plain values with an `event`."""

LOOK: Final = 0.5
"""Seconds between two reports of how far it is."""

SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP")


class OneShotError(Exception):
    """
    It could not be done: one line.
    """


@dataclass
class OneShotArguments:
    """
    What the command line says. `settings` are stronger than the environment, and this than ``settings.json`` in the
    state directory, of which nothing else is used.
    """

    state_dir: Path
    settings: Mapping[str, Any] = field(default_factory=dict)


def send(arguments: OneShotArguments, path: Path, receivers: int, report: Report) -> None:
    """
    Offer a file or folder until so many have all of it.

    :raises OneShotError: when it can't be done, or on SIGINT or SIGTERM.
    """
    _run(arguments, lambda node: _send(node, path, receivers, report))


def receive(arguments: OneShotArguments, content_id: bytes | None, output: Path, report: Report,
            rate: int | None = None) -> None:
    """
    Receive a content; None: the first that anybody offers.

    :param output: an existing folder: into it, under the offered name; else the name of the result.
    :param rate: most bytes/s that are taken; None: any.
    :raises OneShotError: when it can't be done, or on SIGINT or SIGTERM: then the same call goes on from there.
    """
    _run(arguments, lambda node: _receive(node, content_id, output, report, rate))


def settings_of(arguments: OneShotArguments) -> Settings:
    """
    Get the settings that count: the group that this user's node is in holds for what it sends by hand, too.

    :raises OneShotError: when they can't be read, or nothing could be sent with them.
    """
    path = arguments.state_dir / "settings.json"
    try:
        saved = json.loads(path.read_bytes()) if path.exists() else {}
        options = Settings(file=saved if isinstance(saved, dict) else None, environment=os.environ,
                           command_line=dict(arguments.settings))
        check_group(options)
    except (OSError, ValueError) as error:  # a SettingError is a ValueError
        what = str(error) if isinstance(error, SettingError) else f"{path} cannot be read: {error}"
        raise OneShotError(what) from error
    if not options["enabled"]:
        message = "the setting enabled is false"
        raise OneShotError(message)
    if effective_policy(options) == "friends":
        message = "the setting policy is friends, and a temporary node has none: use publish and fetch instead"
        raise OneShotError(message)
    return options


def _run(arguments: OneShotArguments, work: Callable[[TemporaryNode], Awaitable[None]]) -> None:
    """
    Do something with a temporary node.
    """
    gc.disable()
    try:
        asyncio.run(_with_node(settings_of(arguments), work))
    except TransferError as error:
        raise OneShotError(str(error)) from error


async def _with_node(options: Settings, work: Callable[[TemporaryNode], Awaitable[None]]) -> None:
    """
    Run a temporary node until the work is done, or a signal comes.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop.set))
    node = TemporaryNode(options)
    working = asyncio.ensure_future(work(node))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise OneShotError("interrupted")
        await working
    finally:
        for task in (working, stopping):
            task.cancel()
        await node.close()
        with suppress(asyncio.CancelledError, Exception):
            await working


class TemporaryClient:
    """
    What the plugin sees of a temporary node: it has nothing but what it sends or receives.
    """

    name = "standalone"
    torrents: Torrents | None = None

    def __init__(self) -> None:
        """
        Begin with nothing to offer.
        """
        self.is_ready = False

    def capabilities(self) -> frozenset[str]:
        """
        Tell of coded transfers once there is something to say about them.
        """
        return frozenset({"coded"} if self.is_ready else ())

    def addresses(self) -> list[tuple[str, str, int]]:
        """
        List no other services.
        """
        return []

    def notify(self, topic: str, **kwargs: object) -> None:
        """
        Hear of an event, which nobody wants to know.
        """

    def search(self, text: str, kinds: frozenset[str], most: int) -> list[Result]:
        """
        Find nothing.
        """
        return []

    def streams(self) -> list[Result]:
        """
        List nothing.
        """
        return []

    def activity(self) -> Activity:
        """
        Tell nothing.
        """
        return Activity()

    async def download(self, infohash: bytes, addresses: Sequence[tuple[str, int]]) -> None:
        """
        Never asked.
        """

    async def offer_file(self, file_id: bytes, progress: Callable[[float], None]) -> bytes:
        """
        Never asked.
        """
        raise NotImplementedError


class TemporaryNode:
    """
    A node that is on the LAN and can send and receive, no more.
    """

    def __init__(self, options: Settings) -> None:
        """
        Not started.
        """
        self.options = options
        self.client = TemporaryClient()
        self.community: MulticastCommunity | None = None
        self.service: TransferService | None = None

    async def start(self) -> TransferService:
        """
        Go on the LAN. Nobody is told of anything to fetch yet.
        """
        raise NotImplementedError

    def say_ready(self) -> None:
        """
        Tell the LAN that there is something to say about transfers.
        """
        self.client.is_ready = True
        assert self.community is not None
        self.community.refresh_introduction()

    async def close(self) -> None:
        """
        Say goodbye: first to whom there are transfers with, then to all.
        """


async def _send(node: TemporaryNode, path: Path, receivers: int, report: Report) -> None:
    """
    Offer it until so many have it.
    """
    service = await node.start()
    publication = await service.publish(path, wait_for=receivers)
    report({"event": "published", **publication_view(publication)})
    node.say_ready()
    done = asyncio.ensure_future(publication.wait_finished(receivers))
    while not (await asyncio.wait({done}, timeout=LOOK))[0]:
        report({"event": "progress", **_sending(service, publication)})
    if publication.error is not None:
        raise OneShotError(publication.error)
    report({"event": "done", **publication_view(publication)})


def _sending(service: TransferService, publication: Publication) -> dict[str, Any]:
    """
    How far it is, over all receivers.
    """
    view = {"receivers": publication.receivers, "finished": publication.finished}
    found = next((each for each in service.transfers.values() if each.content_id == publication.content_id), None)
    return {"state": "waiting", "progress": 0.0, "up": 0, "eta_s": None, **view} if found is None \
        else {**coded_view(found), **view}


async def _receive(node: TemporaryNode, content_id: bytes | None, output: Path, report: Report,
                   rate: int | None) -> None:
    """
    Receive it to its end.
    """
    service = await node.start()
    node.say_ready()
    if content_id is None:
        content_id = (await service.wait_offer()).manifest.content.id
    transfer = await service.receive(content_id, output, rate=rate)
    report({"event": "started", **coded_view(transfer)})
    done = asyncio.ensure_future(transfer.wait())
    while not (await asyncio.wait({done}, timeout=LOOK))[0]:
        report({"event": "progress", **coded_view(transfer)})
    _check(transfer)
    report({"event": "done", **coded_view(transfer)})


def _check(transfer: Transfer) -> None:
    """
    Raise what a transfer failed with.
    """
    if transfer.state == FAILED:
        raise OneShotError(transfer.error or "it failed")
    assert transfer.state == DONE
