"""Packet trains on a simulated LAN: figures, lies, forgeries, and what stays bounded."""
from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol import limits
from tribler_multicast.protocol.events import TrainDue, TrainHeard, TrainOver, TrainRunEnded
from tribler_multicast.protocol.train_packet import (
    ETHERNET_OVERHEAD,
    PACKET_PREFIX,
    Came,
    bits_per_second,
    commitment,
    genuine,
    measure,
    packets,
)
from tribler_multicast.protocol.wire import PREFIX, Kind, Writer

from .simulated import LATENCY, Seen, SimulatedLan, identity_from

if TYPE_CHECKING:
    from tribler_multicast.protocol.train import Train, TrainRun

    from .simulated import Node

LINK = (2, 4)
HEADERS = 8 + 20 + ETHERNET_OVERHEAD


@dataclass
class Shaper:
    """
    A token bucket with a queue in front of it, as `tc tbf`: Mbit/s, milliseconds of bucket and of queue.
    """

    mbit: float
    bucket: float = 10.0
    queue: float = 50.0
    loss: float = 0.0
    stall: float = 0.0
    stall_in: int = 0

    def pass_on(self, times: list[float], size: int, random: Random) -> list[tuple[int, float]]:
        """Get index and time of arrival (s) of the packets that come through."""
        rate = self.mbit * 1e6 / 8
        most = tokens = max(self.bucket / 1000 * rate, size)
        arrived, clock = [], 0.0
        for i, when in enumerate(times):
            begin = max(when, clock)
            tokens = min(most, tokens + (begin - clock) * rate)
            leave = begin + max(0.0, (size - tokens) / rate)
            if leave - when > self.queue / 1000 or random.random() < self.loss:
                clock = begin
                continue
            tokens = min(most, tokens + (leave - begin) * rate) - size
            clock = leave
            arrived.append((i, leave))
        return arrived


def lan_of(number: int) -> tuple[SimulatedLan, list[Node]]:
    """Make a LAN of nodes that know each other."""
    lan = SimulatedLan()
    nodes = [lan.node() for _ in range(number)]
    lan.run(20)
    assert all(a.knows(b) for a in nodes for b in nodes if a is not b)
    lan.wire.clear()
    return lan, nodes


def trains(asker: Node) -> list[Train]:
    return [event.train for _, event in asker.history if isinstance(event, TrainDue)]


def start(asker: Node, target: Node | None = None) -> TrainRun:
    run = asker.core.trains.start(None if target is None else target.identity.mid, asker.lan.now)
    asker.flush()
    return run


def carry(asker: Node, run: TrainRun, links: dict[Node, Shaper], sender: float = 1e9) -> None:
    """Do what the shell does until the measurement ends: send the packets, at `sender` bit/s at most."""
    lan, done = asker.lan, 0
    for _ in range(4000):
        if run.ended:
            return
        lan.run(0.005)
        for train in trains(asker)[done:]:
            done += 1
            each = 8 * train.size / min(train.rate, sender)
            times = [i * each for i in range(train.count)]
            half = train.count // 2
            made = list(packets(train.key, train.number, train.count, train.size))
            for node, shaper in links.items():
                stall = shaper.stall if done == shaper.stall_in else 0.0
                times_there = [*times[:half], *(when + stall for when in times[half:])]
                session = node.core.trains.receiver.session
                for i, when in shaper.pass_on(times_there, train.size + HEADERS, Random(done)):
                    if session is not None:
                        session.take(LINK, asker.address()[0], made[i], round(1e9 * when), 0)

            def sent(train: Train = train) -> None:
                asker.core.trains.sent(train, lan.now)
                asker.flush()

            lan.at(lan.now + times[-1], sent)
    raise AssertionError("it never ends")


def mbit(run: TrainRun, node: Node) -> float | None:
    rate = run.rate(node.identity.key)
    return None if rate is None else rate / 1e6


@pytest.mark.parametrize(("rate", "bucket"), [(rate, bucket) for rate in (1.0, 5.0, 20.0, 100.0, 400.0)
                                              for bucket in (0.1, 10.0, 20.0)] + [(900.0, 0.1)])
def test_figure_is_the_rate_of_the_link_whatever_its_bucket(rate: float, bucket: float) -> None:
    _, (a, b) = lan_of(2)
    run = start(a, b)
    carry(a, run, {b: Shaper(rate, bucket)})
    assert mbit(run, b) == pytest.approx(rate, rel=0.1)
    assert [event.run for _, event in a.history if isinstance(event, TrainRunEnded)] == [run]


def test_frames_lost_at_a_full_queue_or_on_the_way_do_not_matter_while_enough_come() -> None:
    _, (a, b) = lan_of(2)
    run = start(a, b)
    carry(a, run, {b: Shaper(100.0, queue=5.0)})
    assert mbit(run, b) == pytest.approx(100, rel=0.05)
    _, (a, b) = lan_of(2)
    run = start(a, b)
    carry(a, run, {b: Shaper(100.0, loss=0.3)})
    assert mbit(run, b) == pytest.approx(100, rel=0.1)


def test_all_are_measured_each_on_its_own_link_and_who_hears_nothing_stays_unknown() -> None:
    lan, (a, b, c, d) = lan_of(4)
    lan.filter = lambda node, data: not (node is d and data[22] == Kind.TRAIN)
    run = start(a)
    carry(a, run, {b: Shaper(20.0), c: Shaper(100.0)})
    assert mbit(run, b) == pytest.approx(20, rel=0.1)
    assert mbit(run, c) == pytest.approx(100, rel=0.1)
    assert mbit(run, d) is None


def test_what_is_told_gets_lost_and_is_told_again() -> None:
    lan, (a, b) = lan_of(2)
    seen: dict[bytes, int] = {}

    def first_is_lost(_node: Node, data: bytes) -> bool:
        number = data[22:23] + data[121:129]
        seen[number] = seen.get(number, 0) + 1
        return data[22] not in (Kind.TRAIN, Kind.TRAIN_END, Kind.TRAIN_REPORT) or seen[number] > 1

    lan.filter = first_is_lost
    run = start(a, b)
    carry(a, run, {b: Shaper(20.0)})
    assert mbit(run, b) == pytest.approx(20, rel=0.05)


def test_a_sender_that_had_no_processor_tries_again_and_is_not_taken_for_the_link() -> None:
    _, (a, b) = lan_of(2)
    run = start(a, b)
    carry(a, run, {b: Shaper(100.0, stall=0.12, stall_in=3)})
    assert mbit(run, b) == pytest.approx(100, rel=limits.TRAIN_SAME)


def test_cost_is_bounded_and_the_pace_fits_the_link() -> None:
    _, (a, b) = lan_of(2)
    run = start(a, b)
    carry(a, run, {b: Shaper(20.0)})
    sent = trains(a)
    assert [train.turn for train in sent] == [0, 1, 2]
    assert all(train.count <= most for train, most in zip(sent, limits.TRAIN_PACKETS, strict=True))
    assert all(train.rate <= 2 * 20e6 for train in sent[1:])
    assert sum(train.count * train.size for train in sent) < 2e6
    for train in sent:
        assert train.size + 42 <= limits.MAX_DATAGRAM


def test_one_measurement_at_a_time_and_a_pause_after_it() -> None:
    lan, (a, b, c) = lan_of(3)
    run = start(a, b)
    with pytest.raises(ValueError, match="being measured"):
        start(a, b)
    carry(a, run, {b: Shaper(50.0)})
    with pytest.raises(ValueError, match="just now"):
        start(a, b)
    lan.run(limits.TRAIN_PAUSE)
    run = start(a, b)
    lan.run(0.01)
    with pytest.raises(ValueError, match="another node"):
        start(b, c)
    a.core.trains.end(run, lan.now)
    with pytest.raises(KeyError):
        b.core.trains.receiver.session = None
        b.core.trains.start(bytes(20), lan.now)


def test_nobody_there_and_a_node_that_stops_end_it() -> None:
    lan = SimulatedLan()
    a = lan.node()
    assert start(a).ended
    lan, (a, b) = lan_of(2)
    run = start(a, b)
    lan.run(0.1)
    a.leave()
    assert run.ended
    assert mbit(run, b) is None
    with pytest.raises(ValueError, match="switched off"):
        start(a, b)
    lan.run(5)


def say(node: Node, number: bytes, count: int = 64, size: int = 1000, key: bytes = bytes(32), target: bytes = bytes(20),
        ) -> None:
    """Let a node begin a train."""
    payload = number + target + count.to_bytes(4, "big") + size.to_bytes(2, "big") + commitment(key)
    node.core.outbox.multicast(Kind.TRAIN, LINK, payload)
    node.flush()


def end(node: Node, number: bytes, key: bytes = bytes(32)) -> None:
    node.core.outbox.multicast(Kind.TRAIN_END, LINK, number + key)
    node.flush()


def test_a_strangers_train_and_one_in_a_peers_name_are_nothing() -> None:
    lan, (a, b) = lan_of(2)
    payload = bytes(34) + commitment(bytes(32))
    lan.transmit(None, 4, ("10.0.0.77", 32110), None, Writer(identity_from("x"), 1).datagram(Kind.TRAIN, 4, payload))
    forged = bytearray(Writer(b.identity, 1).datagram(Kind.TRAIN, 4, payload))
    forged[113:121] = (10_000).to_bytes(8, "big")
    forged[-1] ^= 1
    lan.transmit(None, 4, b.address(), None, bytes(forged))
    lan.transmit(None, 4, ("10.0.0.77", 32110), None, bytes(forged))
    lan.run(1)
    assert a.core.trains.receiver.session is None
    assert (a.dropped("unknown_peer"), a.dropped("bad_signature"), a.dropped("unverified_path")) == (1, 1, 1)
    assert lan.of_kind(Kind.TRAIN_REPORT) == []


def test_a_train_for_somebody_else_is_nothing_to_us_and_one_that_never_ends_is_forgotten() -> None:
    lan, (a, b, c) = lan_of(3)
    say(a, b"12345678", target=b.identity.mid)
    lan.run(0.1)
    assert b.core.trains.receiver.session is not None
    assert c.core.trains.receiver.session is None
    lan.run(limits.TRAIN_LIFETIME)
    assert b.core.trains.receiver.session is None
    heard = [type(event) for _, event in b.history if isinstance(event, (TrainHeard, TrainOver))]
    assert heard == [TrainHeard, TrainOver]
    end(a, b"12345678")
    lan.run(0.5)
    assert lan.of_kind(Kind.TRAIN_REPORT) == []


def test_a_thousand_trains_begun_are_one_and_cost_no_more_than_their_budget() -> None:
    lan, (a, b) = lan_of(2)
    for i in range(1000):
        say(a, i.to_bytes(8, "big"))
    lan.run(0.5)
    assert [type(event) for _, event in b.history if isinstance(event, TrainHeard)] == [TrainHeard]
    assert b.core.counters.received["train"] <= limits.TRAINS_BURST + limits.TRAINS_PER_SECOND
    assert b.dropped("rate") > 900
    assert b.dropped("busy") >= limits.TRAINS_BURST - 1
    lan.run(20)
    assert b.knows(a)
    for i in range(60):
        say(a, (5000 + i).to_bytes(8, "big"))
        end(a, (5000 + i).to_bytes(8, "big"))
        lan.run(0.2)
    taken = len([event for _, event in b.history if isinstance(event, TrainHeard)]) - 1
    assert taken <= limits.TRAINS_TAKEN_BURST + 12 * limits.TRAINS_TAKEN_PER_SECOND + 1
    assert len(b.core.trains.receiver.reports) <= limits.TRAIN_REPORTS_REMEMBERED


@pytest.mark.parametrize(("count", "size"), [(0, 1000), (2**32 - 1, 1000), (64, 0), (64, 50), (64, 1359), (64, 65535)])
def test_impossible_trains_are_malformed(count: int, size: int) -> None:
    lan, (a, b) = lan_of(2)
    say(a, b"12345678", count, size)
    lan.run(0.1)
    assert b.core.trains.receiver.session is None
    assert b.dropped("malformed") == 1


def test_forged_packets_do_not_count_and_take_bounded_room() -> None:
    lan, (a, b) = lan_of(2)
    key, number = b"k" * 32, b"12345678"
    say(a, number, 100, 1000, key)
    lan.run(0.1)
    session = b.core.trains.receiver.session
    assert session is not None
    made = list(packets(key, number, 100, 1000))
    for i, packet in enumerate(made):
        forged = packet[:35] + bytes(16) + packet[51:]
        session.take(LINK, a.address()[0], forged, i, 0)
    for wrong in (made[0][:999], made[0] + b"x", PREFIX + bytes(977), PACKET_PREFIX + bytes(977), b"", made[0][:31]
                  + b"\xff" * 4 + made[0][35:]):
        session.take(LINK, a.address()[0], wrong, 0, 0)
    session.take((3, 4), a.address()[0], made[0], 0, 0)
    session.take(LINK, "10.0.0.77", made[0], 0, 0)
    assert session.refused == 8
    for i, packet in enumerate(made):
        session.take(LINK, a.address()[0], packet, 10_000_000 * i, 0)
        session.take(LINK, a.address()[0], packet, 10_000_000 * i + 1, 0)
    assert len(session.came) == limits.TRAIN_SPARE * 100
    end(a, number, b"wrong key".ljust(32))
    lan.run(0.1)
    assert b.core.trains.receiver.session is session
    end(a, number, key)
    lan.run(0.5)
    [report] = lan.of_kind(Kind.TRAIN_REPORT)
    assert int.from_bytes(report[129:133], "big") == 50  # The forged ones took the room of half of them.
    assert b.dropped("train_packet") >= 108


def test_packets_nobody_awaits_are_dropped() -> None:
    _, (a, b) = lan_of(2)
    for packet in packets(bytes(32), bytes(8), 20, 1358):
        b.receive(packet, Seen(LINK, True, a.address(), 1))
    b.receive(PACKET_PREFIX, Seen(LINK, True, a.address(), 1))
    b.receive(PREFIX, Seen(LINK, True, a.address(), 1))
    assert (b.dropped("train_packet"), b.dropped("malformed")) == (21, 1)


def report(node: Node, to: Node, number: bytes, numbers: tuple[int, int, int], span: int) -> None:
    """Let a node report what it likes."""
    payload = number + b"".join(value.to_bytes(4, "big") for value in numbers) + span.to_bytes(8, "big")
    peer = node.core.peers.get(to.identity.key)
    assert peer is not None
    node.core.outbox.to_peer(Kind.TRAIN_REPORT, peer, LINK, to.address(), payload)
    node.flush()


def test_reports_not_asked_for_second_or_too_early_are_unexpected() -> None:
    lan, (a, b, c) = lan_of(3)
    report(b, a, bytes(8), (64, 0, 64), 10**6)
    run = start(a, b)
    lan.run(0.2)
    [train] = trains(a)
    report(b, a, train.number, (64, 0, 64), 10**6)  # Not sent yet.
    lan.run(0.01)
    a.core.trains.sent(train, lan.now)
    a.flush()
    report(c, a, train.number, (64, 0, 64), 10**6)  # Not asked.
    report(b, a, b"x" * 8, (64, 0, 64), 10**6)
    lan.run(0.01)
    assert a.dropped("unexpected") == 4
    assert run.figures[b.identity.key] == []
    peer = b.core.peers.get(a.identity.key)
    assert peer is not None
    for size in (0, 7, 27, 29):
        b.core.outbox.to_peer(Kind.TRAIN_REPORT, peer, LINK, a.address(), bytes(size))
    b.flush()
    lan.run(0.01)
    assert a.dropped("malformed") == 4


@pytest.mark.parametrize(("numbers", "span"), [
    ((0, 0, 0), 0), ((64, 0, 64), 0), ((64, 0, 64), 1), ((2**32 - 1,) * 3, 1), ((2**32 - 1,) * 3, 2**64 - 1),
    ((64, 0, 7), 10**6), ((0, 2**32 - 1, 64), 10**3)])
def test_lies_are_unknown_or_a_figure_within_the_cap(numbers: tuple[int, int, int], span: int) -> None:
    lan, (a, b) = lan_of(2)
    lan.filter = lambda node, data: not (node is b and data[22] == Kind.TRAIN)
    run = start(a, b)
    answered = 0
    for _ in range(3000):
        lan.run(0.005)
        for train in trains(a)[answered:]:
            answered += 1
            a.core.trains.sent(train, lan.now)
            a.flush()
            report(b, a, train.number, numbers, span)
        if run.ended:
            break
    assert run.ended
    figure = mbit(run, b)
    assert figure is None or 0 < figure <= limits.MAX_TRAIN_RATE / 1e6
    assert all(limits.LEAST_TRAIN_RATE <= train.rate <= limits.MAX_TRAIN_RATE for train in trains(a))
    assert all(8 * train.size * train.count / train.rate < 2.0 for train in trains(a))
    assert sum(train.count for train in trains(a)) <= 64 + 768 + (1 + limits.TRAINS_AGAIN) * 3072


def test_nobody_received_more_than_was_sent() -> None:
    lan, (a, b) = lan_of(2)
    lan.filter = lambda node, data: not (node is b and data[22] == Kind.TRAIN)
    start(a, b)
    lan.run(0.2)
    [train] = trains(a)
    a.core.trains.sent(train, lan.now)
    report(b, a, train.number, (10**6, 0, 10**6), 10**7)
    lan.run(0.01)
    assert list(train.reports.values()) == [pytest.approx(8 * 64 * 1400 / 0.01)]


def test_a_rate_of_nothing_is_unknown() -> None:
    assert bits_per_second(7, 10**6, 1358, 4) is None
    assert bits_per_second(100, 0, 1358, 4) is None
    assert bits_per_second(1000, 10**9, 1358, 4) == pytest.approx(8 * 1000 * 1400)
    assert bits_per_second(1000, 10**9, 1358, 6) == pytest.approx(8 * 1000 * 1420)


def test_drops_of_our_own_socket_are_added() -> None:
    came = [Came(10**6 * i, i, b"", 3 * i) for i in range(100)]
    measured = measure(came, 1000)
    assert measured.received == 100
    assert measured.dropped == 297
    assert measured.counted / measured.span == pytest.approx(4e-6, rel=0.01)
    assert measure([], 10) == (0, 0, 0, 0)
    assert measure(came[:1], 10).counted == 0
    assert measure([Came(5, i, b"", 0) for i in range(50)], 50).counted == 0  # All at once: no clock to speak of.


def test_packets_that_come_in_any_order_count_once() -> None:
    key, number = b"k" * 32, b"12345678"
    made = [Came(i, int.from_bytes(data[31:35], "big"), data[35:51], 0)
            for i, data in enumerate(packets(key, number, 50, 100))]
    mixed = [*made, *made]
    Random(1).shuffle(mixed)
    assert genuine(mixed, key, number) == made
    assert genuine(mixed, b"x" * 32, number) == []


def test_reports_of_all_do_not_come_at_once() -> None:
    lan, nodes = lan_of(40)
    number = b"12345678"
    say(nodes[0], number)
    lan.run(0.1)
    end(nodes[0], number)
    lan.run(1)
    when = sorted(time for time, _, _, _, _, data in lan.wire if data[22] == Kind.TRAIN_REPORT)
    assert len(when) == 39
    assert when[-1] - when[0] > 0.02
    assert max(after - before for before, after in pairwise(when)) > LATENCY
