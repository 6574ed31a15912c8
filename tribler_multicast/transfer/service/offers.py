"""
Who offers what: asked for, checked, and kept for a while.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from ...protocol.wire import Kind
from ..content.manifest import Manifest
from ..errors import ContentError
from ..session.messages import Offer
from .limits import ANSWER_PATIENCE, ANSWER_QUIET, ASK_AGAIN, ASKED_AGAIN, OFFERS_KEPT, OFFERS_LOOKED_AT

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from .courier import Courier


class Found(NamedTuple):
    """
    A content and who offers it.
    """

    manifest: Manifest
    mids: list[bytes]


class Question:
    """
    One who asks, until it has its answer.
    """

    def __init__(self, content_id: bytes | None) -> None:
        """
        Ask for one content, or (None) for all.
        """
        self.content_id = content_id
        self.found: dict[bytes, Found] = {}
        self.looked_at = 0
        self.news = asyncio.Event()
        self.heard: set[bytes] = set()
        """Who offered something."""
        self._reminders: set[asyncio.TimerHandle] = set()

    def remind(self, seconds: float, act: Callable[[], None]) -> None:
        """
        Do something later, unless it has its answer by then.
        """
        def due() -> None:
            self._reminders.discard(timer)
            act()

        timer = asyncio.get_running_loop().call_later(seconds, due)
        self._reminders.add(timer)

    def end(self) -> None:
        """
        Ask nobody any more.
        """
        while self._reminders:
            self._reminders.pop().cancel()


class Offers:
    """
    Asks neighbours what they have.
    """

    def __init__(self, courier: Courier, counters: Counter[str]) -> None:
        """
        Ask nobody yet.
        """
        self.courier = courier
        self.counters = counters
        self.questions: set[Question] = set()
        self.known: dict[bytes, Found] = {}
        """What was found lately, by content id."""

    def offer_received(self, mid: bytes, payload: bytes, *, is_hint: bool = False) -> Found | None:
        """
        Take an OFFER; None when it is none, or nobody asked.

        :param is_hint: it is looked at all the same: it may be of what was asked for by a JOIN.
        """
        if not is_hint and not any(question.looked_at < OFFERS_LOOKED_AT for question in self.questions):
            self.counters["offer: not asked for"] += 1
            return None
        for question in self.questions:
            question.looked_at += 1
            question.heard.add(mid)
        offer = Offer.read(payload)
        try:
            manifest = Manifest.read(offer.manifest) if offer is not None else None
        except ContentError:
            manifest = None
        if manifest is None or not self.courier.may(mid):
            self.counters["offer: bad"] += 1
            return None
        content_id = manifest.content.id
        found = self._note(self.known, mid, manifest)
        while len(self.known) > OFFERS_KEPT:
            del self.known[next(iter(self.known))]
        for question in self.questions:
            if question.content_id in (None, content_id):
                if content_id in question.found or len(question.found) < OFFERS_KEPT:
                    self._note(question.found, mid, manifest)
                question.news.set()
        return found

    @staticmethod
    def _note(known: dict[bytes, Found], mid: bytes, manifest: Manifest) -> Found:
        found = known.setdefault(manifest.content.id, Found(manifest, []))
        if mid not in found.mids:
            found.mids.append(mid)
        return found

    def ask(self, question: Question, mids: list[bytes], number: int = 0) -> None:
        """
        Ask some neighbours; who says nothing is asked again, after the time of this number and of the next.
        """
        for mid in mids:
            self.courier.send(mid, Kind.OFFERS_WANTED, question.content_id or b"")
        if mids and number < len(ASKED_AGAIN):
            question.remind(ASKED_AGAIN[number], lambda: self.ask(
                question, [mid for mid in mids if mid not in question.heard], number + 1))

    def neighbour_found(self, mid: bytes) -> None:
        """
        Ask who just came.
        """
        for question in self.questions:
            self.ask(question, [mid])

    def neighbour_gone(self, mid: bytes) -> None:
        """
        Forget what somebody offered.
        """
        for content_id, found in list(self.known.items()):
            if mid in found.mids:
                found.mids.remove(mid)
                if not found.mids:
                    del self.known[content_id]

    async def of(self, mid: bytes) -> list[Manifest] | None:
        """
        Ask one neighbour what it offers, and get the manifests: the newest, and some of the others if there are many.
        None when it is not here, or does not answer.
        """
        question = Question(None)
        if not self.courier.send(mid, Kind.OFFERS_WANTED, b""):
            return None
        self.questions.add(question)
        try:
            patience = ANSWER_PATIENCE
            while True:
                question.news.clear()
                try:
                    await asyncio.wait_for(question.news.wait(), patience)
                except TimeoutError:
                    break
                patience = ANSWER_QUIET
            return [found.manifest for found in question.found.values() if mid in found.mids]
        finally:
            self.questions.discard(question)
            question.end()

    async def wait(self, content_id: bytes | None, timeout: float | None, *, first: bool) -> list[Found]:
        """
        Ask all neighbours, and who comes meanwhile.

        :param timeout: seconds; None: until there is one, asking again and again.
        :param first: end with the first answer.
        """
        question = Question(content_id)
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        self.questions.add(question)
        try:
            self.ask(question, self.courier.neighbours())
            while not (first and question.found):
                left = ASK_AGAIN if end is None else end - loop.time()
                if left <= 0:
                    break
                question.news.clear()
                try:
                    await asyncio.wait_for(question.news.wait(), left)
                except TimeoutError:
                    if end is None:
                        question.looked_at = 0
                        self.ask(question, self.courier.neighbours())
            return list(question.found.values())
        finally:
            self.questions.discard(question)
            question.end()
