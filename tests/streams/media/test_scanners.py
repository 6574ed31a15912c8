"""
Places where players can begin, in videos that ffmpeg made, and in what hostile streams make of them.
"""
from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.videos import FORMATS, TYPES, decoded, video
from tribler_multicast.streams.limits import MAX_BOX, MAX_HEAD
from tribler_multicast.streams.media.mpegts import PACKET, TsScanner
from tribler_multicast.streams.media.scanner import Scanner, guess, scanner_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tribler_multicast.streams.media.cut import Cut

ENDINGS = sorted(FORMATS)
SECONDS = 6


@pytest.fixture(scope="module")
def made() -> Callable[[str], bytes]:
    """Videos, each made once."""
    known: dict[str, bytes] = {}

    def make(ending: str) -> bytes:
        if ending not in known:
            known[ending] = video(ending, SECONDS)
        return known[ending]

    return make


def scan(scanner: Scanner, data: bytes, size: int, position: int = 0) -> list[Cut]:
    return [cut for at in range(0, len(data), size) for cut in scanner.feed(position + at, data[at:at + size])]


def scanner(ending: str) -> Scanner:
    found = scanner_for(TYPES[ending])
    assert found is not None
    return found


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_player_that_begins_at_a_place_decodes_all_from_there(made: Callable[[str], bytes], tmp_path: Path,
                                                                ending: str) -> None:
    data, looking = made(ending), scanner(ending)
    assert guess(data[:1000]) == TYPES[ending]
    cuts = scan(looking, data, 1316)
    assert SECONDS <= len(cuts) <= SECONDS + 1, "one for each second"
    for number, cut in enumerate(cuts[:SECONDS]):
        pictures = decoded(looking.head + data[cut.position:], tmp_path / f"part.{ending}")
        assert abs(pictures - 25 * (SECONDS - number)) <= 1
    times = [cut.time for cut in cuts]
    assert all(0.9 < later - earlier < 1.1 for earlier, later in pairwise(times))


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("size", [1, 187, 188, 10_000, 10**7])
def test_the_places_are_the_same_in_whatever_pieces_a_stream_comes(made: Callable[[str], bytes], ending: str,
                                                                   size: int) -> None:
    data = made(ending)[:100_000]
    assert scan(scanner(ending), data, size) == scan(scanner(ending), data, 1000)


@pytest.mark.parametrize("ending", ENDINGS)
def test_after_a_gap_the_next_place_is_found_and_no_false_one(made: Callable[[str], bytes], ending: str) -> None:
    data = made(ending)
    whole = scan(scanner(ending), data, 1000)
    chance = random.Random(3)
    for _ in range(20):
        begin = chance.randrange(1000, len(data) // 2)
        end = begin + chance.randrange(1, 20_000)
        looking = scanner(ending)
        cuts = scan(looking, data[:begin], 1000) + scan(looking, data[end:], 1000, end)
        assert set(cuts) <= set(whole)
        assert {cut for cut in whole if cut.position >= end + 2 * PACKET} <= set(cuts)


@pytest.mark.parametrize("ending", ENDINGS)
def test_who_joins_late_finds_places_with_a_head_from_elsewhere(made: Callable[[str], bytes], tmp_path: Path,
                                                                ending: str) -> None:
    data, first, late = made(ending), scanner(ending), scanner(ending)
    whole = scan(first, data, 1000)
    late.adopt(first.head)
    middle = whole[3].position - 5000
    cuts = scan(late, data[middle:], 1000, middle)
    assert cuts == whole[3:]
    assert decoded(late.head + data[cuts[0].position:], tmp_path / f"part.{ending}") >= 25 * (SECONDS - 3) - 1


def held(looking: Scanner) -> int:
    return sum(len(value) for value in vars(looking).values() if isinstance(value, bytes))


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_a_hostile_stream_makes_a_scanner_hold_is_bounded(made: Callable[[str], bytes], ending: str) -> None:
    chance = random.Random(5)
    data = bytearray(made(ending))
    for _ in range(30):
        for _ in range(200):
            data[chance.randrange(len(data))] = chance.randrange(256)
        looking = scanner(ending)
        at = 0
        while at < len(data):
            size = chance.randrange(1, 5000)
            looking.feed(at, bytes(data[at:at + size]))
            assert held(looking) <= MAX_BOX + 2 * MAX_HEAD + 5000
            at += size


@given(st.sampled_from(ENDINGS), st.lists(st.tuples(st.integers(0, 300), st.binary(max_size=600)), max_size=20))
@examples(max_examples=300, deadline=None)
def test_any_bytes_make_places_within_what_came_and_no_error(ending: str, parts: list[tuple[int, bytes]]) -> None:
    looking, position = scanner(ending), 0
    for gap, part in parts:
        position += gap if gap > 250 else 0
        for cut in looking.feed(position, part):
            assert 0 <= cut.position < position + len(part)
        position += len(part)


@given(st.binary(max_size=400))
def test_any_first_bytes_are_guessed_at_without_an_error(first: bytes) -> None:
    assert guess(first) in {"", "video/mp2t", "video/mp4", "video/webm", "audio/ogg", "audio/flac", "audio/mpeg",
                            "audio/wav", "audio/aac"}


UNKNOWN = b"\x01" + b"\xff" * 7


def element(name: str, body: bytes, size: bytes = b"") -> bytes:
    """An element of WebM."""
    return bytes.fromhex(name) + (size or bytes((0x80 | len(body),))) + body


def cluster(time: int, blocks: list[tuple[int, bool]]) -> bytes:
    """A cluster of blocks, each of a track, with whether it stands alone."""
    return element("1f43b675", element("e7", time.to_bytes(2, "big")) + b"".join(
        element("a3", bytes((0x80 | track, 0, 0, 0x80 * alone)) + b"picture or sound" * 4)
        for track, alone in blocks), UNKNOWN)


def recorded(*clusters: tuple[int, list[tuple[int, bool]]]) -> bytes:
    """What a browser makes of a camera: track 1 has pictures, 2 sound."""
    tracks = b"".join(element("ae", element("d7", bytes((each,))) + element("83", bytes((each,)))) for each in (1, 2))
    return (element("1a45dfa3", b"") + element("18538067", element("1654ae6b", tracks), UNKNOWN)
            + b"".join(cluster(*each) for each in clusters))


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_a_cluster_whose_first_picture_needs_others_is_no_place_to_begin(size: int) -> None:
    sound = (2, True)
    data = recorded((0, [(1, True), sound]), (250, [sound, (1, False), (1, True)]), (500, [sound, sound]),
                    (1000, [sound, (1, True), (1, False)]), (1250, [(1, False)]))
    assert [cut.time for cut in scan(scanner("webm"), data, size)] == [0, 1]


def test_a_cluster_of_sound_without_end_is_no_place_and_takes_no_memory() -> None:
    data = recorded((0, [(1, True)]), (1000, [(2, True)] * 5000), (2000, [(1, True)]))
    looking = scanner("webm")
    assert [cut.time for cut in scan(looking, data, 1000)] == [0, 2]
    assert held(looking) <= 2 * MAX_HEAD + 2000


def packet(pid: int, payload: bytes, flags: int = 0) -> bytes:
    """A packet of MPEG-TS with which something begins; flags make room for a field of them."""
    field = bytes((1, flags)) if flags else b""
    head = bytes((0x47, 0x40 | pid >> 8, pid & 255, 0x30 if field else 0x10)) + field
    return (head + payload).ljust(PACKET, b"\xff")


def test_tables_that_lead_nowhere_are_read_without_an_error() -> None:
    chance = random.Random(9)
    for _ in range(2000):
        looking = TsScanner()
        looking.feed(0, b"".join(packet(chance.choice((0, 1, 0x100)), chance.randbytes(180), chance.choice((0, 0x40)))
                                 for _ in range(4)) * 2)


def test_sound_alone_can_begin_each_half_second() -> None:
    def stamp(seconds: float) -> bytes:
        ticks = int(seconds * 90_000)
        return bytes((0, 0, 1, 0xc0, 0, 0, 0x80, 0x80, 5, 0x21 | ticks >> 29 & 0x0e, ticks >> 22 & 255,
                      ticks >> 14 & 0xfe | 1, ticks >> 7 & 255, ticks << 1 & 0xfe | 1))

    pat = packet(0, b"\0" + bytes((0, 0xb0, 13, 0, 1, 0xc1, 0, 0, 0, 1, 0xe1, 0)) + bytes(4))
    pmt = packet(0x100, b"\0" + bytes((2, 0xb0, 18, 0, 1, 0xc1, 0, 0, 0xe1, 1, 0xf0, 0, 0x0f, 0xe1, 1, 0xf0, 0))
                 + bytes(4))
    sound = [packet(0x101, stamp(number / 10)) for number in range(20)]
    cuts = TsScanner().feed(0, pat + pmt + b"".join(sound) + packet(0x1fff, b""))
    assert [round(cut.time, 1) for cut in cuts] == [0.0, 0.5, 1.0, 1.5]
