"""The bytes of a stream: what is kept, what is gone, and who is told."""
from __future__ import annotations

import asyncio

import pytest

from tribler_multicast.streams.errors import GoneError
from tribler_multicast.streams.limits import BLOCK, MAX_BLOCKS, MAX_MARKS
from tribler_multicast.streams.log import StreamLog

KEPT = 4 * BLOCK


def read_all(log: StreamLog, position: int = 0) -> bytes:
    data = bytearray()
    while piece := log.read(position + len(data), 1000):
        data += piece
    return bytes(data)


def some(size: int, start: int = 0) -> bytes:
    return bytes(i * 7 % 251 for i in range(start, start + size))


def test_what_is_appended_in_any_pieces_is_read_as_one_stream() -> None:
    log, data, at = StreamLog(), some(3 * BLOCK + 17), 0
    for size in (1, 10, BLOCK - 5, BLOCK, 2 * BLOCK):
        log.append(data[at:at + size])
        at += size
    assert read_all(log) == data
    assert read_all(log, 12345) == data[12345:]
    assert log.edge == len(data)
    assert log.lost == 0


def test_only_the_newest_bytes_are_kept_whoever_reads() -> None:
    log = StreamLog(KEPT)
    for at in range(0, 100 * BLOCK, 1000):
        log.append(some(1000, at))
        assert log.size <= KEPT + BLOCK
    assert log.edge - log.first == log.size > KEPT - BLOCK
    assert read_all(log, log.first) == some(log.size, log.first)
    with pytest.raises(GoneError) as gone:
        log.read(0, 10)
    assert gone.value.next_position == log.first


def test_a_stream_that_loses_every_second_byte_takes_no_block_for_each() -> None:
    log = StreamLog(KEPT)
    for at in range(0, 4 * MAX_BLOCKS, 2):
        log.append_at(at, b"x")
    assert len(log._blocks) <= MAX_BLOCKS
    assert log.lost == 2 * MAX_BLOCKS - 1


def test_a_reader_is_told_of_a_gap_and_where_it_ends() -> None:
    log = StreamLog()
    log.append(b"before")
    log.append_at(100, b"after")
    assert log.read(0, 1000) == b"before"
    with pytest.raises(GoneError) as gone:
        log.read(6, 10)
    assert gone.value.next_position == 100
    assert read_all(log, 100) == b"after"
    assert log.lost == 94


def test_who_joins_late_begins_where_its_first_bytes_are_and_lost_nothing() -> None:
    log = StreamLog()
    log.append_at(5000, b"abc")
    assert (log.first, log.edge, log.lost) == (5000, 5003, 0)
    assert read_all(log, 5000) == b"abc"


def test_what_was_said_already_is_not_said_twice() -> None:
    log = StreamLog()
    log.append(b"abcdef")
    log.append_at(3, b"XXXghi")
    log.append_at(0, b"XXX")
    assert read_all(log) == b"abcdefghi"


def test_a_reader_goes_on_where_a_player_can_begin() -> None:
    log = StreamLog(KEPT)
    log.follow(lambda position, _: log.mark(position + 10))
    for at in range(0, 20 * BLOCK, BLOCK):
        log.append(some(BLOCK, at))
    with pytest.raises(GoneError) as gone:
        log.read(100, 10)
    assert gone.value.next_position == log.first + 10
    assert log.boundary(log.first + 11) == log.first + BLOCK + 10
    assert log.boundary(log.edge - 1) == log.edge
    assert log.newest_mark() == log.edge - BLOCK + 10


def test_marks_are_bounded() -> None:
    log = StreamLog()
    log.append(some(BLOCK))
    for at in range(2 * MAX_MARKS):
        log.mark(at)
    assert len(log._marks) <= MAX_MARKS
    assert log.newest_mark() == 2 * MAX_MARKS - 1


async def test_all_who_wait_hear_of_more_and_of_the_end() -> None:
    log = StreamLog()
    waiting = [asyncio.ensure_future(log.wait(0)) for _ in range(3)]
    await asyncio.sleep(0)
    log.append(b"x")
    assert await asyncio.gather(*waiting) == [True] * 3
    waiting = [asyncio.ensure_future(log.wait(1)) for _ in range(3)]
    await asyncio.sleep(0)
    log.end("the publisher is gone")
    assert await asyncio.gather(*waiting) == [False] * 3
    assert log.error == "the publisher is gone"
    log.append(b"late")
    assert log.edge == 1


async def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    log = StreamLog()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(log.wait(0), 0.01)
    assert not log._waiting


def test_who_follows_hears_of_each_append_with_its_position() -> None:
    log, heard = StreamLog(), []

    def follower(position: int, data: bytes) -> None:
        heard.append((position, data))

    log.follow(follower)
    log.append(b"ab")
    log.append_at(10, b"cd")
    log.unfollow(follower)
    log.append(b"ef")
    assert heard == [(0, b"ab"), (10, b"cd")]
