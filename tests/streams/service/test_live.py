"""Live streams between services, by real sockets and multicast on lo."""
from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.protocol.wire import Kind
from tribler_multicast.streams.errors import StreamError, UnknownStreamError
from tribler_multicast.streams.service import receiving

from .nodes import LiveNode, LiveWire, read_all, soon, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def wire(tmp_path: Path) -> AsyncIterator[LiveWire]:
    wire = LiveWire()
    yield wire
    for node in list(wire.nodes.values()):
        await node.stop()


@pytest.mark.asyncio
async def test_what_is_fed_is_what_others_read(wire: LiveWire, tmp_path: Path) -> None:
    source, *viewers = [LiveNode(wire, tmp_path / str(number)) for number in range(4)]
    publication = source.live.publish("camera", "video/mp2t")
    content = Random(1).randbytes(1_500_000)
    publication.log.append(content[:10_000])
    logs = [await soon(viewer.live.watch(publication.stream_id)) for viewer in viewers]
    for at in range(10_000, len(content), 20_000):
        await publication.ready()
        publication.log.append(content[at:at + 20_000])
        await asyncio.sleep(0.01)
    late = LiveNode(wire, tmp_path / "late")
    logs.append(await soon(late.live.watch(publication.stream_id)))
    assert 0 < logs[-1].first <= publication.log.edge
    publication.end()
    for log in logs:
        assert await read_all(log, log.first) == content[log.first:]
        assert log.error is None
        assert log.lost == 0


@pytest.mark.asyncio
async def test_what_gets_lost_is_had_again_and_what_is_said_may_get_lost(wire: LiveWire, tmp_path: Path) -> None:
    random = Random(3)
    wire.drops = lambda said: random.random() < 0.3
    source, *viewers = [LiveNode(wire, tmp_path / str(number)) for number in range(3)]
    publication = source.live.publish("radio", "audio/mpeg")
    logs = [await soon(viewer.live.watch(publication.stream_id)) for viewer in viewers]
    content = random.randbytes(300_000)
    for at in range(0, len(content), 5000):
        publication.log.append(content[at:at + 5000])
        await asyncio.sleep(0.005)
    await until(lambda: all(log.edge > 200_000 for log in logs))
    publication.end()
    for log in logs:
        assert await read_all(log, log.first) == content[log.first:]


@pytest.mark.asyncio
async def test_the_head_is_there_before_the_first_byte(wire: LiveWire, tmp_path: Path) -> None:
    source, viewer = [LiveNode(wire, tmp_path / str(number)) for number in range(2)]
    publication = source.live.publish("film", "video/mp4")
    publication.log.set_head(b"ftyp and moov" * 100)
    publication.log.append(bytes(50_000))
    await asyncio.sleep(0.5)
    log = await soon(viewer.live.watch(publication.stream_id))
    publication.log.append(bytes(50_000))
    assert await soon(log.wait(log.first))
    assert log.head == b"ftyp and moov" * 100


@pytest.mark.asyncio
async def test_what_is_on_air_is_told_to_who_asks_and_to_nobody_else(wire: LiveWire, tmp_path: Path) -> None:
    source, viewer, stranger = [LiveNode(wire, tmp_path / str(number)) for number in range(3)]
    wire.strangers.add((source.mid, stranger.mid))
    publication = source.live.publish("mine", "video/mp2t")
    await until(lambda: [each.name for each in viewer.live.on_air()] == ["mine"])
    [seen] = viewer.live.on_air()
    assert (seen.stream_id, seen.media_type, seen.mid) == (publication.stream_id, "video/mp2t", source.mid.hex())
    assert stranger.live.on_air() == []
    with pytest.raises(UnknownStreamError):
        await soon(stranger.live.watch(publication.stream_id))
    stranger.live.known[publication.descriptor.id] = viewer.live.known[publication.descriptor.id]
    with pytest.raises(StreamError, match="does not stream to this node"):
        await soon(stranger.live.watch(publication.stream_id))
    assert stranger.live.on_air() != []
    assert Kind.TUNED not in [said.kind for said in wire.said if said.receiver is stranger]
    publication.end()
    assert source.live.on_air() == []


@pytest.mark.asyncio
async def test_a_publisher_that_stops_is_not_waited_for(wire: LiveWire, tmp_path: Path) -> None:
    source, viewer = [LiveNode(wire, tmp_path / str(number)) for number in range(2)]
    publication = source.live.publish("mine", "")
    log = await soon(viewer.live.watch(publication.stream_id))
    publication.log.append(bytes(30_000))
    await soon(log.wait(0))
    source.live.close()
    await until(lambda: log.ended)
    assert log.error is not None
    viewer.live.leave(publication.stream_id)
    assert viewer.live.receptions == {}


@pytest.mark.asyncio
async def test_who_leaves_is_sent_nothing_more(wire: LiveWire, tmp_path: Path) -> None:
    source, viewer = [LiveNode(wire, tmp_path / str(number)) for number in range(2)]
    publication = source.live.publish("mine", "")
    await soon(viewer.live.watch(publication.stream_id))
    assert publication.source.viewers
    viewer.live.leave(publication.stream_id)
    await until(lambda: not publication.source.viewers)
    sent = publication.sent
    publication.log.append(bytes(30_000))
    await asyncio.sleep(0.5)
    assert publication.sent == sent


@pytest.mark.asyncio
async def test_what_goes_to_all_is_counted_as_given_to_each(wire: LiveWire, tmp_path: Path) -> None:
    source, *viewers = [LiveNode(wire, tmp_path / str(number)) for number in range(3)]
    publication = source.live.publish("mine", "")
    for viewer in viewers:
        await soon(viewer.live.watch(publication.stream_id))
    publication.log.append(bytes(200_000))

    def given(mid: bytes) -> int:
        return sum(up for who, up, _, _ in source.counted if who == mid)

    await until(lambda: all(given(viewer.mid) > 200_000 for viewer in viewers))
    for viewer in viewers:
        taken = sum(down for who, _, down, _ in viewer.counted if who == source.mid)
        assert taken <= given(viewer.mid)


@pytest.mark.asyncio
async def test_a_viewer_that_its_source_forgot_is_let_in_again(wire: LiveWire, tmp_path: Path) -> None:
    source, viewer = [LiveNode(wire, tmp_path / str(number)) for number in range(2)]
    publication = source.live.publish("mine", "")
    log = await soon(viewer.live.watch(publication.stream_id))
    content = Random(5).randbytes(200_000)
    publication.log.append(content[:50_000])
    await soon(log.wait(40_000))
    publication.untune(viewer.mid)
    for at in range(50_000, len(content), 5000):
        publication.log.append(content[at:at + 5000])
        await asyncio.sleep(0.04)
    publication.end()
    assert await read_all(log) == content


@pytest.mark.asyncio
async def test_a_source_that_is_killed_is_not_waited_for_long(wire: LiveWire, tmp_path: Path,
                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "SOURCE_GONE", 1.0)
    source, viewer = [LiveNode(wire, tmp_path / str(number)) for number in range(2)]
    publication = source.live.publish("mine", "")
    log = await soon(viewer.live.watch(publication.stream_id))
    publication.log.append(bytes(30_000))
    await soon(log.wait(0))
    wire.nodes.pop(source.mid)
    publication.source.viewers.clear()
    await until(lambda: log.ended)
    assert log.error == "nothing comes from its publisher any more"
    await source.stop()
