"""
Who carries what is said around live streams, and knows who is there: the community is one.
"""
from __future__ import annotations

from typing import Protocol

from ...transfer.service.courier import Courier


class LiveCourier(Courier, Protocol):
    """
    A courier that knows, too, who publishes streams.
    """

    def streamers(self) -> list[bytes]:
        """
        Get the verified peers that say that they stream something.
        """

    def streams_changed(self) -> None:
        """
        Note that this node begins or ends to publish.
        """
