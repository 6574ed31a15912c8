"""
Throughput by packet train: many packets to the group, as fast as the narrowest link takes them and somewhat faster.

Three trains for each link with peers that are asked. The first one is short and tells how fast the link is about; the
next two last as long as it takes to empty the bucket of a shaper, at half as much again as was measured before. Each
is announced by TRAIN, its packets are sent by the shell (`train_packet`), and when they must have arrived TRAIN_END
discloses the key; whoever took part (`train_receiver`) then reports what arrived in which time. Who does not report
has no throughput.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from os import urandom
from typing import TYPE_CHECKING

from .events import TrainDue, TrainRunEnded
from .limits import (
    LEAST_TRAIN_PACKETS,
    LEAST_TRAIN_RATE,
    MAX_TRAIN_RATE,
    TRAIN_EXCESS,
    TRAIN_LIFETIME,
    TRAIN_NOTICE,
    TRAIN_OFFERED,
    TRAIN_PACKETS,
    TRAIN_PAUSE,
    TRAIN_REPORT_PATIENCE,
    TRAIN_SAME,
    TRAIN_SETTLE,
    TRAIN_SIZE,
    TRAIN_SLOWER,
    TRAIN_TIME,
    TRAINS_AGAIN,
)
from .train_packet import TRAIN_ID_SIZE, TRAIN_KEY_SIZE, bits_per_second, commitment
from .train_receiver import EVERYBODY, TrainReceiver, read_report, report_spread
from .wire import Header, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import LinkKey, PeerState


@dataclass(slots=True, eq=False)
class TrainRun:
    """
    One measurement: who is measured on which link, and the figures (bit/s) of each, by key.
    """

    target: bytes
    todo: list[tuple[LinkKey, list[bytes]]]
    figures: dict[bytes, list[float]]
    ended: bool = False

    def rate(self, key: bytes) -> float | None:
        """
        Get the rate (bit/s) of a peer: of its figures the later one of the two that agree best. None when unknown.

        What disturbs a figure, a processor that was busy elsewhere or others' traffic, seldom does so twice alike.
        """
        figures = self.figures[key]
        pairs = list(combinations(figures, 2))
        if not pairs:
            return figures[0] if figures else None
        return min(pairs, key=lambda pair: abs(pair[0] - pair[1]) / max(pair))[1]


@dataclass(slots=True, eq=False)
class Train:
    """
    One train of ours: `count` packets of `size` bytes at `rate` bit/s, and who reported what.

    `before` is the highest figure that the train before gave.
    """

    run: TrainRun
    link: LinkKey
    keys: list[bytes]
    turn: int
    rate: float
    count: int
    size: int = TRAIN_SIZE
    number: bytes = field(default_factory=lambda: urandom(TRAIN_ID_SIZE))
    key: bytes = field(default_factory=lambda: urandom(TRAIN_KEY_SIZE))
    sent: bool = False
    over: bool = False
    before: float = 0.0
    reports: dict[bytes, float | None] = field(default_factory=dict)


class Trains:
    """
    The packet trains of one protocol instance: sent, and by its `receiver` received.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.receiver = TrainReceiver(core)
        self.run: TrainRun | None = None
        self.train: Train | None = None
        self.ended_at: float | None = None

    def handlers(self) -> dict[int, Callable[[PeerState, Header, Arrival, float], None]]:
        """
        Get what acts on messages of verified peers.
        """
        return {Kind.TRAIN: self.receiver.on_train, Kind.TRAIN_END: self.receiver.on_end,
                Kind.TRAIN_REPORT: self.on_report}

    def why_not(self, now: float) -> str | None:
        """
        Say in one line why no measurement can begin now, None when one can.
        """
        if self.core.started is None:
            return "this node is switched off"
        if self.run is not None:
            return "throughput is being measured already"
        if self.ended_at is not None and now < self.ended_at + TRAIN_PAUSE:
            return f"throughput was measured just now, try again in {TRAIN_PAUSE:g} seconds"
        if self.receiver.session is not None:
            return "another node is measuring throughput, try again in a few seconds"
        return None

    def start(self, mid: bytes | None, now: float) -> TrainRun:
        """
        Measure the throughput to one peer or to all; the event TrainRunEnded tells the end.

        :raises KeyError: when the mid is not that of a local peer.
        :raises ValueError: with one line that says why, when it can't be done now.
        """
        reason = self.why_not(now)
        if reason is not None:
            raise ValueError(reason)
        peers = [peer for peer in self.core.peers if mid in (None, peer.mid)]
        if mid is not None and not peers:
            raise KeyError(f"no local peer has the mid {mid.hex()}")
        todo: dict[LinkKey, list[bytes]] = {}
        links = self.core.announcer.links_to_peers() if mid is None else []
        for peer in peers:
            link = next((link for link in links if link in peer.paths), peer.freshest_path().link)
            todo.setdefault(link, []).append(peer.key)
        run = self.run = TrainRun(mid or EVERYBODY, list(todo.items()), {peer.key: [] for peer in peers})
        self.next_link(run, now)
        return run

    def next_link(self, run: TrainRun, now: float) -> None:
        """
        Measure on the next link, or end.
        """
        if run.todo:
            link, keys = run.todo.pop()
            self.begin(Train(run, link, keys, 0, MAX_TRAIN_RATE, TRAIN_PACKETS[0]), now)
        else:
            self.end(run, now)

    def begin(self, train: Train, now: float) -> None:
        """
        Say that a train comes, and have its packets sent.
        """
        self.train = train
        payload = (train.number + train.run.target + train.count.to_bytes(4, "big") + train.size.to_bytes(2, "big")
                   + commitment(train.key))

        def notice(_now: float) -> None:
            if not train.over and train.link in self.core.links:
                self.core.outbox.multicast(Kind.TRAIN, train.link, payload)

        def go(_now: float) -> None:
            if not train.over:
                self.core.events.append(TrainDue(train))

        for delay in TRAIN_NOTICE:
            self.core.timers.at(now + delay, notice)
        self.core.timers.at(now + TRAIN_NOTICE[-1] + TRAIN_NOTICE[1], go)
        self.core.timers.at(now + TRAIN_LIFETIME - TRAIN_SETTLE[-1], lambda now: self.sent(train, now))

    def sent(self, train: Train, now: float) -> None:
        """
        Disclose the key of a train whose packets were sent, when they must have arrived.
        """
        if train.sent or train.over:
            return
        train.sent = True

        def disclose(_now: float) -> None:
            if not train.over and train.link in self.core.links:
                self.core.outbox.multicast(Kind.TRAIN_END, train.link, train.number + train.key)

        for delay in TRAIN_SETTLE:
            self.core.timers.at(now + delay, disclose)
        patience = TRAIN_SETTLE[-1] + report_spread(self.core.peers.path_count) + TRAIN_REPORT_PATIENCE
        self.core.timers.at(now + patience, lambda now: self.conclude(train, now))

    def on_report(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take the report of a peer that was asked, once for each train.
        """
        number, measured = read_report(header.payload)
        train = self.train
        if (train is None or number != train.number or not train.sent or peer.key not in train.keys
                or peer.key in train.reports or not self.core.heard(peer, arrival, now)):
            self.core.counters.drop("unexpected")
            return
        counted = min(measured.counted, train.count)
        train.reports[peer.key] = bits_per_second(counted, measured.span, train.size, train.link[1])
        if len(train.reports) == len(train.keys):
            self.conclude(train, now)

    def conclude(self, train: Train, now: float) -> None:
        """
        Take the figures of a train, and go on with the next one, on the next link after the last.
        """
        if train.over:
            return
        train.over = True
        self.train = None
        known = {key: rate for key, rate in train.reports.items() if rate is not None}
        if train.turn:
            for key, rate in known.items():
                train.run.figures[key].append(rate)
        best = max(known.values(), default=0.0)
        if train.link not in self.core.links or self.is_enough(train, best):
            self.next_link(train.run, now)
            return
        turn, rate, count = train.turn + 1, train.rate, train.count
        if train.reports:  # Too few packets came to tell: the link is far slower.
            rate = min(TRAIN_EXCESS * best, MAX_TRAIN_RATE) if known else rate / TRAIN_SLOWER
            rate = max(rate, LEAST_TRAIN_RATE)
            most = TRAIN_PACKETS[min(turn, len(TRAIN_PACKETS) - 1)]
            count = max(LEAST_TRAIN_PACKETS, min(int(rate * TRAIN_TIME / 8 / train.size), most))
        self.begin(Train(train.run, train.link, train.keys, turn, rate, count, before=best), now)

    @staticmethod
    def is_enough(train: Train, best: float) -> bool:
        """
        Tell whether no more trains are needed: this one was faster than the link, and the link as fast as before.
        """
        if train.turn < len(TRAIN_PACKETS) - 1:
            return False
        filled = train.rate >= min(TRAIN_OFFERED * best, MAX_TRAIN_RATE)
        return (train.turn >= len(TRAIN_PACKETS) - 1 + TRAINS_AGAIN
                or (filled and abs(best - train.before) <= TRAIN_SAME * best))

    def end(self, run: TrainRun, now: float | None = None) -> None:
        """
        End a measurement and tell it; what is not known by now stays unknown.
        """
        if run.ended:
            return
        run.ended = True
        if self.train is not None:
            self.train.over = True
        self.run = self.train = None
        if now is not None:
            self.ended_at = now
        self.core.events.append(TrainRunEnded(run))

    def forget(self) -> None:
        """
        End all.
        """
        if self.run is not None:
            self.end(self.run)
        self.receiver.forget()
