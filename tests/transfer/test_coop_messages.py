"""
The messages of cooperation: read as they were written, and whatever else comes off the wire is refused.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tribler_multicast.transfer.session.coop_limits import MAX_PACKETS_ASKED, MEMBERS_AGAIN
from tribler_multicast.transfer.session.coop_messages import (
    HELP,
    MID_SIZE,
    MIDS_EACH,
    Have,
    Help,
    Members,
    Want,
    content_of,
    cut_of,
    pack_account,
    pack_wants,
    read_account,
    read_wants,
    size_of,
)
from tribler_multicast.transfer.session.introducer import Introducer
from tribler_multicast.transfer.session.limits import MAX_CONTROL
from tribler_multicast.transfer.session.packets import KEY_SIZE, TAG_SIZE
from tribler_multicast.transfer.session.reports import Lacks, Run

from .session_lan import Content

GEOMETRY = Content(5 << 20).geometry
WANTS = [Want(0, 5), Want(1, 60, 0, 7), Want(40, 255, 3, (1 << 50) - 1), Want(GEOMETRY.generations - 1, 1)]


def help_of(*wants: Want) -> Help:
    return Help(bytes(32), GEOMETRY.k, GEOMETRY.symbol, b"t" * TAG_SIZE, b"k" * KEY_SIZE, 32111, 7, 1_000_000.0, True,
                False, True, 3, 77, list(wants))


def test_messages_are_read_as_they_were_written() -> None:
    made = help_of(*WANTS)
    assert Help.read(made.pack(GEOMETRY), GEOMETRY) == made
    members = Members(b"t" * TAG_SIZE, True, [bytes((each,)) * MID_SIZE for each in range(MIDS_EACH)])
    assert Members.read(members.pack()) == members
    assert len(members.pack()) <= MAX_CONTROL
    for lacks in (None, Lacks(0, 5, [Run(1, 2, 0)])):
        have = Have(bytes(32), lacks)
        assert Have.read(have.pack(), 5) == have
    assert read_account(pack_account(9, [1, 0, 300])) == (9, b"\x01\x00\xff")
    assert content_of(made.pack(GEOMETRY)) == bytes(32)
    assert cut_of(made.pack(GEOMETRY)) == (GEOMETRY.k, GEOMETRY.symbol)


def test_the_size_of_a_want_is_foretold() -> None:
    for want in WANTS:
        assert len(pack_wants([want], GEOMETRY)) == size_of(want, 0, GEOMETRY)


@pytest.mark.parametrize("bad", [
    help_of(Want(0, 5))._replace(k=32), help_of(Want(0, 5))._replace(symbol=15), help_of()._replace(number=0),
    help_of()._replace(proof=GEOMETRY.segments), help_of(Want(GEOMETRY.generations, 1)), help_of(Want(0, 0)),
    help_of(Want(0, 5, 0, (1 << 61) - 1)), help_of(Want(0, 5, 61, 0)), help_of(Want(1, 5, 0, 1 << 60)),
    help_of(*(Want(each, 250) for each in range(MAX_PACKETS_ASKED // 250 + 1))),
], ids=["k", "symbol", "number", "proof", "generation", "nothing", "whole", "rank", "symbol not there", "too much"])
def test_requests_for_what_cannot_be_are_refused(bad: Help) -> None:
    assert Help.read(bad.pack(Content(6 << 20).geometry), GEOMETRY) is None


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=80).map(lambda tail: help_of().pack(GEOMETRY) + tail)))
def test_rubbish_never_raises(payload: bytes) -> None:
    found = Help.read(payload, GEOMETRY)
    if found is not None:
        assert sum(want.packets for want in found.wants) <= MAX_PACKETS_ASKED
        assert all(0 <= want.rank < GEOMETRY.size(want.generation) for want in found.wants)
        assert Help.read(found.pack(GEOMETRY), GEOMETRY) == found
    Members.read(payload)
    Have.read(payload, GEOMETRY.segments)
    read_account(payload)
    content_of(payload)
    cut_of(payload)
    read_wants(payload[HELP.size:], GEOMETRY)


def test_newcomers_are_told_of_all_and_the_others_of_them() -> None:
    introducer = Introducer(b"t" * TAG_SIZE)
    a, b, c = (each * MID_SIZE for each in (b"a", b"b", b"c"))
    introducer.joined(a)
    introducer.joined(b)
    assert [(mid, message.is_all, message.mids) for mid, message in introducer.take(0.0)] == [
        (a, True, [b]), (b, True, [a])]
    introducer.joined(c)
    assert introducer.take(0.05) == [], "not so soon"
    due = introducer.next_timer()
    assert [(mid, message.is_all, message.mids) for mid, message in introducer.take(due)] == [
        (a, False, [c]), (b, False, [c]), (c, True, [a, b])]
    introducer.left(a)
    introducer.joined(a)
    assert {mid for mid, message in introducer.take(0.5) if message.mids == [a]} == {b, c}


def test_members_are_told_again_because_messages_get_lost() -> None:
    introducer = Introducer(b"t" * TAG_SIZE)
    for name in (b"a", b"b"):
        introducer.joined(name * MID_SIZE)
    told = 0
    for _ in range(20):
        due = introducer.next_timer()
        told += len(introducer.take(0.0 if due < 0 else due)) if due < 1000 else 0
    assert told == 2 * (1 + len(MEMBERS_AGAIN))


def test_many_members_take_several_messages() -> None:
    introducer = Introducer(b"t" * TAG_SIZE)
    for number in range(120):
        introducer.joined(number.to_bytes(MID_SIZE, "big"))
    told = [message for mid, message in introducer.take(0.0) if mid == bytes(MID_SIZE)]
    assert [message.is_all for message in told] == [True, False, False]
    assert sum(len(message.mids) for message in told) == 119
