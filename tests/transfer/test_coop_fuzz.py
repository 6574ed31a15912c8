"""
Whatever a verified peer says to one who cooperates: nothing raises, and what comes of it is bounded.
"""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.wire import Kind
from tribler_multicast.transfer.content.tree import HashTree
from tribler_multicast.transfer.session.coop_limits import MAX_CLIENTS, MAX_HELPERS
from tribler_multicast.transfer.session.coop_messages import Have, Help, Members, Sums, Want, pack_alarm
from tribler_multicast.transfer.session.cooperation import Cooperation, SourceCooperation
from tribler_multicast.transfer.session.limits import MAX_CONTROL
from tribler_multicast.transfer.session.packets import KEY_SIZE, TAG_SIZE
from tribler_multicast.transfer.session.rate import RateControl
from tribler_multicast.transfer.session.receiver import Receiver
from tribler_multicast.transfer.session.reports import Lacks, Run
from tribler_multicast.transfer.session.sender import Sender

from .coop_lan import CONTENT_ID, SOURCE
from .session_lan import KEY, TAG, Content

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT = Content(5 << 20)
GEOMETRY = CONTENT.geometry
KINDS = (Kind.MEMBERS, Kind.HELP, Kind.HAVE, Kind.SUMS, Kind.ALARM)


def valid(random: Random) -> tuple[Kind, bytes]:
    """Make something that may be said."""
    generations = sorted(random.sample(range(GEOMETRY.generations), random.randrange(1, 12)))
    wants = [Want(each, random.randrange(1, 80), random.choice((None, 0, 3)), 0) for each in generations]
    lacks = Lacks(0, GEOMETRY.segments, [Run(random.randrange(GEOMETRY.segments), 1, 0)])
    kind = random.choice(KINDS)
    made = {
        Kind.MEMBERS: Members(TAG, random.random() < 0.5, [random.randbytes(20) for _ in range(random.randrange(40))],
                              random.choice((None, True, False))).pack(),
        Kind.HELP: Help(CONTENT_ID, GEOMETRY.k, GEOMETRY.symbol, random.randbytes(TAG_SIZE), random.randbytes(KEY_SIZE),
                        random.randrange(1 << 16), random.randrange(1, 1 << 31), random.random() * 1e9,
                        random.random() < 0.5, random.random() < 0.5, random.random() < 0.5,
                        random.choice((None, 1)), random.randrange(1 << 31), wants).pack(GEOMETRY),
        Kind.HAVE: Have(CONTENT_ID, random.choice((None, lacks))).pack(),
        Kind.SUMS: Sums(TAG, random.randbytes(KEY_SIZE), [(each, random.randbytes(8 * GEOMETRY.size(each)))
                                                          for each in generations[:2] if GEOMETRY.size(each)]).pack(),
        Kind.ALARM: pack_alarm(TAG, lacks)}
    return kind, made[kind]


def spoilt(random: Random, payload: bytes) -> bytes:
    """Change some of it, cut it, or make it longer."""
    data = bytearray(payload)
    for _ in range(random.choice((0, 0, 1, 2, 8))):
        if data:
            data[random.randrange(len(data))] = random.randrange(256)
    if random.random() < 0.2:
        del data[random.randrange(len(data) + 1):]
    return bytes(data + random.randbytes(random.choice((0, 0, 0, 1, 40))))[:MAX_CONTROL + 10]


def said(random: Random) -> Iterator[tuple[Kind, bytes]]:
    while True:
        kind, payload = valid(random)
        yield random.choice((kind, kind, kind, random.choice(KINDS))), random.choice((
            payload, spoilt(random, payload), spoilt(random, payload), random.randbytes(random.randrange(200))))


def fuzz(seed: int, seconds: float, least: int) -> int:
    """Say things to a receiver and a source; gets how many."""
    random = Random(seed)
    tree = HashTree(GEOMETRY.segments, CONTENT.tree.root)
    receiver = Receiver(GEOMETRY, tree, tree.add, tag=TAG, keys=(KEY, bytes(KEY_SIZE)), random=random, now=0.0)
    coop = Cooperation(receiver, CONTENT_ID, b"me" * 10, port=1, random=random, now=0.0, source=SOURCE, checked=True)
    sender = Sender(GEOMETRY, CONTENT.tree, TAG, KEY, RateControl(0.0))
    source = SourceCooperation(sender, CONTENT_ID)
    mids = [SOURCE, *(random.randbytes(20) for _ in range(5))]
    for mid in mids:
        sender.join(mid, bytes(KEY_SIZE), 0.0, helps=True)
        source.joined(mid)
    end, count, now = time.monotonic() + seconds, 0, 0.0
    for kind, payload in said(random):
        mid = random.choice(mids) if random.random() < 0.95 else random.randbytes(20)
        coop.message_received(mid, kind, payload, now)
        source.message_received(mid, kind, payload, now)
        count += 1
        if not count % 50:
            now += 0.01
            coop.run_timers(now)
            assert all(len(message.payload) <= MAX_CONTROL for message in coop.take_messages())
            coop.take_batches(now)
            source.take_messages(now)
            sender.run_timers(now)
            sender.make(now, 32)
            for segment in (*coop.wanted(), *source.wanted(), *sender.wanted()):
                coop.give(segment, CONTENT.segments[segment])
                source.give(segment, CONTENT.segments[segment])
                sender.give(segment, CONTENT.segments[segment])
        if count >= least and time.monotonic() >= end:
            break
    assert len(coop.seeker.peers) <= MAX_HELPERS
    assert len(coop.helper.clients) <= MAX_CLIENTS
    assert not coop.checks.named
    return count


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_that_is_said_ever_raises(seed: int) -> None:
    assert fuzz(seed, 0.0, 4000) == 4000


@pytest.mark.soak
def test_nothing_that_is_said_in_ten_minutes_ever_raises() -> None:
    assert fuzz(int(time.time()), 600.0, 1) > 100_000
