"""What is said around coded transfers, among hostile peers: who is heard, and how often."""
from __future__ import annotations

from random import Random

import pytest

from tribler_multicast.protocol.limits import (
    ALL_CODED_BURST,
    ALL_CODED_PER_SECOND,
    ALL_RANKS_BURST,
    ALL_RANKS_PER_SECOND,
    CODED_BURST,
    CODED_PER_SECOND,
    MAX_CODED_PAYLOAD,
    MAX_OFFERS,
    RANKS_BURST,
    RANKS_PER_SECOND,
)
from tribler_multicast.protocol.pair_seal import seal_for_pair
from tribler_multicast.protocol.wire import (
    CODED_KINDS,
    RANK_KINDS,
    Kind,
    Writer,
)

from .befriending import meet
from .carried import KINDS, LINK, OPEN, SECRET, heard, say, send, written
from .simulated import identity_from


@pytest.mark.parametrize("kind", KINDS)
def test_by_multicast_none_of_them_is_heard(kind: Kind) -> None:
    lan, (a, b) = meet()
    b.core.outbox.multicast(kind, LINK, SECRET)
    b.flush()
    lan.run(0.01)
    assert (heard(a), a.dropped("wrong_channel")) == ([], 1)


@pytest.mark.parametrize("kind", KINDS)
def test_unsealed_none_of_them_is_heard(kind: Kind) -> None:
    lan, (a, b) = meet()
    assert send(a, b, Kind.OFFERS_WANTED, b"")
    say(b, a, kind, sealed=False)
    lan.run(0.01)
    assert (heard(a), a.dropped("not_sealed")) == ([], 1)


@pytest.mark.parametrize("kind", OPEN)
def test_recordings_are_heard_once(kind: Kind) -> None:
    lan, (a, b) = meet()
    say(b, a, kind)
    [recorded] = lan.of_kind(kind)
    for _ in range(3):
        lan.transmit(None, 4, b.address(), a.address(), recorded)
    lan.run(0.01)
    assert (len(heard(a)), a.dropped("replay")) == (1, 3)


def test_what_was_recorded_before_a_restart_is_worth_nothing_after_it() -> None:
    lan, (a, b) = meet()
    say(b, a, Kind.JOIN)
    [recorded] = lan.of_kind(Kind.JOIN)
    lan.run(0.01)
    a.leave()
    lan.run(1)
    a.boot()
    lan.run(3)
    assert a.knows(b)
    lan.transmit(None, 4, b.address(), a.address(), recorded)
    lan.run(0.01)
    assert heard(a) == [(b.identity.mid, Kind.JOIN, SECRET)], "that of before the restart"


@pytest.mark.parametrize("kind", KINDS)
def test_strangers_are_not_heard_and_verified_first(kind: Kind) -> None:
    lan, (a, _) = meet()
    stranger = Writer(identity_from("stranger"), 1)
    lan.transmit(None, 4, ("10.0.0.77", 32110), a.address(), stranger.datagram(kind, 0x34, seal_for_pair(bytes(32),
                                                                                                    SECRET)))
    lan.run(0.1)
    assert heard(a) == []
    assert [target for *_, target, wire in lan.wire if wire[22] == Kind.CHALLENGE][:1] == [("10.0.0.77", 32110)]


@pytest.mark.parametrize(("offset", "reason"), [(30, "bad_guard"), (105, "old_epoch"), (130, "bad_guard"),
                                               (-1, "bad_signature")])
def test_a_forged_byte_anywhere_is_found(offset: int, reason: str) -> None:
    lan, (a, b) = meet()
    b.boot()
    lan.run(3)
    data = bytearray(written(b, a, Kind.JOIN))
    if offset == 105:
        data[105:113] = bytes(8)
    else:
        data[offset] ^= 1
    before = a.dropped(reason)
    lan.transmit(None, 4, b.address(), a.address(), bytes(data))
    lan.run(0.01)
    assert (heard(a), a.dropped(reason)) == ([], before + 1)


def test_a_seal_that_is_none_is_dropped() -> None:
    lan, (a, b) = meet()
    peer = b.core.peers.get(a.identity.key)
    assert peer is not None
    for sealed in (b"", bytes(39), bytes(200), seal_for_pair(bytes(32), SECRET)):
        data = b.core.outbox.writer.datagram(Kind.JOIN, 0x34, sealed, pair_key=peer.pair_key)
        lan.transmit(None, 4, b.address(), a.address(), data)
    lan.run(0.01)
    assert (heard(a), a.dropped("bad_seal")) == ([], 4)


def test_what_is_too_long_is_dropped_though_it_fits_into_a_datagram() -> None:
    lan, (a, b) = meet()
    say(b, a, Kind.REPORT, bytes(MAX_CODED_PAYLOAD + 1))
    lan.run(0.01)
    assert (heard(a), a.dropped("oversize")) == ([], 1)


def test_from_an_address_that_is_not_verified_it_counts_only_after_that_is() -> None:
    lan, (a, b) = meet()
    data = written(b, a, Kind.JOIN)
    lan.transmit(None, 4, ("10.0.0.99", 32110), a.address(), data)
    lan.run(0.2)
    assert heard(a) == []
    assert [target for *_, target, wire in lan.wire if wire[22] == Kind.CHALLENGE][:1] == [("10.0.0.99", 32110)]


def test_an_offer_from_another_address_uses_up_nothing() -> None:
    lan, (a, b) = meet()
    assert send(a, b, Kind.OFFERS_WANTED, b"")
    lan.transmit(None, 4, ("10.0.0.99", 32110), a.address(), written(b, a, Kind.OFFER))
    lan.run(0.05)
    assert heard(a) == []
    assert a.core.coded.asked[b.identity.key].left == MAX_OFFERS


@pytest.mark.parametrize(("kind", "rate", "burst"), [(Kind.JOIN, CODED_PER_SECOND, CODED_BURST),
                                                    (Kind.REPORT, RANKS_PER_SECOND, RANKS_BURST)])
def test_a_flood_of_one_peer_is_checked_within_its_budget_and_leaves_the_rest_of_it_alone(
        kind: Kind, rate: float, burst: float) -> None:
    lan, (a, b) = meet()
    for _ in range(3):
        for _ in range(1000):
            say(b, a, kind)
        lan.run(1)
    assert burst <= len(heard(a)) <= burst + 3 * rate
    assert a.dropped("rate") == 3000 - len(heard(a))
    assert a.knows(b)
    other = Kind.REPORT if kind == Kind.JOIN else Kind.JOIN
    say(b, a, other)
    lan.run(0.01)
    assert heard(a)[-1][1] == other, "reports and the rest have budgets of their own"


def test_other_kinds_share_one_budget() -> None:
    lan, (a, b) = meet()
    for kind in sorted(CODED_KINDS - RANK_KINDS - {Kind.OFFER}) * 50:
        say(b, a, kind)
    lan.run(0.01)
    assert CODED_BURST <= len(heard(a)) <= CODED_BURST + 1


@pytest.mark.parametrize(("kind", "every", "most"), [
    (Kind.LEAVE, CODED_BURST, ALL_CODED_BURST + ALL_CODED_PER_SECOND),
    (Kind.REPORT, RANKS_BURST, ALL_RANKS_BURST + ALL_RANKS_PER_SECOND)])
def test_floods_of_many_peers_are_checked_within_the_budget_of_all(
        kind: Kind, every: float, most: float, monkeypatch: pytest.MonkeyPatch) -> None:
    lan, (a, *others) = meet(6)
    monkeypatch.setattr(a.core.gate.all_coded, "burst", 100.0)
    monkeypatch.setattr(a.core.gate.all_rank_reports, "burst", 100.0)
    a.core.gate.all_coded.tokens = a.core.gate.all_rank_reports.tokens = 100.0
    for node in others:
        for _ in range(int(every)):
            say(node, a, kind)
    lan.run(0.01)
    assert 100 <= len(heard(a)) <= 130 < 5 * every < most
    assert a.dropped("rate") == 5 * int(every) - len(heard(a))


def test_offers_of_many_leave_room_for_what_else_is_said() -> None:
    lan, (a, b) = meet()
    for _ in range(10):
        assert send(a, b, Kind.OFFERS_WANTED, b"")
        for _ in range(MAX_OFFERS):
            say(b, a, Kind.OFFER)
        lan.run(0.1)
    offers = len(heard(a))
    assert offers < 200
    say(b, a, Kind.ACCEPT)
    lan.run(0.01)
    assert len(heard(a)) == offers + 1


def test_no_bytes_make_taking_them_in_raise() -> None:
    lan, (a, b) = meet()
    random = Random(8)
    recorded = [written(b, a, kind) for kind in KINDS]
    for _ in range(3000):
        data = bytearray(random.choice(recorded))
        for place in random.sample(range(len(data)), random.randrange(1, 4)):
            data[place] ^= random.randrange(1, 256)
        a.core.datagram_received(bytes(data[:random.randrange(len(data))]) if random.random() < 0.3 else bytes(data),
                                 type("Seen", (), {"link": LINK, "multicast": False, "source": b.address(),
                                                   "hop_limit": 255})(), lan.now)
    a.flush()
    assert heard(a) == []
