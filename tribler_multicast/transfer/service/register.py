"""
The transfers of one node: which there are, what state they are in, who is told of it, and what is remembered of them.
"""
from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from ..errors import StoreError, TransferError
from . import remembered
from .limits import TRANSFERS
from .publication import Serving
from .reception import Reception
from .remembered import Memory, Published, Wanted
from .transfer import ACTIVE, CHECKING, DONE, FAILED, PAUSED, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from .publication import Publication

logger = logging.getLogger(__name__)

TOPIC: Final = "multicast_transfer"
REMOVED: Final = "removed"
"""The state that is told last of a transfer, when it is forgotten."""


class Register:
    """
    Each transfer is in it from its first state on, until it is forgotten.
    """

    def __init__(self, folder: Path | None, tell: Callable[..., None]) -> None:
        """
        Begin with none.

        :param folder: where they are remembered; None: nowhere.
        :param tell: takes topic and what is to be told.
        """
        self.publications: Mapping[bytes, Publication] = {}
        """What is offered, by content id."""
        self.folder = folder
        self.tell = tell
        self.transfers: dict[str, Transfer] = {}
        """By id (16 hex digits)."""
        self._told: dict[str, tuple[str, float]] = {}

    def receptions(self) -> list[Reception]:
        """
        Get what is received, or was.
        """
        return [transfer for transfer in self.transfers.values() if isinstance(transfer, Reception)]

    def receiving(self, content_id: bytes) -> Reception | None:
        """
        Get the reception of a content, rather one that is not over.
        """
        found = [each for each in self.receptions() if each.content_id == content_id]
        return next((each for each in found if each.state not in (DONE, FAILED)), found[0] if found else None)

    def check_room(self) -> None:
        """
        Look whether there may be one more.

        :raises TransferError: when there may not.
        """
        if len(self.transfers) + len(self.publications) >= TRANSFERS:
            raise TransferError(f"there are {TRANSFERS} transfers and publications already: remove some")

    def changed(self, transfer: Transfer, state: str) -> None:
        """
        Note the state that a transfer has now.
        """
        if isinstance(transfer, Serving):
            self.transfers.setdefault(transfer.id, transfer)
        if self.transfers.get(transfer.id) is transfer and transfer.set_state(state):
            self._say(transfer)

    def forget(self, transfer: Transfer) -> None:
        """
        Have it no more.
        """
        self.transfers.pop(transfer.id, None)
        self._told.pop(transfer.id, None)
        transfer.end()
        self.tell(TOPIC, id=transfer.id, content_id=transfer.content_id.hex(), state=REMOVED,
                  progress=transfer.progress)

    def tell_progress(self) -> None:
        """
        Tell of those that went on since they were last told of.
        """
        for transfer in self.transfers.values():
            if transfer.state in (ACTIVE, CHECKING) \
                    and self._told.get(transfer.id) != (transfer.state, transfer.progress):
                self._say(transfer)

    def _say(self, transfer: Transfer) -> None:
        self._told[transfer.id] = transfer.state, transfer.progress
        self.tell(TOPIC, id=transfer.id, content_id=transfer.content_id.hex(), state=transfer.state,
                  progress=transfer.progress)

    def remember(self) -> None:
        """
        Keep what is offered, and what is not done.
        """
        if self.folder is None:
            return
        memory = Memory(
            [Published(each.path, each.manifest, each.paused, each.rate, each.weight)
             for each in self.publications.values()],
            [Wanted(each.id, each.content_id, each.output, each.rate, each.state == PAUSED, each.manifest)
             for each in self.receptions() if each.state != DONE])
        try:
            remembered.save(self.folder, memory)
        except StoreError as error:
            logger.warning("%s", error)
