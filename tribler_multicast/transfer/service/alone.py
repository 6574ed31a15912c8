"""
Takes part with nobody who sends: only others who receive the same, or have it, help.
"""
from __future__ import annotations

from collections import Counter
from secrets import token_bytes
from typing import TYPE_CHECKING

from ...coding.field import why_not_native
from ..session.geometry import LARGE, SMALL, USUAL, symbol_size, symbols_for
from ..session.messages import Accept
from ..session.packets import KEY_SIZE, TAG_SIZE
from .doors import Doors
from .joining import Admitted, ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .courier import Courier, LinkKey


class Alone:
    """
    Lets us in ourselves.
    """

    def __init__(self, content_id: bytes, courier: Courier, ports: Callable[[], tuple[int, ...]]) -> None:
        """
        For one content.

        :param ports: gives the ports to try for data; 0: any.
        """
        self.content_id = content_id
        self.courier = courier
        self.ports = ports

    def admit(self, fellows: Iterable[bytes], unit: int | None) -> Admitted | None:
        """
        Make up what a sender would have told, for the link by which most of the others can be reached; None when nobody
        can. Nobody else knows the keys: nothing comes by them.

        :param unit: bytes of the symbols that are here already.
        """
        link = self._link(fellows)
        doors = Doors(self.courier, self.ports)
        socket = None if link is None or doors.port(link) is None else doors.take(link)
        if socket is None:
            return None
        k = next((k for k in (USUAL, LARGE, SMALL) if symbol_size(k) == unit and (k != SMALL or why_not_native)),
                 symbols_for(0, not why_not_native))
        accept = Accept(self.content_id, token_bytes(TAG_SIZE), token_bytes(KEY_SIZE), token_bytes(KEY_SIZE), k,
                        symbol_size(k), self.courier.must_seal)
        return Admitted(b"", socket, accept, None)

    def _link(self, fellows: Iterable[bytes]) -> LinkKey | None:
        links: Counter[LinkKey] = Counter()
        for mid in fellows or self.courier.neighbours():
            links.update(path.link for path in ordered(self.courier.paths(mid))[:1])
        return max(links, key=links.__getitem__, default=None)
