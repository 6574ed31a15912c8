"""The small parts: windows, budgets, timers, codecs."""
from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipv8.keyvault.crypto import default_eccrypto

from tribler_multicast.protocol.budget import BloomFilter, KeyedBuckets, Recent, TokenBucket
from tribler_multicast.protocol.handshake import PendingChallenges, Secrets
from tribler_multicast.protocol.identity import Identity, ipv8_key, mid_of, verify
from tribler_multicast.protocol.introduction import CAPABILITIES, Introduction, Service, clean_nickname
from tribler_multicast.protocol.limits import MAX_PENDING_CHALLENGES, PENDING_LIFETIME, REPLAY_WINDOW, SECRET_LIFETIME
from tribler_multicast.protocol.pace import challenge_delay, introduction_interval, next_introduction
from tribler_multicast.protocol.replay import ReplayWindow
from tribler_multicast.protocol.stamp import is_stamped, make_stamp, stamp_digest
from tribler_multicast.protocol.timers import Timers
from tribler_multicast.protocol.wire import Address, Kind, Reader, WireError, Writer, channel_of, is_signed, parse

from .simulated import Seen, identity_from


@given(st.lists(st.integers(0, 3 * REPLAY_WINDOW), max_size=300))
def test_window_accepts_each_number_once_and_none_from_long_ago(numbers: list[int]) -> None:
    window, seen, highest = ReplayWindow(), set[int](), -1
    for number in numbers:
        fresh = window.is_fresh(number)
        assert fresh == (number not in seen and number > highest - REPLAY_WINDOW)
        if fresh:
            window.add(number)
            seen.add(number)
            highest = max(highest, number)


def test_window_that_starts_somewhere_accepts_only_what_follows() -> None:
    window = ReplayWindow(100)
    assert not any(window.is_fresh(number) for number in range(101))
    assert window.is_fresh(101)
    window.add(103)
    assert window.is_fresh(102)
    assert not window.is_fresh(100)


@given(st.lists(st.floats(0, 0.5), max_size=200))
def test_bucket_never_gives_more_than_burst_and_rate(pauses: list[float]) -> None:
    bucket, now, given = TokenBucket(10.0, 5.0), 100.0, 0
    for pause in pauses:
        now += pause
        given += bucket.take(now)
    assert given <= 5 + (now - 100) * 10 + 1e-6


def test_bucket_gives_nothing_for_a_clock_that_steps_back() -> None:
    bucket = TokenBucket(10.0, 1.0)
    assert bucket.take(100.0)
    assert not bucket.take(50.0)
    assert not bucket.take(50.05)
    assert bucket.take(50.2)


def test_buckets_per_key_stay_bounded_and_forget_the_least_recent() -> None:
    buckets = KeyedBuckets(0.0, 1.0, 3)
    assert [buckets.take(key, 0.0) for key in "abc"] == [True, True, True]
    assert not buckets.take("a", 0.0)
    assert buckets.take("d", 0.0)
    assert len(buckets.buckets) == 3
    assert not buckets.take("a", 0.0)
    assert buckets.take("b", 0.0)


def test_bloom_filter_forgets_nobody_and_invents_few() -> None:
    random, bloom = Random(1), BloomFilter(1 << 16)
    inside = [(random.randrange(1 << 16), random.randrange(1 << 16)) for _ in range(2000)]
    for places in inside:
        bloom.add(places)
    assert all(places in bloom for places in inside)
    assert sum((random.randrange(1 << 16), random.randrange(1 << 16)) in bloom for _ in range(10_000)) < 100


def test_repetitions_are_known_until_there_were_too_many_others_or_too_much_time() -> None:
    random, recent = Random(1), Recent(1 << 16, 10, 5.0)
    me = random.getrandbits(128)
    assert [recent.seen(me, now) for now in (0.0, 0.0, 6.0, 10.0)] == [False, True, True, True]
    assert not recent.seen(me, 25.0)
    for _ in range(30):
        recent.seen(random.getrandbits(128), 25.0)
    assert not recent.seen(me, 25.0)


@given(st.binary(max_size=300))
def test_stamp_fits_its_datagram_and_no_other(data: bytes) -> None:
    stamp = make_stamp(data)
    assert is_stamped(stamp_digest(data, stamp))
    assert sum(is_stamped(stamp_digest(data + bytes((other,)), stamp)) for other in range(100)) <= 3


def test_no_stamp_can_be_foretold() -> None:
    assert len({make_stamp(b"same") for _ in range(10)}) == 10


def test_timers_run_in_order_and_cancelled_ones_never() -> None:
    timers, calls = Timers(), []
    timers.at(2.0, lambda _now: calls.append("second"))
    timers.at(1.0, lambda _now: calls.append("first"))
    timers.at(1.5, lambda _now: calls.append("never")).cancel()
    timers.at(1.0, lambda now: timers.at(now, lambda _now: calls.append("later")))
    assert timers.next() == 1.0
    timers.run(1.0)
    assert calls == ["first"]
    timers.run(5.0)
    assert calls == ["first", "later", "second"]
    assert timers.next() is None


def test_interval_keeps_the_sum_constant() -> None:
    assert introduction_interval(1, 5.0) == 5.0
    assert introduction_interval(49, 5.0) == 5.0
    assert introduction_interval(999, 5.0) == 100.0
    assert introduction_interval(100_000, 5.0) == 135.0
    random = Random(1)
    assert all(0.8 * 7 <= next_introduction(7.0, 7.0, random) <= 7 for _ in range(100))
    waves = [next_introduction(120.0, 5.0, random) for _ in range(1000)]
    assert 5 <= min(waves) < 10
    assert 110 < max(waves) <= 120
    assert 55 <= max(challenge_delay(5000, random) for _ in range(500)) <= 60
    assert max(challenge_delay(8, random) for _ in range(200)) <= 0.04
    assert challenge_delay(0, random) == 0.0


@st.composite
def introductions(draw: st.DrawFn) -> Introduction:
    family = st.sampled_from(((4, "10.1.2.3"), (6, "fe80::5"), (6, "2001:db8::1")))
    services = draw(st.lists(st.tuples(st.sampled_from(Service), family, st.integers(0, 65535)), max_size=6))
    return Introduction(draw(st.integers(2, 6000)) / 10, draw(st.frozensets(st.sampled_from(CAPABILITIES))),
                        draw(st.text("abc äöü€😀", max_size=10)).strip(),
                        tuple((service, Address(*address, port)) for service, address, port in services))


@given(introductions())
def test_introduction_survives_the_wire(introduction: Introduction) -> None:
    reader = Reader(introduction.pack())
    assert Introduction.read(reader) == introduction
    reader.end()


@given(st.binary(max_size=300))
def test_any_bytes_are_an_introduction_or_an_error(data: bytes) -> None:
    try:
        introduction = Introduction.read(Reader(data))
    except WireError:
        return
    assert introduction.nickname.isprintable()
    assert len(introduction.nickname.encode()) <= 64
    assert 0.2 <= introduction.interval <= 600


@given(st.binary(max_size=80))
def test_nickname_is_one_printable_line(raw: bytes) -> None:
    name = clean_nickname(raw)
    assert "\n" not in name
    assert name == name.strip()
    assert not any(character in name for character in "\u202e\u200b\x00\x1b")


def test_datagram_is_signed_and_every_bit_counts() -> None:
    data = Writer(identity_from("me"), 3).datagram(Kind.INTRODUCTION, channel_of(4, True), b"payload")
    assert is_signed(data)
    assert parse(data).payload == b"payload"
    assert (parse(data).epoch, parse(data).sequence) == (3, 1)
    for byte in range(len(data)):
        assert not is_signed(data[:byte] + bytes((data[byte] ^ 1,)) + data[byte + 1:]), byte


def test_signature_is_worth_nothing_to_another_protocol() -> None:
    identity = identity_from("me")
    public = identity.private_key.pub()
    assert not public.verify(identity.sign(b"x"), b"x")
    assert verify(identity.key, identity.sign(b"x"), b"x")
    assert not verify(bytes(64), identity.sign(b"x"), b"x")
    assert not verify(b"short", b"", b"")


def test_key_and_mid_are_those_of_ipv8() -> None:
    identity = identity_from("me")
    assert ipv8_key(identity.key) == identity.private_key.pub().key_to_bin()
    assert mid_of(identity.key) == identity.private_key.pub().key_to_hash()


def test_pair_key_is_the_same_on_both_sides_and_refuses_degenerate_keys() -> None:
    a, b, c = (identity_from(name) for name in "abc")
    assert a.pair_key(b.key) == b.pair_key(a.key)
    assert a.pair_key(b.key) != a.pair_key(c.key)
    assert a.pair_key(bytes(64)) is None


def test_only_curve25519_keys_will_do() -> None:
    with pytest.raises(ValueError, match="curve25519"):
        Identity(default_eccrypto.generate_key("medium"))


def test_pending_challenges_are_bounded_in_number_and_time() -> None:
    pending = PendingChallenges()
    for number in range(MAX_PENDING_CHALLENGES + 50):
        pending.start(number.to_bytes(64, "big"), (1, 4), ("10.0.0.1", 1), 0.0)
    assert len(pending) == len(pending.by_path) == MAX_PENDING_CHALLENGES
    last = pending.start(bytes(64), (1, 4), ("10.0.0.1", 1), 1.0)
    assert pending.get(last.nonce, 1.0 + PENDING_LIFETIME / 2) is last
    assert pending.get(last.nonce, 1.0 + PENDING_LIFETIME) is None
    assert not len(pending)
    assert not pending.by_path


def test_nonce_of_the_responder_fits_one_challenge_counts_once_and_expires() -> None:
    secrets = Secrets()
    here, there = Seen((1, 4), False, ("10.0.0.1", 5), 255), Seen((1, 4), False, ("10.0.0.1", 6), 255)
    header = parse(Writer(identity_from("me"), 3).datagram(Kind.CHALLENGE, 0x14, bytes(100)))
    nonce = secrets.nonce(here, header, bytes(16), 100.0)
    confirm = header._replace(guard=nonce, payload=bytes(64) + bytes(16))
    assert secrets.is_nonce(here, confirm, 101.0)
    assert secrets.is_nonce(here, confirm, 100.0 + SECRET_LIFETIME)
    assert not secrets.is_nonce(there, confirm, 101.0)
    assert not secrets.is_nonce(here, confirm._replace(epoch=4), 101.0)
    assert not secrets.is_nonce(here, confirm._replace(payload=bytes(64) + b"x" * 16), 101.0)
    late = Secrets()
    assert not late.is_nonce(here, confirm._replace(guard=late.nonce(here, header, bytes(16), 0.0)), 70.0)
    assert secrets.redeem(nonce, 101.0)
    assert not secrets.is_nonce(here, confirm, 101.0)
    assert not secrets.is_nonce(here, confirm, 101.0 + SECRET_LIFETIME)
