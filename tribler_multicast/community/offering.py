"""
Has the client make torrents of shared files that others ask for: one that takes time at a time, with rests.
"""
from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from ..client import ClientError
from ..protocol.file_messages import UNAVAILABLE
from ..protocol.limits import FILE_MOST_REST, MAX_FILE_TIME

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..client import Client
    from ..protocol.file_answers import FileJob

logger = logging.getLogger(__name__)


class Offering:
    """
    The files that wait for the client. How many there may be is the protocol's affair.
    """

    def __init__(self, client: Client, take: Callable[[bool], FileJob | None],
                 give: Callable[[FileJob, bytes | None, int], None]) -> None:
        """
        Have this client offer what `take` gets, of those that take no time (True) or some, and `give` each its infohash
        (20 bytes), or None and the code of a refusal.
        """
        self.client = client
        self.take = take
        self.give = give
        self.tasks: dict[bool, asyncio.Task[None]] = {}

    def wake(self, known: bool) -> None:
        """
        Begin with what waits: a file that is known to be ready does not wait behind one that is not.
        """
        task = self.tasks.get(known)
        if task is None or task.done():
            self.tasks[known] = asyncio.ensure_future(self.work(known))

    async def work(self, known: bool) -> None:
        """
        Offer one file after the other, with rests.
        """
        loop = asyncio.get_running_loop()
        while (job := self.take(known)) is not None:
            begin = loop.time()
            self.give(job, *await self.offer(job))
            await asyncio.sleep(0.0 if known else min(loop.time() - begin, FILE_MOST_REST))

    async def offer(self, job: FileJob) -> tuple[bytes | None, int]:
        """
        Have a file offered: get its infohash, or None and a code. What the client says of it stays here: it may name
        folders of the user.
        """
        if not job.known:
            logger.info("A shared file is made a torrent, because another node asked for it")
        try:
            return await asyncio.wait_for(self.client.offer_file(job.file_id, job.tell), MAX_FILE_TIME), 0
        except ClientError as error:
            logger.info("A shared file can't be offered: %s", error)
            return None, error.status
        except TimeoutError:
            logger.warning("A shared file takes longer than %g hours to hash", MAX_FILE_TIME / 3600)
        except Exception:
            logger.exception("The client failed to offer a shared file")
        return None, UNAVAILABLE

    def close(self) -> None:
        """
        Offer nothing more.
        """
        for task in self.tasks.values():
            task.cancel()
        self.tasks.clear()
