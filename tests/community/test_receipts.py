"""Receipts between real communities: signed by both, kept, shown again; forged, old and self-dealt ones are nothing."""
from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tribler_multicast import CodedTransferCommunity
from tribler_multicast.community.receipts import AGREE_MORE, RECEIPTS_BURST
from tribler_multicast.database import PeerDatabase, Traffic
from tribler_multicast.protocol.receipt import AGREED, SHOWN, TAKEN, Receipt, pack_receipt
from tribler_multicast.protocol.wire import Kind

from .test_coded import Recorder
from .test_multicast import Maker, make, until

if TYPE_CHECKING:
    from pathlib import Path

    from tribler_multicast import MulticastCommunity
    from tribler_multicast.database import PeerRecord

__all__ = ["make"]

MIB = 1 << 20


class Node(NamedTuple):
    multicast: MulticastCommunity
    coded: CodedTransferCommunity
    database: PeerDatabase

    def of(self, other: Node) -> PeerRecord:
        record = self.database.peer(other.multicast.my_peer.public_key.key_to_bin())
        assert record is not None
        return record

    def move(self, other: Node, *, up: int = 0, down: int = 0) -> None:
        """Count bytes as a transfer does, and write them down."""
        self.coded.count(other.mid, up=up, down=down)
        self.coded.crediting.write()

    @property
    def mid(self) -> bytes:
        return self.multicast.my_peer.mid

    def say(self, other: Node, verb: int, total: int, signature: bytes) -> None:
        assert self.coded.send(other.mid, Kind.RECEIPT, pack_receipt(verb, total, signature))


async def node(make: Maker, path: Path) -> Node:
    database = PeerDatabase.open(path, time.time())
    multicast = await make(database=database)
    coded = CodedTransferCommunity(CodedTransferCommunity.settings_class(multicast=multicast, service=Recorder))
    await coded.start()
    return Node(multicast, coded, database)


@pytest.fixture
async def two(make: Maker, tmp_path: Path) -> tuple[Node, Node]:
    a, b = [await node(make, tmp_path / f"{name}.db") for name in "ab"]
    await until(lambda: b.mid in a.coded.here and a.mid in b.coded.here)
    return a, b


def receipt_of(giver: Node, taker: Node, total: int) -> Receipt:
    return Receipt(giver.multicast.core.identity.key, taker.multicast.core.identity.key, total)


async def hand_over(giver: Node, taker: Node, total: int) -> None:
    """Have bytes given, and the receipt for all of them signed by both."""
    giver.move(taker, up=total - giver.of(taker).total_up)
    taker.move(giver, down=total - taker.of(giver).total_down)
    taker.coded.receipts.look()
    await until(lambda: taker.of(giver).receipt_taken == total)


async def test_what_was_taken_is_signed_by_both_and_kept_by_both(two: tuple[Node, Node]) -> None:
    a, b = two
    await hand_over(a, b, 5 * MIB)
    receipt = receipt_of(a, b, 5 * MIB)
    assert a.of(b).receipt_given == 5 * MIB
    assert receipt.is_taken(bytes.fromhex(a.of(b).receipt_given_signature))
    assert receipt.is_agreed(bytes.fromhex(b.of(a).receipt_taken_signature))
    assert (b.coded.standing(a.mid), a.coded.standing(b.mid)) == (5 * MIB, 0)
    await hand_over(a, b, 7 * MIB)
    assert a.of(b).receipt_given == 7 * MIB
    kept = PeerDatabase.open(a.database.path, time.time()).peer(a.of(b).public_key)
    assert kept is not None and kept.receipt_given == 7 * MIB


async def test_credit_is_spent_by_taking(two: tuple[Node, Node]) -> None:
    a, b = two
    await hand_over(a, b, 5 * MIB)
    b.move(a, up=3 * MIB)
    assert b.coded.standing(a.mid) == 2 * MIB
    b.move(a, up=9 * MIB)
    assert b.coded.standing(a.mid) == 0


async def test_who_sent_bad_data_has_no_credit(two: tuple[Node, Node]) -> None:
    a, b = two
    await hand_over(a, b, 5 * MIB)
    b.coded.set_named(a.mid)
    assert b.coded.standing(a.mid) == 0


async def test_a_receipt_that_got_lost_is_sent_again(two: tuple[Node, Node]) -> None:
    a, b = two
    a.move(b, up=MIB)
    b.move(a, down=MIB)
    received, a.coded.receipts.received = a.coded.receipts.received, lambda *_: None  # type: ignore[method-assign]
    b.coded.receipts.look()
    await until(lambda: a.multicast.counters()["received"].get("receipt"))
    a.coded.receipts.received = received  # type: ignore[method-assign]
    b.coded.receipts.look()
    await until(lambda: b.of(a).receipt_taken == MIB)
    b.coded.receipts.look()
    assert b.multicast.counters()["sent"]["receipt"] == 2  # and then no more


async def test_old_and_forged_receipts_have_no_effect(two: tuple[Node, Node]) -> None:
    a, b = two
    await hand_over(a, b, 5 * MIB)
    first = a.of(b).receipt_given_signature
    await hand_over(a, b, 6 * MIB)
    before = a.of(b), b.of(a)
    b.say(a, TAKEN, 5 * MIB, bytes.fromhex(first))  # a replay, by who signed it
    b.say(a, TAKEN, 7 * MIB, bytes.fromhex(first))  # another total under it
    b.say(a, TAKEN, 7 * MIB, receipt_of(b, a, 7 * MIB).sign_taken(b.multicast.core.identity))  # the other way round
    a.say(b, SHOWN, 5 * MIB, bytes.fromhex(first))
    a.say(b, SHOWN, 9 * MIB, receipt_of(a, b, 9 * MIB).sign_agreed(a.multicast.core.identity))  # signed by who gave
    a.say(b, AGREED, 9 * MIB, receipt_of(a, b, 9 * MIB).sign_agreed(a.multicast.core.identity))  # to what nobody took
    await until(lambda: sum(a.coded.receipts.counters.values()) + sum(b.coded.receipts.counters.values()) >= 10)
    assert (a.of(b), b.of(a)) == before
    assert a.coded.receipts.counters["receipt: old"] == 1
    assert a.coded.receipts.counters["receipt: forged"] == 2
    assert b.coded.receipts.counters["receipt: known"] == 1
    assert b.coded.receipts.counters["receipt: forged"] == 1
    assert b.coded.receipts.counters["receipt: not ours"] == 1


async def test_what_two_deal_with_each_other_is_nothing_to_a_third(two: tuple[Node, Node], make: Maker,
                                                                   tmp_path: Path) -> None:
    a, b = two
    third = await node(make, tmp_path / "third.db")
    await until(lambda: {a.mid, b.mid} <= third.coded.here.keys() and third.mid in a.coded.here)
    await hand_over(a, b, 500 * MIB)
    signature = bytes.fromhex(a.of(b).receipt_given_signature)
    a.say(third, SHOWN, 500 * MIB, signature)
    a.say(third, TAKEN, 500 * MIB, signature)
    a.say(third, SHOWN, 500 * MIB, receipt_of(a, third, 500 * MIB).sign_taken(a.multicast.core.identity))
    await until(lambda: sum(third.coded.receipts.counters.values()) == 3)
    assert third.coded.standing(a.mid) == third.coded.standing(b.mid) == 0
    assert (third.of(a).total_down, third.of(a).receipt_given) == (0, 0)


async def test_who_lost_its_memory_is_shown_what_it_signed_and_believes_its_own_signature(
        two: tuple[Node, Node]) -> None:
    a, b = two
    await hand_over(a, b, 5 * MIB)
    b.database._peers[a.multicast.my_peer.public_key.key_to_bin()] = b.of(a).__class__(
        **{**vars(b.of(a)), "total_down": 0, "receipt_taken": 0, "receipt_taken_signature": ""})
    assert b.coded.standing(a.mid) == 0
    state = a.multicast.core.peers.of_mid(b.mid)
    assert state is not None
    a.coded.receipts.meet(state)
    await until(lambda: b.coded.standing(a.mid) == 5 * MIB)
    b.coded.receipts.look()
    await until(lambda: b.of(a).receipt_taken == 5 * MIB)


async def test_more_than_was_given_is_not_agreed_to(two: tuple[Node, Node]) -> None:
    a, b = two
    total = AGREE_MORE + 1
    b.say(a, TAKEN, total, receipt_of(a, b, total).sign_taken(b.multicast.core.identity))
    await until(lambda: a.coded.receipts.counters["receipt: more than given"])
    assert a.of(b).receipt_given == 0


async def test_receipts_without_end_are_not_looked_at(two: tuple[Node, Node]) -> None:
    a, b = two
    for _ in range(30):
        b.say(a, TAKEN, 5, bytes(64))
    await until(lambda: sum(a.coded.receipts.counters.values()) == 30)
    assert a.coded.receipts.counters["receipt: forged"] <= RECEIPTS_BURST + 2
    assert a.coded.receipts.counters["receipt: too many"] >= 18


async def test_without_a_database_there_are_none(make: Maker, tmp_path: Path) -> None:
    a = await node(make, tmp_path / "a.db")
    multicast = await make()
    coded = CodedTransferCommunity(CodedTransferCommunity.settings_class(multicast=multicast, service=Recorder))
    await coded.start()
    await until(lambda: a.mid in coded.here and multicast.my_peer.mid in a.coded.here)
    assert a.coded.send(multicast.my_peer.mid, Kind.RECEIPT, pack_receipt(TAKEN, 5, bytes(64)))
    await until(lambda: coded.receipts.counters["receipt: not kept"])
    assert coded.standing(a.mid) == 0


def test_receipts_survive_a_restart_and_only_grow(tmp_path: Path) -> None:
    key = b"LibNaCLPK:" + bytes(64)
    database = PeerDatabase.open(tmp_path / "p.db", 1.0)
    database.set_local(key, nickname="", addresses=[], interface=None, rtt_ms=None, capabilities=[], now=1.0)
    database.add_traffic({key: Traffic(up=7, down=8)})
    database.set_receipt_given(key, 5, "ab")
    database.set_receipt_given(key, 4, "cd")
    database.set_receipt_taken(key, 6, "ef")
    database.set_total_down(key, 3)
    database.set_total_down(key, 9)
    database.set_receipt_given(b"LibNaCLPK:" + bytes(63) + b"\x01", 4, "cd")
    database.close()
    again = PeerDatabase.open(tmp_path / "p.db", 2.0).peer(key)
    assert again is not None
    assert (again.receipt_given, again.receipt_given_signature, again.receipt_taken, again.receipt_taken_signature,
            again.total_down, again.total_up) == (5, "ab", 6, "ef", 9, 7)
