"""
Answers those who ask for a content that is here whole, without a session: their source is gone, or slower than we are.
"""
from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

from ..errors import TransferError
from ..session.coop_limits import CLIENT_FORGOTTEN, MAX_PACE
from ..session.coop_messages import Help, cut_of
from ..session.geometry import Geometry
from ..session.helper import Helper
from .dealings import Dealings
from .giver import Giver
from .limits import HOLDERS, LEAST_K, LEAST_SYMBOL

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from .courier import LinkKey
    from .publication import Publication
    from .together import Together

    Key = tuple[bytes, int, int]
    """Content id, k, symbol size."""


class Holding:
    """
    All contents that are here whole.
    """

    def __init__(self, together: Together, find: Callable[[bytes], Publication | None], readers: Executor,
                 failed: Callable[[Publication, TransferError], None], asked: Callable[[Publication], None]) -> None:
        """
        Nobody asks yet.

        :param find: gets what is offered, by its id.
        :param failed: is told when a content can't be read any more.
        :param asked: is told that somebody begins to get some of it.
        """
        self.together = together
        self.find = find
        self.givers: dict[Key, Giver] = {}
        self._readers = readers
        self._failed = failed
        self._asked = asked

    def help_received(self, mid: bytes, content_id: bytes, payload: bytes, link: LinkKey) -> bool:
        """
        Take a HELP; False when it is about nothing that is here.
        """
        publication, cut = self.find(content_id), cut_of(payload)
        if publication is None or publication.source is None or publication.error or publication.paused or cut is None:
            return False
        giver = self.givers.get((content_id, *cut)) or self._new(publication, *cut)
        wanted = None if giver is None else Help.read(payload, giver.helper.geometry)
        if giver is None or wanted is None:
            self.together.counters["help: malformed"] += 1
        elif self.together.courier.must_seal and not wanted.sealed:
            self.together.counters["help: not sealed"] += 1
        else:
            giver.help_received(mid, wanted, link)
            self._asked(publication)
        return True

    def _new(self, publication: Publication, k: int, symbol: int) -> Giver | None:
        """
        Get ready to answer in a cut that nobody asked for lately; None when there is none, or no room.
        """
        source = publication.source
        if source is None or k < LEAST_K or symbol < LEAST_SYMBOL:
            return None
        self._forget()
        if len(self.givers) >= HOLDERS:
            self.together.counters["help: no room"] += 1
            return None
        try:
            geometry = Geometry(source.layout, k, symbol)
        except ValueError:
            return None
        loop = asyncio.get_running_loop()

        def read(segment: int) -> asyncio.Future[bytes]:
            reading = loop.run_in_executor(self._readers, source.read, segment)
            reading.add_done_callback(look)
            return reading

        def look(done: asyncio.Future[bytes]) -> None:
            error = None if done.cancelled() else done.exception()
            if isinstance(error, TransferError):
                self._failed(publication, error)

        helper = Helper(geometry, source.tree, publication.content_id, random=Random(), now=loop.time(),
                        cap=self.together.cap or MAX_PACE, standing=self.together.courier.standing)
        dealings = publication.dealings or Dealings(self.together.dealt)
        publication.dealings = dealings
        giver = self.givers[publication.content_id, k, symbol] = Giver(helper, self.together, read, dealings)
        return giver

    def _forget(self) -> None:
        """
        Forget those whom nobody asked for long.
        """
        for key, giver in list(self.givers.items()):
            if not giver.was_asked(CLIENT_FORGOTTEN):
                giver.close()
                del self.givers[key]

    def tick(self, now: float) -> None:
        """
        Count what was given.
        """
        for (content_id, *_), giver in self.givers.items():
            giver.count(now)
            publication = self.find(content_id)
            if publication is not None:
                self._asked(publication)
        self._forget()

    def end(self, content_id: bytes | None = None) -> None:
        """
        Answer no more for a content, or (None) for any.
        """
        for key in [key for key in self.givers if content_id in (None, key[0])]:
            self.givers.pop(key).close()
