"""
``send`` and ``receive``: a node for one transfer, with an identity that nobody saw before and nobody will see again, no
database and no REST.

It starts as fast as it can: what is sent is hashed while the network part is loaded and started. Only when its id is
known does this node say that it takes part in transfers: whoever waits for it asks then, and not in vain before.
"""
from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ..settings import SettingError, Settings
from ..transfer.content.source import Source
from ..transfer.errors import TransferError, shown
from .log import set_up_log

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from ..community.coded import CodedTransferCommunity
    from ..community.multicast import MulticastCommunity
    from ..transfer.service.publication import Publication
    from ..transfer.service.service import TransferService

    Report = Callable[[dict[str, Any]], None]
    """Is told what happens, as plain values with an `event`."""

logger = logging.getLogger(__name__)

LOOK: Final = 0.5
"""Seconds between two reports of how far it is."""

TELL: Final = 1.0
"""Seconds to find somebody who sends what is here already, and waits for who has it."""

RECEIVED: Final = "received"
"""Below the state directory: records of what was received."""

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
    :raises OneShotError: when it can't be done, or on SIGINT or SIGTERM: then the same call goes on from there; it
        ends at once when all of it is there already.
    """
    memory = Received(arguments.state_dir / RECEIVED)
    if content_id is None or not memory.report_if_here(content_id, output, report):
        check_writable(output)
        _run(arguments, lambda node: _receive(node, memory, content_id, output, report, rate))


def check_writable(output: Path) -> None:
    """
    See that something can be put there, before it is waited for perhaps for hours.

    :raises OneShotError: when it can't.
    """
    folder = output if output.is_dir() else output.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OneShotError(f"nothing can be written to the folder {shown(str(folder))}: no permission, or read-only")


def settings_of(arguments: OneShotArguments) -> Settings:
    """
    Get the settings that count: the group that this user's node is in holds for what it sends by hand, too.

    :raises OneShotError: when they can't be read, or nothing could be sent with them.
    """
    from ..community.grouping import check_group  # noqa: PLC0415 (what is sent is hashed while this is loaded)
    from ..policy import FRIENDS, effective_policy  # noqa: PLC0415

    path = arguments.state_dir / "settings.json"
    try:
        saved = json.loads(path.read_bytes()) if path.exists() else {}
        options = Settings(file=saved if isinstance(saved, dict) else None, environment=os.environ,
                           command_line=dict(arguments.settings))
        check_group(options)
    except (OSError, ValueError) as error:  # a SettingError is a ValueError
        what = str(error) if isinstance(error, SettingError) else f"{path} cannot be read: {error}"
        raise OneShotError(what) from error
    for name in ("enabled", "coded"):
        if not options[name]:
            raise OneShotError(f"the setting {name} is false")
    if effective_policy(options) == FRIENDS:
        raise OneShotError("the setting policy is friends, and a temporary node has none: use publish and fetch")
    return options


def _run(arguments: OneShotArguments, work: Callable[[TemporaryNode], Awaitable[None]]) -> None:
    """
    Do something with a temporary node.
    """
    gc.disable()  # Next to nothing of what start-up makes is ever garbage.
    try:
        asyncio.run(_with_node(TemporaryNode(arguments), work))
    except TransferError as error:
        raise OneShotError(str(error)) from error


async def _with_node(node: TemporaryNode, work: Callable[[TemporaryNode], Awaitable[None]]) -> None:
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
    working, stopping = asyncio.ensure_future(work(node)), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise OneShotError("interrupted")
        await working
    finally:
        working.cancel()
        stopping.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await working
        await node.close()


class TemporaryNode:
    """
    A node that is on the LAN and can send and receive, no more.
    """

    def __init__(self, arguments: OneShotArguments) -> None:
        """
        Neither loaded nor started.
        """
        self.arguments = arguments
        self.community: MulticastCommunity | None = None

    def load(self) -> MulticastCommunity:
        """
        Make the community, silent yet.
        """
        options = settings_of(self.arguments)
        set_up_log(options)
        from ipv8.keyvault.crypto import default_eccrypto  # noqa: PLC0415
        from ipv8.peer import Peer  # noqa: PLC0415

        from ..community.multicast import MulticastCommunity  # noqa: PLC0415

        me = Peer(default_eccrypto.generate_key("curve25519"))
        self.community = MulticastCommunity(MulticastCommunity.settings_class(
            my_peer=me, epoch=int(time.time()), options=options))
        return self.community

    def add_transfers(self) -> CodedTransferCommunity:
        """
        Make what transfers. It starts with the community, if that has not begun yet.
        """
        from ..community.coded import CodedTransferCommunity  # noqa: PLC0415

        assert self.community is not None
        return CodedTransferCommunity(CodedTransferCommunity.settings_class(multicast=self.community))

    async def start(self) -> None:
        """
        Go on the LAN, if there is one.
        """
        assert self.community is not None
        await self.community.start()
        if all(link.silent for link in self.community.lan.links.values()):
            logger.warning("no network is in use here, see: tribler-multicast doctor")

    async def close(self) -> None:
        """
        Say goodbye: first to whom there are transfers with, then to all.
        """
        if self.community is not None:
            await self.community.unload()


async def _send(node: TemporaryNode, path: Path, receivers: int, report: Report) -> None:
    """
    Offer it until so many have it.
    """
    cancelled = threading.Event()
    progress = Hashing(report)
    hashing = asyncio.ensure_future(asyncio.to_thread(Source.publish, path, progress, cancelled.is_set))
    try:
        # Others verify this node while it loads what transfers take.
        node.load()
        await node.start()
        await asyncio.to_thread(import_module, "..community.coded", __package__)
        source = await hashing
    finally:
        cancelled.set()
        # When something else failed first, nobody asks what became of this.
        hashing.add_done_callback(lambda done: done.cancelled() or done.exception())
    coded = node.add_transfers()
    publication = await coded.service.publish(source, wait_for=receivers)
    report({"event": "published", **_offered(publication), "left_out": source.listing.skipped})
    await coded.start()
    done = asyncio.ensure_future(publication.wait_finished(receivers))
    while not (await asyncio.wait({done}, timeout=LOOK))[0]:
        report({"event": "progress", **_sending(coded.service, publication)})
    if publication.error is not None:
        raise OneShotError(publication.error)
    report({"event": "done", **_offered(publication)})


class Hashing:
    """
    Tells how far it is with hashing what is large; from the thread that does it, one call at a time.
    """

    def __init__(self, report: Report) -> None:
        """
        Nothing is told in the first moment: most things are hashed in it.
        """
        self.report = report
        self.begun = time.monotonic()
        self.told = self.begun

    def __call__(self, done: int, size: int) -> None:
        """
        Take note of so many bytes of all.
        """
        now = time.monotonic()
        if now - self.told < LOOK:
            return
        self.told = now
        rate = done / (now - self.begun)
        self.report({"event": "hashing", "state": "hashing", "progress": done / size, "rate": round(rate),
                     "eta_s": (size - done) / rate if rate else None})


def _offered(publication: Publication) -> dict[str, Any]:
    """
    What is offered.
    """
    from ..transfer.service.views import publication_view  # noqa: PLC0415

    return publication_view(publication)


def _sending(service: TransferService, publication: Publication) -> dict[str, Any]:
    """
    How far it is, over all receivers.
    """
    from ..transfer.service.views import coded_view  # noqa: PLC0415

    view = {"receivers": publication.receivers, "finished": publication.finished}
    found = next((each for each in service.transfers.values() if each.content_id == publication.content_id), None)
    return {"state": "waiting", "progress": 0.0, "up": 0, "eta_s": None, **view} if found is None \
        else {**coded_view(found), **view}


class Received:
    """
    What was received before: records of it, and which of it no sender may know of yet.
    """

    def __init__(self, folder: Path) -> None:
        """
        Look into this folder, made when something is received.
        """
        self.folder = folder

    def _mark(self, content_id: bytes) -> Path:
        return self.folder / f"{content_id.hex()}.untold"

    def report_if_here(self, content_id: bytes, output: Path, report: Report) -> bool:
        """
        Report it, when it is where it is to go and as it was received, and its sender was told; or when what has the
        name of the result is that file, wherever it came from.
        """
        from ..transfer.service.found import here  # noqa: PLC0415

        found = here(content_id, output, self.folder)
        if found is None and output.is_file():
            with suppress(TransferError):
                found = Source.publish(output)
        if not isinstance(found, Source) or found.content.id != content_id or self._mark(content_id).exists():
            return False
        report({"event": "done", "content_id": content_id.hex(), "name": found.content.name, "state": "done",
                "size": found.content.size, "progress": 1.0, "total_down": 0, "path": str(found.listing.path)})
        return True

    def begin(self, content_id: bytes) -> None:
        """
        Note that its sender has to be told: a process that is killed can't.
        """
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._mark(content_id).touch()

    def end(self, content_id: bytes) -> None:
        """
        Note that its sender was told.
        """
        with suppress(OSError):
            self._mark(content_id).unlink(missing_ok=True)


async def _receive(node: TemporaryNode, memory: Received, content_id: bytes | None,
                   output: Path, report: Report, rate: int | None) -> None:
    """
    Receive it to its end.
    """
    node.load()
    service = node.add_transfers().service
    service.records = memory.folder
    from ..transfer.service.transfer import FAILED  # noqa: PLC0415
    from ..transfer.service.views import coded_view  # noqa: PLC0415

    await node.start()
    if content_id is None:
        content_id = (await service.wait_offer()).manifest.content.id
    memory.begin(content_id)
    transfer = await service.receive(content_id, output, rate=rate)
    report({"event": "started", **coded_view(transfer)})
    done = asyncio.ensure_future(transfer.wait())
    while not (await asyncio.wait({done}, timeout=LOOK))[0]:
        report({"event": "progress", **coded_view(transfer)})
    if transfer.state == FAILED:
        raise OneShotError(transfer.error or "it failed")
    report({"event": "done", **coded_view(transfer)})
    if await transfer.tell(TELL) or not transfer.total_down:
        memory.end(content_id)  # Who comes for it later, after all of that, finds it here and need not tell anybody.
    await transfer.stay()
