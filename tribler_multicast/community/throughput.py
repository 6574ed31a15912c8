"""The community's part in measuring throughput: send the packets of our trains, take the figures."""
from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING

from ..lan.train import segment, send_paced
from ..protocol.events import Event, TrainDue, TrainHeard, TrainOver, TrainRunEnded
from ..protocol.identity import mid_of
from ..protocol.train_packet import packets

if TYPE_CHECKING:
    from ..lan.endpoint import LanEndpoint
    from ..protocol.core import MulticastProtocol
    from ..protocol.train import Train, TrainRun

logger = logging.getLogger(__name__)


class Throughput:
    """
    Lets a community that drives a protocol instance and a LAN endpoint measure throughput.
    """

    core: MulticastProtocol
    lan: LanEndpoint
    train_ends: dict[TrainRun, asyncio.Future[None]]
    train_tasks: set[asyncio.Task[None]]

    @staticmethod
    def now() -> float:
        """
        Get the protocol's clock, in seconds.
        """
        return asyncio.get_running_loop().time()

    def pump(self) -> None:
        """
        Send what the protocol says, act on what happened.
        """
        raise AssertionError

    def check_measurable(self) -> None:
        """
        Look whether a measurement can begin, before anything is sent for it.

        :raises ValueError: with one line that says why not.
        """
        reason = self.core.trains.why_not(self.now())
        if reason is not None:
            raise ValueError(reason)

    async def measure(self, target: bytes | None) -> dict[bytes, float | None]:
        """
        Measure the throughput to one local peer, by its mid, or to all; get Mbit/s by mid, None where unknown.

        :raises ValueError: with one line, when it can't be done now.
        """
        try:
            run = self.core.trains.start(target, self.now())
        except KeyError:
            return {}  # It left meanwhile.
        self.train_ends[run] = ended = asyncio.get_running_loop().create_future()
        try:
            self.pump()
            await ended
        finally:
            del self.train_ends[run]
            self.core.trains.end(run, self.now())
        rates = {mid_of(key): run.rate(key) for key in run.figures}
        return {mid: None if rate is None else rate / 1e6 for mid, rate in rates.items()}

    def on_train_event(self, event: Event) -> None:
        """
        Act on what happened around trains.
        """
        if isinstance(event, TrainDue):
            task = asyncio.ensure_future(self.send_train(event.train))
            self.train_tasks.add(task)
            task.add_done_callback(self.train_tasks.discard)
        elif isinstance(event, TrainHeard):
            self.lan.give_train_to(event.session, event.session.link)
        elif isinstance(event, TrainOver):
            self.lan.give_train_to(None, event.session.link)
        elif isinstance(event, TrainRunEnded):
            for task in list(self.train_tasks):
                task.cancel()  # There is none, unless it was given up.
            ended = self.train_ends.get(event.run)
            if ended is not None and not ended.done():
                ended.set_result(None)

    async def send_train(self, train: Train) -> None:
        """
        Send the packets of a train, in a thread of its own.
        """
        link = self.lan.links.get(train.link)
        own = link.address[0] if link is not None and link.address is not None else ""
        neighbours = [self.core.peers.get(key) for key in train.keys]
        loop = any(peer is not None and train.link in peer.paths and peer.paths[train.link].address[0] == own
                   for peer in neighbours)
        give_up = threading.Event()
        sent = 0
        try:
            sock = self.lan.open_train(train.link, loop)
            if sock is not None:
                with sock:
                    made = packets(train.key, train.number, train.count, train.size)
                    at_once = segment(sock, self.lan.platform, train.size)
                    each = 8 * train.size / train.rate
                    sent = await asyncio.to_thread(send_paced, sock, made, each, at_once, give_up)
            self.lan.packets_up += sent
            self.lan.bytes_up += sent * train.size
            self.core.counters.sent["train_packet"] += sent
        except OSError as e:
            logger.info("No packet train: %s", e)
        finally:
            give_up.set()
        self.core.trains.sent(train, self.now())
        self.pump()
