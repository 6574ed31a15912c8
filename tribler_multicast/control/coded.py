"""
What is sent coded: published, fetched, watched, paused, limited, removed.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from ..client import ClientError
from ..community.subscribing import MOST_FIRST
from ..transfer.errors import ContentError, DiskFullError, TransferError
from ..transfer.service.transfer import DONE, FAILED
from ..transfer.service.views import coded_view, publication_view, whole_view
from .call import GivenUpError
from .check import refuse, shown, take_existing, take_folder, take_hex, take_mid, take_path
from .coded_messages import (
    FetchCoded,
    FinishedCoded,
    ListCoded,
    ListPublications,
    ListSubscriptions,
    PauseCoded,
    ProgressCoded,
    PublishCoded,
    PublishedCoded,
    RateCoded,
    RemoveCoded,
    RemovedCoded,
    ResumeCoded,
    StartedCoded,
    SubscribeCoded,
    UnsubscribeCoded,
    WatchCoded,
    WithdrawCoded,
)
from .messages import Command, Progress

if TYPE_CHECKING:
    from pathlib import Path

    from ..community.subscribing import Subscriptions
    from ..transfer.service.service import TransferService
    from ..transfer.service.transfer import Transfer
    from .call import Call, Handler

MAX_RATE: Final = 2**40
"""Bytes/s: more is a mistake in the unit."""

STEP: Final = 0.01
"""Of the hashing of data: progress is told in such steps."""

MAX_HASHING: Final = 4
"""Files and folders that are hashed at once: more would only make the disk jump between them."""

STATUSES: Final[tuple[tuple[type[TransferError], int], ...]] = ((DiskFullError, 507), (ContentError, 422))
"""The HTTP status of errors, the first that fits; with all others the command was right, and the state of things is
not: 409."""


def refused(error: TransferError) -> ClientError:
    """
    Make an error of a transfer the error of a command.
    """
    return refuse(str(error), next((status for kind, status in STATUSES if isinstance(error, kind)), 409))


def service(call: Call) -> TransferService:
    """
    Get what sends and receives; 503 when this node does not take part.
    """
    call.check_enabled()
    if call.parts.transfers is None:
        raise refuse("this node sends and receives nothing coded", 503)
    return call.parts.transfers


def transfer_of(call: Call, id: str) -> Transfer:  # noqa: A002
    """
    Get a transfer; 404 when there is none.
    """
    found = service(call).transfers.get(id.lower())
    if found is None:
        raise refuse(f"there is no transfer {shown(id)}", 404)
    return found


# --- Publishing.


async def publish(call: Call, command: PublishCoded) -> dict[str, Any]:
    """
    Hash it and offer it.
    """
    path = take_existing(command.path)
    loop, told = asyncio.get_running_loop(), 0.0

    def hashed(done: int, size: int) -> None:
        nonlocal told
        part = done / size if size else 1.0
        if part >= told + STEP:
            told = part
            loop.call_soon_threadsafe(call.tell, Progress, part)

    transfers = service(call)
    with call.control.limit("hashings", MAX_HASHING):
        try:
            found = publication_view(await transfers.publish(path, progress=hashed))
        except TransferError as error:
            raise refused(error) from error
    call.tell(PublishedCoded, *(found[name] for name in ("content_id", "name", "size", "files", "path")))
    return found


async def withdraw(call: Call, command: WithdrawCoded) -> dict[str, Any]:
    """
    Offer it no more.
    """
    content_id = take_hex(command.content_id, "content_id", 32)
    if content_id not in service(call).publications:
        raise refuse(f"this node publishes nothing with the id {content_id.hex()}", 404)
    await service(call).unpublish(content_id)
    return {"content_id": content_id.hex()}


async def list_publications(call: Call, command: ListPublications) -> dict[str, Any]:
    """
    Tell what is offered.
    """
    return {"publications": [publication_view(each) for each in service(call).publications.values()]}


# --- Fetching.


async def fetch(call: Call, command: FetchCoded) -> dict[str, Any]:
    """
    Fetch a content, to its end unless it is only to be begun.
    """
    content_id = take_hex(command.content_id, "content_id", 32)
    rate = take_rate(command.rate)
    transfers = service(call)
    output = await asyncio.to_thread(_output, call, command.output)
    before = set(transfers.transfers)
    try:
        transfer = await transfers.receive(content_id, output, rate=rate)
    except TransferError as error:
        raise refused(error) from error
    call.tell(StartedCoded, transfer.id, content_id.hex(), transfer.name, transfer.id in before)
    return await until_done(call, transfer) if command.follow else coded_view(transfer)


def _output(call: Call, text: str | None) -> Path:
    """
    Get where to fetch to.
    """
    if text is None:
        folder = take_folder(str(call.parts.client.download_folder()))
        assert folder is not None
        return folder
    path = take_path(text, "output")
    try:
        there = path.parent.is_dir()
    except OSError as error:
        raise refuse(f"output: {shown(text)} cannot be looked at: {error.strerror}", 403) from error
    if not there:
        raise refuse(f"output: there is no folder {shown(str(path.parent))}", 404)
    return path


def take_rate(rate: int | None) -> int | None:
    """
    Get a limit; None or 0 is none.
    """
    if rate is not None and not 0 <= rate <= MAX_RATE:
        raise refuse(f"rate must be from 0 to {MAX_RATE} bytes/s, not {shown(rate)}")
    return rate or None


async def until_done(call: Call, transfer: Transfer) -> dict[str, Any]:
    """
    Tell how a transfer goes on until it is done.
    """
    transfers = service(call)
    over = asyncio.ensure_future(transfer.wait())
    try:
        with call.control.coded.follow(transfers, transfer.id) as changes:
            # It ends without a change when the node takes part no more.
            over.add_done_callback(lambda _: changes.put(transfer.id))
            while True:
                await changes.next()
                view = coded_view(transfer)
                if view["state"] == FAILED:
                    raise ClientError(view["error"] or "the transfer failed")
                if view["state"] == DONE:
                    call.tell(ProgressCoded, view)
                    call.tell(FinishedCoded, view["id"], view["content_id"], view["name"], view["path"])
                    return view
                if transfers.transfers.get(transfer.id) is not transfer or over.done():
                    raise GivenUpError("the transfer was given up")
                call.tell(ProgressCoded, view)
    finally:
        over.cancel()


# --- All that go on.


async def list_coded(call: Call, command: ListCoded) -> dict[str, Any]:
    """
    Tell how all go on, or one.
    """
    if command.id is not None:
        return whole_view(transfer_of(call, command.id))
    return {"transfers": [coded_view(each) for each in service(call).transfers.values()]}


async def pause(call: Call, command: PauseCoded) -> dict[str, Any]:
    """
    Let it rest.
    """
    transfer = transfer_of(call, command.id)
    service(call).pause(transfer.id)
    return whole_view(transfer)


async def resume(call: Call, command: ResumeCoded) -> dict[str, Any]:
    """
    Go on.
    """
    transfer = transfer_of(call, command.id)
    service(call).resume(transfer.id)
    return whole_view(transfer)


async def limit(call: Call, command: RateCoded) -> dict[str, Any]:
    """
    Limit it.
    """
    transfer, rate = transfer_of(call, command.id), take_rate(command.rate)
    service(call).set_rate(transfer.id, rate)
    return whole_view(transfer)


async def remove(call: Call, command: RemoveCoded) -> dict[str, Any]:
    """
    Give it up.
    """
    transfer = transfer_of(call, command.id)
    try:
        await service(call).remove(transfer.id, delete=command.delete)
    except TransferError as error:
        raise refused(error) from error
    return {"id": transfer.id, "deleted": command.delete}


async def watch(call: Call, command: WatchCoded) -> dict[str, Any]:
    """
    Tell how they go on, until cancelled.
    """
    transfers = service(call)
    with call.control.coded.follow(transfers, command.id, current=command.current) as changes:
        while True:
            id = await changes.next()  # noqa: A001
            transfer = transfers.transfers.get(id)
            if transfer is None:
                call.tell(RemovedCoded, id)
            else:
                call.tell(ProgressCoded, coded_view(transfer))


# --- Following others.


def subscriptions(call: Call) -> Subscriptions:
    """
    Get whom this node follows; 503 when it does not take part.
    """
    service(call)
    assert call.parts.coded is not None
    return call.parts.coded.subscriptions


async def subscribe(call: Call, command: SubscribeCoded) -> dict[str, Any]:
    """
    Follow a node.
    """
    mid, followed = take_mid(command.mid), subscriptions(call)
    if not 0 <= command.first <= MOST_FIRST:
        raise refuse(f"first must be from 0 to {MOST_FIRST}, not {shown(command.first)}")
    folder = await asyncio.to_thread(take_folder, command.folder)
    return followed.view(await followed.add(mid, None if folder is None else str(folder), command.first))


async def unsubscribe(call: Call, command: UnsubscribeCoded) -> dict[str, Any]:
    """
    Follow it no more.
    """
    followed = subscriptions(call)
    return followed.view(await followed.remove(take_mid(command.mid)))


async def list_subscriptions(call: Call, command: ListSubscriptions) -> dict[str, Any]:
    """
    Tell whom it follows.
    """
    followed = subscriptions(call)
    return {"subscriptions": [followed.view(each) for each in followed.all.values()]}


HANDLERS: dict[type[Command], Handler] = {
    PublishCoded: publish, WithdrawCoded: withdraw, ListPublications: list_publications, FetchCoded: fetch,
    ListCoded: list_coded, PauseCoded: pause, ResumeCoded: resume, RateCoded: limit, RemoveCoded: remove,
    WatchCoded: watch, SubscribeCoded: subscribe, UnsubscribeCoded: unsubscribe, ListSubscriptions: list_subscriptions,
}
