"""
Who takes part in a peer's packet train: notes what comes, and reports when the key is disclosed.

The shell gives packets to the session with the time the kernel saw them, and they wait there, bounded, until the key
tells which were the sender's. One train at a time.
"""
from __future__ import annotations

from collections import OrderedDict
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from .budget import KeyedBuckets, TokenBucket
from .events import TrainHeard, TrainOver
from .limits import (
    ALL_TRAINS_TAKEN_BURST,
    ALL_TRAINS_TAKEN_PER_SECOND,
    LEAST_TRAIN_SIZE,
    MAX_PEERS,
    PING_SPREAD,
    TRAIN_LIFETIME,
    TRAIN_PACKETS,
    TRAIN_REPORT_SPREAD,
    TRAIN_REPORT_TIMES,
    TRAIN_REPORTS_REMEMBERED,
    TRAIN_SIZE,
    TRAIN_SPARE,
    TRAINS_TAKEN_BURST,
    TRAINS_TAKEN_PER_SECOND,
)
from .train_packet import (
    COMMITMENT_SIZE,
    INDEX_START,
    PACKET_HEAD,
    PACKET_PREFIX,
    TAG_START,
    TRAIN_ID_SIZE,
    TRAIN_KEY_SIZE,
    Came,
    Measured,
    commitment,
    genuine,
    measure,
)
from .wire import Header, Kind, Reader

if TYPE_CHECKING:
    from .core import MulticastProtocol
    from .links import Arrival
    from .peers import LinkKey, PeerState

MID_SIZE: Final = 20
EVERYBODY: Final = bytes(MID_SIZE)


class Session:
    """
    One train that is coming: what of it came.
    """

    def __init__(self, sender: bytes, number: bytes, arrival: Arrival, count: int, size: int,
                 committed: bytes) -> None:
        """
        Await `count` packets of `size` bytes from the address that the train was announced from.
        """
        self.sender = sender
        self.number = number
        self.link: LinkKey = arrival.link
        self.ip = arrival.source[0]
        self.count = count
        self.size = size
        self.committed = committed
        self.head = PACKET_PREFIX + number
        self.room = TRAIN_SPARE * count
        self.came: list[Came] = []
        self.refused = 0

    def take(self, link: LinkKey, ip: str, data: bytes, when: int, dropped: int) -> None:
        """
        Note one packet that came, `when` in nanoseconds; `dropped` is how many the socket dropped so far. Never raises.
        """
        index = int.from_bytes(data[INDEX_START:TAG_START], "big")
        if (link != self.link or ip != self.ip or len(data) != self.size or index >= self.count or not self.room
                or not data.startswith(self.head)):
            self.refused += 1
            return
        self.room -= 1
        self.came.append(Came(when, index, data[TAG_START:PACKET_HEAD], dropped))


class TrainReceiver:
    """
    The trains of others, as one protocol instance sees them.
    """

    def __init__(self, core: MulticastProtocol) -> None:
        """
        Work on the tables of `core`.
        """
        self.core = core
        self.session: Session | None = None
        self.taken = KeyedBuckets(TRAINS_TAKEN_PER_SECOND, TRAINS_TAKEN_BURST, MAX_PEERS)
        self.all_taken = TokenBucket(ALL_TRAINS_TAKEN_PER_SECOND, ALL_TRAINS_TAKEN_BURST)
        self.reports: OrderedDict[tuple[bytes, bytes], list[bytes]] = OrderedDict()

    def on_train(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take part in a train of a verified peer that means us, if there is none already and it does so seldom enough.
        """
        reader = Reader(header.payload)
        number, target = reader.take(TRAIN_ID_SIZE), reader.take(MID_SIZE)
        count, size, committed = reader.number(4), reader.number(2), reader.take(COMMITMENT_SIZE)
        reader.end()
        if not self.core.heard(peer, arrival, now) or target not in (EVERYBODY, self.core.identity.mid):
            return
        if not (1 <= count <= max(TRAIN_PACKETS) and max(LEAST_TRAIN_SIZE, PACKET_HEAD) <= size <= TRAIN_SIZE):
            self.core.counters.drop("malformed")
        elif (peer.key, number) in self.reports or (
                self.session is not None and (self.session.sender, self.session.number) == (peer.key, number)):
            self.core.counters.drop("duplicate")
        elif self.session is not None or self.core.trains.run is not None:
            self.core.counters.drop("busy")
        elif not (self.taken.take(peer.key, now) and self.all_taken.take(now)):
            self.core.counters.drop("rate")
        else:
            session = self.session = Session(peer.key, number, arrival, count, size, committed)
            self.core.events.append(TrainHeard(session))
            self.core.timers.at(now + TRAIN_LIFETIME, lambda _now: self.close(session))

    def close(self, session: Session) -> None:
        """
        Await no more packets of a train.
        """
        if self.session is session:
            self.session = None
            self.core.counters.dropped["train_packet"] += session.refused
            self.core.events.append(TrainOver(session))

    def on_end(self, peer: PeerState, header: Header, arrival: Arrival, now: float) -> None:
        """
        Take the key of the train that came, and report; report again when the end is told again.
        """
        reader = Reader(header.payload)
        number, key = reader.take(TRAIN_ID_SIZE), reader.take(TRAIN_KEY_SIZE)
        reader.end()
        if not self.core.heard(peer, arrival, now):
            return
        session = self.session
        if session is not None and (session.sender, session.number) == (peer.key, number):
            if not compare_digest(commitment(key), session.committed):
                self.core.counters.drop("malformed")
                return
            self.close(session)
            fitting = genuine(session.came, key, number)
            self.core.counters.dropped["train_packet"] += len(session.came) - len(fitting)
            payload = pack_report(number, measure(fitting, session.count))
            while len(self.reports) >= TRAIN_REPORTS_REMEMBERED:
                self.reports.popitem(last=False)
            self.reports[peer.key, number] = [payload] * TRAIN_REPORT_TIMES
        copies = self.reports.get((peer.key, number))
        if copies:
            payload, link, address = copies.pop(), arrival.link, arrival.source

            def report(_now: float) -> None:
                path = peer.paths.get(link)
                if path is not None and path.address == address:
                    self.core.outbox.to_peer(Kind.TRAIN_REPORT, peer, link, address, payload)

            self.core.timers.at(now + self.core.random.uniform(0.0, report_spread(self.core.peers.path_count)), report)

    def forget(self) -> None:
        """
        Take part in nothing any more.
        """
        if self.session is not None:
            self.close(self.session)
        self.reports.clear()


def report_spread(paths: int) -> float:
    """
    Get the longest time (seconds) that somebody waits with a report, with so many verified addresses around.
    """
    return min(paths * PING_SPREAD, TRAIN_REPORT_SPREAD)


def pack_report(number: bytes, measured: Measured) -> bytes:
    """
    Write the payload of a TRAIN_REPORT: id (8), received (4), dropped (4), counted (4), span in ns (8).
    """
    return number + b"".join(min(value, (1 << 32) - 1).to_bytes(4, "big") for value in measured[:3]) + min(
        measured.span, (1 << 64) - 1).to_bytes(8, "big")


def read_report(payload: bytes) -> tuple[bytes, Measured]:
    """
    Read the payload of a TRAIN_REPORT.

    :raises WireError: when it is none.
    """
    reader = Reader(payload)
    number = reader.take(TRAIN_ID_SIZE)
    measured = Measured(reader.number(4), reader.number(4), reader.number(4), reader.number(8))
    reader.end()
    return number, measured
