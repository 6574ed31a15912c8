"""
Readers of a stream: where they begin, and what becomes of those that are slow; channels that nobody reads are left.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.videos import TYPES, decoded, video
from tribler_multicast.streams import streams as streams_module
from tribler_multicast.streams.channel import FIRST, Channel, Reader
from tribler_multicast.streams.errors import GoneError, ImpossibleError, StreamError, TooManyError
from tribler_multicast.streams.limits import BLOCK, MAX_WATCHED, PREROLL
from tribler_multicast.streams.local import LocalNetwork
from tribler_multicast.streams.log import StreamLog
from tribler_multicast.streams.network import OnAir
from tribler_multicast.streams.streams import Streams, checked_name, checked_type

if TYPE_CHECKING:
    from pathlib import Path


def channel_of(media_type: str, log: StreamLog) -> Channel:
    return Channel("ab", "x", media_type, log, lambda _: None)


async def rest(reader: Reader) -> bytes:
    data = bytearray()
    while part := await reader.read():
        data += part
    return bytes(data)


@pytest.mark.parametrize("ending", ["ts", "mp4", "webm"])
async def test_a_player_that_comes_late_begins_with_the_newest_picture_that_stands_alone(tmp_path: Path,
                                                                                       ending: str) -> None:
    data, log = video(ending, 6), StreamLog()
    reader = Reader(channel_of(TYPES[ending], log))
    half = len(data) // 2
    log.append(data[:half])
    mark = log.newest_mark()
    first = await reader.read(10)
    assert first == log.head
    log.append(data[half:])
    log.end()
    got = first + await rest(reader)
    assert got == log.head + data[mark:]
    assert decoded(got, tmp_path / f"got.{ending}") in (75, 100)


@pytest.mark.parametrize("ending", ["ts", "mp4", "webm"])
async def test_a_player_of_a_stream_that_begins_sees_all_of_it(tmp_path: Path, ending: str) -> None:
    data, log = video(ending, 2), StreamLog()
    reader = Reader(channel_of(TYPES[ending], log))
    reading = asyncio.ensure_future(rest(reader))
    for at in range(0, len(data), 5000):
        log.append(data[at:at + 5000])
        await asyncio.sleep(0)
    log.end()
    assert decoded(await reading, tmp_path / f"got.{ending}") == 50


@pytest.mark.parametrize("ending", ["ts", "mp4", "webm"])
async def test_a_player_that_was_paused_for_long_goes_on_where_it_can(tmp_path: Path, ending: str) -> None:
    data, log = video(ending, 12), StreamLog(BLOCK)
    channel = channel_of(TYPES[ending], log)
    reader = Reader(channel)
    log.append(data[:20_000])
    got = bytearray(await reader.read(1000))
    for at in range(20_000, len(data), 1000):
        log.append(data[at:at + 1000])
        assert log.size <= 3 * BLOCK
    log.end()
    later = await rest(reader)
    assert channel.skipped == reader.skipped > 0
    assert decoded(channel.scanner.head + later, tmp_path / f"got.{ending}") > 10
    assert len(got) + len(later) < len(data)


async def test_data_has_no_holes_and_sound_goes_on_behind_them() -> None:
    for media_type in ("application/json", ""):
        log = StreamLog()
        reader = Reader(channel_of(media_type, log))
        log.append(b"one")
        log.append_at(10, b"two")
        assert await reader.read() == b"one"
        with pytest.raises(GoneError):
            await reader.read()
    log = StreamLog()
    reader = Reader(channel_of("audio/mpeg", log))
    log.append(b"one")
    log.append_at(10, b"two")
    log.end()
    assert await rest(reader) == b"onetwo"
    assert reader.skipped == 7


async def test_sound_begins_a_little_before_the_edge_and_all_of_it_on_request() -> None:
    log = StreamLog()
    log.append(bytes(range(256)) * 1024)
    log.end()
    channel = channel_of("audio/mpeg", log)
    assert len(await rest(Reader(channel))) == PREROLL
    assert len(await rest(Reader(channel, FIRST))) == 256 * 1024


class Network(LocalNetwork):
    """
    Streams of others.
    """

    def __init__(self) -> None:
        super().__init__()
        self.watched: dict[str, StreamLog] = {}
        self.left: list[str] = []

    async def watch(self, stream_id: str) -> StreamLog:
        await asyncio.sleep(0)
        assert stream_id not in self.watched
        self.watched[stream_id] = StreamLog()
        return self.watched[stream_id]

    def leave(self, stream_id: str) -> None:
        del self.watched[stream_id]
        self.left.append(stream_id)

    def on_air(self) -> list[OnAir]:
        return [OnAir("a1", "theirs", "audio/mpeg", "b2")]


async def test_several_players_join_once_and_the_last_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "LINGER", 0.02)
    network = Network()
    told: list[str] = []
    streams = Streams(network, lambda _, **kwargs: told.append(kwargs["state"]))
    one, other = await asyncio.gather(streams.channel("a1"), streams.channel("a1"))
    assert one is other
    assert (one.name, one.media_type) == ("theirs", "audio/mpeg")
    with one.reading():
        assert streams.live
        with one.reading():
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.05)
        assert network.left == []
    assert not streams.live
    async with asyncio.timeout(10):
        while network.left != ["a1"]:
            await asyncio.sleep(0.01)
    assert told == ["joined", "left"]
    await streams.channel("a1")
    streams.close()
    assert network.left == ["a1", "a1"]


async def test_a_node_watches_no_more_streams_than_it_may() -> None:
    streams = Streams(Network())
    for number in range(MAX_WATCHED):
        await streams.channel(f"{number:02x}")
    with pytest.raises(TooManyError):
        await streams.channel("ff")
    streams.close()
    with pytest.raises(StreamError):
        streams.publish("x")


@pytest.mark.parametrize("name", ["", " ", "a\x00", "x" * 256, "a\u202eb", "\ud800", "a\nb\x1b"])
def test_a_name_that_cannot_be_shown_is_none(name: str) -> None:
    with pytest.raises(ImpossibleError):
        checked_name(name)


def test_names_and_types_are_written_one_way() -> None:
    assert checked_name("  my \n camera ") == "my camera"
    assert checked_type("Video/MP2T; codecs=x") == "video/mp2t"
    for wrong in ("video", "video/", "a/b/c", "video/x y", "x" * 70 + "/y"):
        with pytest.raises(ImpossibleError):
            checked_type(wrong)
