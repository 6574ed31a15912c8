"""
The transfers of one node: what it publishes, what it receives, and the links that carry it.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ...protocol.wire import Kind
    from ..content.manifest import Manifest
    from .courier import Courier, LinkKey, Options
    from .publication import Publication
    from .transfer import Transfer


class Found(NamedTuple):
    """
    A content and who offers it.
    """

    manifest: Manifest
    mids: list[bytes]


class TransferService:
    """
    Publishes and receives. Call everything in one event loop.
    """

    def __init__(self, courier: Courier, options: Options, *, folder: Path | None, tell: Callable[..., None]) -> None:
        """
        Not running yet.

        :param options: `transfer_rate` is read while it runs.
        :param folder: where publications and transfers are remembered over a restart; None: nowhere.
        :param tell: takes topic and what is to be told, on each change of state, and twice a second while it goes on.
        """
        self.courier = courier
        self.options = options
        self.folder = folder
        self.tell = tell
        self.publications: dict[bytes, Publication] = {}
        """By content id."""
        self.transfers: dict[str, Transfer] = {}
        """By id (16 hex digits)."""

    async def start(self) -> None:
        """
        Offer what was published before, and go on with what was not done.
        """

    async def close(self) -> None:
        """
        Say goodbye to all sessions, make durable what was received: it goes on at the next start.
        """

    # --- Called by the community.

    def message_received(self, mid: bytes, kind: Kind, payload: bytes, link: LinkKey, now: float) -> None:
        """
        Take a control message of a verified peer. Never raises.
        """

    def neighbour_found(self, mid: bytes) -> None:
        """
        Note that a peer became local, or said something new.
        """

    def neighbour_gone(self, mid: bytes) -> None:
        """
        Note that a peer is not local any more.
        """

    def links_changed(self) -> None:
        """
        Look at the links again: interfaces come, go and get other addresses.
        """

    # --- Called from above. Errors are transfer.errors.TransferError: one line.

    async def publish(self, path: Path, *, progress: Callable[[int, int], None] | None = None,
                      wait_for: int = 0, weight: float = 1.0) -> Publication:
        """
        Offer a file or folder: hashes it in a thread. The same content again is the same publication.

        :param progress: called with bytes done and bytes of all.
        :param wait_for: data flows once so many receivers joined, or 2 s after the first; 0: at once.
        :param weight: its share of a link beside others.
        """
        raise NotImplementedError

    async def unpublish(self, content_id: bytes) -> None:
        """
        Offer it no more. No error when it is not offered.
        """

    async def receive(self, content_id: bytes, output: Path, *, rate: int | None = None) -> Transfer:
        """
        Begin to receive, or go on; the same again is the same transfer.

        :param output: an existing folder: into it, under the offered name; else the name of the result.
        :param rate: most bytes/s that are taken; None: any.
        """
        raise NotImplementedError

    async def offers(self, timeout: float, content_id: bytes | None = None) -> list[Found]:
        """
        Ask all neighbours what they offer, for so many seconds. With a content id only for that one: returns as soon as
        somebody has it.
        """
        raise NotImplementedError

    async def wait_offer(self) -> Found:
        """
        Wait for the first offer of anybody.
        """
        raise NotImplementedError

    def pause(self, id: str) -> None:  # noqa: A002
        """
        Neither send nor receive any more of a transfer, until `resume`.

        :raises KeyError: when there is no such transfer.
        """

    def resume(self, id: str) -> None:  # noqa: A002
        """
        Go on; one that failed is tried again. Errors as `pause`.
        """

    def set_rate(self, id: str, rate: int | None) -> None:  # noqa: A002
        """
        Limit a transfer to so many bytes/s; None: no limit. Errors as `pause`.
        """

    async def remove(self, id: str, *, delete: bool = False) -> None:  # noqa: A002
        """
        End a transfer and forget it. What was received stays, unless it is to be deleted; a whole result is never.

        :raises KeyError: when there is no such transfer.
        :raises StoreError: when it can't be deleted.
        """
