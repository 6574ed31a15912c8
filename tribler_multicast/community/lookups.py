"""
Asks the client's store what others look for: off the event loop, one query at a time, and at most half of the time.
"""
from __future__ import annotations

import asyncio
import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from .found import matches

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..client import Client, Result
    from ..protocol.answers import Question
    from ..protocol.queries import Query

logger = logging.getLogger(__name__)

PATIENCE: Final = 2.0
"""Seconds after which nobody waits for the store any more. The next query waits until it is done all the same, so that
slow queries never pile up."""

MOST_REST: Final = 1.0
"""Seconds that the store rests at most after a query, else as long as that one took: neighbours who search without end
take half of a core, not all of it."""

HERE: Final = frozenset({"stream", "coded"})
"""Kinds of results that the store is not asked for: they are known on the event loop."""


class Lookups:
    """
    The queries that wait for the client's store. How many there may be is the protocol's affair.
    """

    def __init__(self, client: Client, give: Callable[[Question, list[Result] | None], None],
                 coded: Callable[[str, int], list[Result]] = lambda _text, _most: [],
                 live: Callable[[str], list[Result]] = lambda _text: []) -> None:
        """
        Ask this client, and give each question its results, None when there is no answer. `coded` gets what is sent
        coded, `live` what is streamed live, by its name.
        """
        self.client = client
        self.give = give
        self.coded = coded
        self.live = live
        self.waiting: deque[Question] = deque()
        self.thread: ThreadPoolExecutor | None = None
        self.task: asyncio.Task[None] | None = None

    def ask(self, question: Question) -> None:
        """
        Answer a question, soon.
        """
        if question.query.kinds <= HERE:
            self.give(question, self.here(question.query))
            return
        self.waiting.append(question)
        if self.task is None or self.task.done():
            self.task = asyncio.ensure_future(self.work())

    def here(self, query: Query) -> list[Result] | None:
        """
        Get what can be told without the store.
        """
        coded = self.coded(query.text, query.most) if "coded" in query.kinds else []
        streams = self.streams(query.text) if "stream" in query.kinds else []
        live = self.live(query.text) if "stream" in query.kinds else []
        return None if streams is None else live + streams + coded

    def streams(self, text: str) -> list[Result] | None:
        """
        Get what is streamed here and has all words in its name.
        """
        try:
            return [result for result in self.client.streams() if matches(text, result.name)]
        except Exception:
            logger.exception("The client failed to tell what it streams")
            return None

    async def work(self) -> None:
        """
        Look up one question after the other, with rests.
        """
        loop = asyncio.get_running_loop()
        if self.thread is None:
            self.thread = ThreadPoolExecutor(1, "multicast-search")
        while self.waiting:
            question = self.waiting.popleft()
            query, begin = question.query, loop.time()
            found = self.here(query)
            looking = loop.run_in_executor(self.thread, self.client.search, query.text, query.kinds - HERE, query.most)
            done, _ = await asyncio.wait((looking,), timeout=PATIENCE)
            if not done:
                logger.warning("The search of the client takes longer than %g seconds", PATIENCE)
                self.give(question, None)
                await asyncio.wait((looking,))
            error = looking.exception()
            if error is not None:
                logger.error("The search of the client failed", exc_info=error)
            self.give(question, None if error is not None or found is None else found + looking.result())
            await asyncio.sleep(min(loop.time() - begin, MOST_REST))

    def close(self) -> None:
        """
        Look up nothing more.
        """
        self.waiting.clear()
        if self.task is not None:
            self.task.cancel()
        if self.thread is not None:
            self.thread.shutdown(wait=False, cancel_futures=True)
            self.thread = None
