"""
Contents from node to node: whole files, folders, to many, in part, late, with loss.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tribler_multicast.protocol.wire import Kind
from tribler_multicast.transfer.content.source import Source
from tribler_multicast.transfer.errors import TransferError
from tribler_multicast.transfer.service import offers
from tribler_multicast.transfer.service.courier import Path as Way
from tribler_multicast.transfer.service.limits import HINTS_AT_ONCE
from tribler_multicast.transfer.service.transfer import ACTIVE
from tribler_multicast.transfer.session.messages import Offer
from tribler_multicast.transfer.session.receiver import Receiver

from ..trees import FOLDER, MIB, contents, make, some_bytes
from .nodes import ADDRESSES, LO, LO6, Node, Wire, done, soon, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tribler_multicast.transfer.service.publication import Publication
    from tribler_multicast.transfer.service.service import TransferService

    from .nodes import Said

    MakeNode = Callable[..., Node]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mkv"
    path.write_bytes(some_bytes(5 * MIB + 77))
    return path


async def started(*nodes: Node) -> None:
    for each in nodes:
        await each.start()


async def offered(node: Node, path: Path, **options: Any) -> Publication:  # noqa: ANN401
    assert node.service is not None
    return await soon(node.service.publish(path, **options))


async def fetched(node: Node, publication: Publication, output: Path | None = None) -> Path:
    """Receive all of it, and get where it is."""
    assert node.service is not None
    transfer = await node.service.receive(publication.content_id, output or node.home)
    await done(transfer)
    assert transfer.progress == 1.0
    return transfer.path


async def test_file_gets_to_another_node_with_the_third_datagram(node: MakeNode, wire: Wire, film: Path) -> None:
    source, sink = node("source"), node("sink")
    await started(source, sink)
    publication = await offered(source, film)
    path = await fetched(sink, publication)
    assert path == sink.home / "film.mkv"
    assert path.read_bytes() == film.read_bytes()
    assert wire.kinds()[:2] == ["JOIN", "ACCEPT"]
    assert wire.kinds().index("REPORT") == 2
    await until(lambda: publication.finished == 1)
    assert publication.uploaded < 1.1 * publication.size


async def test_who_asked_in_vain_is_told_when_it_is_offered_and_need_not_wait_for_its_next_question(
        node: MakeNode, wire: Wire, film: Path) -> None:
    source, sink = node("source"), node("sink")
    await started(source, sink)
    assert sink.service is not None
    transfer = await sink.service.receive(Source.publish(film).content.id, sink.home)
    await until(lambda: wire.kinds().count("REFUSE") >= 6)
    before = len(wire.said)
    await offered(source, film)
    await done(transfer)
    after = [said for said in wire.said[before:] if said.kind.name in {"OFFER", "JOIN", "ACCEPT"}]
    offer = next(number for number, said in enumerate(after) if said.kind.name == "OFFER")
    assert [(said.kind.name, said.sender) for said in after[offer:offer + 3]] == [
        ("OFFER", source), ("JOIN", sink), ("ACCEPT", source)]


async def test_offers_that_nobody_waits_for_are_not_looked_at(node: MakeNode, film: Path) -> None:
    source, sink = node("source"), node("sink")
    await started(source, sink)
    publication = await offered(source, film)
    offer = Offer(False, 0, publication.manifest.pack()).pack()
    source.send(sink.mid, Kind.OFFER, offer)
    assert sink.service is not None
    await until(lambda: sink.service is not None and sink.service.counters["offer: not asked for"])
    transfer = await sink.service.receive(bytes(32), sink.home)
    await until(lambda: any(said.kind == Kind.REFUSE for said in source.wire.said))
    for _ in range(2 * HINTS_AT_ONCE):
        source.send(sink.mid, Kind.OFFER, offer)
    await until(lambda: sink.service is not None
                and sink.service.counters["offer: not asked for"] >= HINTS_AT_ONCE)
    assert transfer.state == "waiting"


async def test_file_gets_the_name_that_is_asked_for(node: MakeNode, film: Path) -> None:
    source, sink = node("source"), node("sink")
    await started(source, sink)
    path = await fetched(sink, await offered(source, film), sink.home / "other name")
    assert path == sink.home / "other name"
    assert path.read_bytes() == film.read_bytes()


async def test_folder_arrives_with_all_that_is_in_it(node: MakeNode, tmp_path: Path) -> None:
    source, sink = node("source"), node("sink")
    await started(source, sink)
    publication = await offered(source, make(tmp_path / "album", FOLDER))
    path = await fetched(sink, publication)
    assert contents(path) == FOLDER
    assert sink.service is not None
    transfer = next(iter(sink.service.transfers.values()))
    files = {name: (start, size) for name, start, size in transfer.files or ()}
    assert files.keys() == {name for name, content in FOLDER.items() if content is not None}
    start, size = files["a/b/deep"]
    assert await soon(transfer.read(start, size)) == FOLDER["a/b/deep"]


@pytest.mark.parametrize("what", [b"", b"x", {}, {"empty": b""}, {"none": None}])
async def test_even_next_to_nothing_arrives(node: MakeNode, tmp_path: Path, what: bytes | dict[str, Any]) -> None:
    source, sink = node("source"), node("sink")
    await started(source, sink)
    path = tmp_path / "little"
    if isinstance(what, bytes):
        path.write_bytes(what)
    else:
        make(path, what)
    publication = await offered(source, path)
    result = await fetched(sink, publication)
    assert (result.read_bytes() if isinstance(what, bytes) else contents(result)) == what
    await until(lambda: publication.finished == 1)


async def test_two_thousand_small_files_arrive(node: MakeNode, tmp_path: Path) -> None:
    source, sink = node("source"), node("sink")
    await started(source, sink)
    files: dict[str, bytes | None] = {f"folder {number % 7}/{number}": some_bytes(2000, number)
                                      for number in range(2000)}
    publication = await offered(source, make(tmp_path / "many", files))
    assert contents(await fetched(sink, publication)) == files


async def test_three_receivers_share_one_stream(node: MakeNode, film: Path) -> None:
    source, *sinks = (node(name) for name in ("source", "one", "two", "three"))
    await started(source, *sinks)
    publication = await offered(source, film, wait_for=3)
    paths = await asyncio.gather(*(fetched(sink, publication) for sink in sinks))
    assert {path.read_bytes() for path in paths} == {film.read_bytes()}
    await soon(publication.wait_finished(3))
    assert publication.uploaded < 1.2 * publication.size
    assert source.service is not None
    serving = next(iter(source.service.transfers.values()))
    assert (serving.role, serving.total_up) == ("source", publication.uploaded)


async def test_with_fewer_receivers_than_expected_data_flows_after_a_while(node: MakeNode, film: Path) -> None:
    source, sink = node("source"), node("sink")
    await started(source, sink)
    publication = await offered(source, film, wait_for=5)
    assert (await fetched(sink, publication)).read_bytes() == film.read_bytes()


async def test_who_joins_late_gets_what_it_missed(node: MakeNode, tmp_path: Path) -> None:
    source, early, late = node("source", transfer_rate=6_000_000), node("early"), node("late")
    await started(source, early)
    path = tmp_path / "film.mkv"
    path.write_bytes(some_bytes(8 * MIB))
    publication = await offered(source, path)
    assert early.service is not None
    first = await early.service.receive(publication.content_id, early.home)
    await until(lambda: first.progress > 0.3)
    await late.start()
    assert (await fetched(late, publication)).read_bytes() == path.read_bytes()
    assert (await done(first)).path.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("receivers", [1, 3])
async def test_what_gets_lost_is_repaired(node: MakeNode, film: Path, monkeypatch: pytest.MonkeyPatch,
                                          receivers: int) -> None:
    random, take = Random(1), Receiver.batch_received
    lost = 0

    def lossy(receiver: Receiver, data: memoryview, size: int, count: int, now: float) -> None:
        nonlocal lost
        for at in range(0, len(data), size):
            if random.random() < 0.1:
                lost += 1
            else:
                take(receiver, data[at:at + size], size, 1, now)

    monkeypatch.setattr(Receiver, "batch_received", lossy)
    source, *sinks = (node(str(name)) for name in range(1 + receivers))
    await started(source, *sinks)
    publication = await offered(source, film, wait_for=receivers)
    paths = await asyncio.gather(*(fetched(sink, publication) for sink in sinks))
    assert {path.read_bytes() for path in paths} == {film.read_bytes()}
    assert lost > 0.05 * receivers * publication.size / 1344
    assert publication.uploaded < 1.8 * publication.size


async def test_control_messages_get_lost_and_it_arrives_all_the_same(node: MakeNode, wire: Wire, film: Path) -> None:
    random = Random(3)
    wire.drops = lambda said: random.random() < 0.4
    source, sink = node("source"), node("sink")
    await started(source, sink)
    assert (await fetched(sink, await offered(source, film))).read_bytes() == film.read_bytes()


@pytest.mark.parametrize("lost", ["OFFERS_WANTED", "OFFER"])
async def test_question_or_answer_that_gets_lost_is_said_again_before_the_next_round(
        node: MakeNode, wire: Wire, film: Path, lost: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "ASK_AGAIN", 1000.0)
    source, sink = node("source"), node("sink")
    await started(source, sink)
    publication = await offered(source, film)
    wire.drops = lambda said: said.kind.name == lost and wire.kinds().count(lost) == 1
    assert sink.service is not None
    found = await soon(sink.service.wait_offer())
    assert found.manifest.content.id == publication.content_id
    assert wire.kinds().count(lost) == 2


async def test_lost_accept_gets_the_same_keys_again(node: MakeNode, wire: Wire, film: Path) -> None:
    source, sink = node("source"), node("sink")
    await started(source, sink)
    accepts: list[bytes] = []

    def drops(said: Said) -> bool:
        if said.kind.name == "ACCEPT":
            accepts.append(said.payload)
            return len(accepts) == 1
        return False

    wire.drops = drops
    await fetched(sink, await offered(source, film))
    assert len(accepts) == 2
    assert accepts[0] == accepts[1]


async def test_accept_that_comes_twice_in_one_breath_is_one(node: MakeNode, wire: Wire, film: Path) -> None:
    source, sink = node("source"), node("sink")
    await started(source, sink)

    def twice(said: Said) -> bool:
        if said.kind.name == "ACCEPT":
            asyncio.get_running_loop().call_soon(wire.deliver, said)
        return False

    wire.drops = twice
    await fetched(sink, await offered(source, film))
    assert sink.service is not None
    assert sink.service.counters["accept: again"] == 1
    assert wire.kinds().count("JOIN") == 1


async def test_receivers_meet_in_one_session_whichever_family_they_ask_by(node: MakeNode, wire: Wire,
                                                                          film: Path) -> None:
    source, *sinks = nodes = [node(name) for name in ("source", "one", "two", "three")]
    for each, links in zip(nodes, ([LO6, LO], [LO6], [LO], [LO, LO6]), strict=True):
        each.links = links
    await started(*nodes)
    sinks[0].links = [LO6, LO]
    publication = await offered(source, film, wait_for=3)
    paths = await asyncio.gather(*(fetched(sink, publication) for sink in sinks))
    assert {path.read_bytes() for path in paths} == {film.read_bytes()}
    assert publication.uploaded < 1.2 * publication.size
    assert len({said.link for said in wire.said if said.kind.name == "ACCEPT"}) == 1


async def test_receivers_meet_as_soon_as_they_can(node: MakeNode, film: Path) -> None:
    source, *sinks = nodes = [node(name, transfer_rate=2_000_000) for name in ("source", "one", "two")]
    links = {sinks[0].mid: [LO6], sinks[1].mid: [LO]}
    source.paths = lambda mid: [Way(link, ADDRESSES[link]) for link in links[mid]]  # type: ignore[method-assign]
    for each in nodes:
        each.links = [LO, LO6]
    await started(*nodes)
    publication = await offered(source, film)
    transfers = [await service_of(sink).receive(publication.content_id, sink.home) for sink in sinks]
    await until(lambda: len(publication.sessions) == 2)
    links[sinks[0].mid].append(LO)
    await until(lambda: [len(each.receivers) for each in publication.sessions.values() if each.receivers] == [2])
    source.options["transfer_rate"] = 0
    for transfer in transfers:
        assert (await done(transfer)).path.read_bytes() == film.read_bytes()


def service_of(node: Node) -> TransferService:
    assert node.service is not None
    return node.service


async def test_network_that_swallows_multicast_gets_it_by_unicast(node: MakeNode, film: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_DATA", "SENDER_SILENT"):
        monkeypatch.setattr(f"tribler_multicast.transfer.service.incoming.{name}", 0.6)
    # On lo there is no way for multicast of IPv6.
    source, *sinks = nodes = [node(name, cooperate=False) for name in ("source", "one", "two")]
    for each in nodes:
        each.links = [LO6]
    await started(*nodes)
    publication = await offered(source, film, wait_for=2)
    paths = await asyncio.gather(*(fetched(sink, publication) for sink in sinks))
    assert {path.read_bytes() for path in paths} == {film.read_bytes()}
    assert publication.uploaded > 1.9 * publication.size


async def test_several_contents_arrive_side_by_side(node: MakeNode, tmp_path: Path) -> None:
    source, sink = node("source"), node("sink")
    await started(source, sink)
    files = [tmp_path / f"{number}.bin" for number in range(3)]
    for number, file in enumerate(files):
        file.write_bytes(some_bytes(2 * MIB, number))
    publications = [await offered(source, file) for file in files]
    paths = await asyncio.gather(*(fetched(sink, publication) for publication in publications))
    assert [path.read_bytes() for path in paths] == [file.read_bytes() for file in files]


async def test_weight_is_the_share_of_the_link(node: MakeNode, tmp_path: Path) -> None:
    source, sink = node("source", transfer_rate=4_000_000), node("sink")
    await started(source, sink)
    assert sink.service is not None
    publications = []
    for name, weight in (("light", 1.0), ("heavy", 4.0)):
        (tmp_path / name).write_bytes(some_bytes(8 * MIB, len(name)))
        publications.append(await offered(source, tmp_path / name, weight=weight))
    for publication in publications:
        await sink.service.receive(publication.content_id, sink.home)
    light, heavy = publications
    await until(lambda: heavy.uploaded > 4 * MIB)
    assert heavy.uploaded > 2.5 * light.uploaded


async def test_received_content_is_offered_in_turn(node: MakeNode, film: Path) -> None:
    source, second, third = node("source"), node("second"), node("third")
    await started(source, second, third)
    publication = await offered(source, film)
    await fetched(second, publication)
    await source.stop()
    assert (await fetched(third, publication)).read_bytes() == film.read_bytes()


async def test_one_shot_receiver_offers_nothing(node: MakeNode, film: Path) -> None:
    source, sink = node("source"), node("sink", remembers=False)
    await started(source, sink)
    await fetched(sink, await offered(source, film))
    assert sink.service is not None
    assert not sink.service.publications


async def test_who_waits_gets_it_when_somebody_publishes_it(node: MakeNode, film: Path) -> None:
    source, sink, other = node("source"), node("sink"), node("other", remembers=False)
    await started(source, sink, other)
    publication = await offered(other, film)
    assert sink.service is not None
    assert other.service is not None
    await other.service.unpublish(publication.content_id)
    transfer = await sink.service.receive(publication.content_id, sink.home)
    await until(lambda: sink.service is not None and sink.service.counters["refuse: unknown"] >= 2)
    assert (transfer.state, transfer.name) == ("waiting", None)
    await offered(source, film)
    assert (await done(transfer)).path.read_bytes() == film.read_bytes()


async def test_same_content_to_the_same_place_is_the_same_transfer(node: MakeNode, film: Path) -> None:
    source, sink = node("source", transfer_rate=2_000_000), node("sink")
    await started(source, sink)
    publication = await offered(source, film)
    assert await offered(source, film) is publication
    assert sink.service is not None
    first = await sink.service.receive(publication.content_id, sink.home)
    assert await sink.service.receive(publication.content_id, sink.home) is first
    with pytest.raises(TransferError, match="is being received to"):
        await sink.service.receive(publication.content_id, sink.home / "elsewhere")
    await done(first)
    again = await sink.service.receive(publication.content_id, sink.home)
    assert again is not first
    assert (await done(again)).path == first.path, "known, and not received again"
    assert again.total_down == 0


async def test_bytes_are_read_as_they_arrive(node: MakeNode, film: Path) -> None:
    source, sink = node("source", transfer_rate=6_000_000), node("sink")
    await started(source, sink)
    publication = await offered(source, film)
    assert sink.service is not None
    transfer = await sink.service.receive(publication.content_id, sink.home)
    data = film.read_bytes()
    last = asyncio.ensure_future(transfer.read(len(data) - 10, 100))
    found = b""
    states = set()
    while part := await soon(transfer.read(len(found), 300_000)):
        found += part
        states.add(transfer.state)
    assert found == data
    assert ACTIVE in states, "before it is done"
    assert await soon(last) == data[-10:]
    await done(transfer)


async def test_states_and_progress_are_told(node: MakeNode, film: Path) -> None:
    source, sink = node("source", transfer_rate=3_000_000), node("sink")
    await started(source, sink)
    await fetched(sink, await offered(source, film))
    states = [state for _, state, _ in sink.events]
    assert list(dict.fromkeys(states)) == ["active", "done"]
    shares = [progress for _, _, progress in sink.events]
    assert shares == sorted(shares)
    assert any(0 < share < 1 for share in shares)
    await until(lambda: "done" in [state for _, state, _ in source.events])


async def test_offers_are_found(node: MakeNode, film: Path, tmp_path: Path) -> None:
    source, second, sink = node("source"), node("second"), node("sink")
    await started(source, second, sink)
    assert sink.service is not None
    first = asyncio.ensure_future(sink.service.wait_offer())
    publication = await offered(source, film)
    await offered(second, film)
    await offered(second, make(tmp_path / "album", FOLDER))
    assert (await soon(first)).manifest.content.id == publication.content_id
    found = {each.manifest.content.name: set(each.mids) for each in await soon(sink.service.offers(0.5))}
    assert found == {"film.mkv": {source.mid, second.mid}, "album": {second.mid}}
    [only] = await soon(sink.service.offers(20, publication.content_id))
    assert only.manifest.content.name == "film.mkv"


async def test_rate_of_a_receiver_is_kept(node: MakeNode, film: Path) -> None:
    source, sink = node("source"), node("sink")
    await started(source, sink)
    publication = await offered(source, film)
    assert sink.service is not None
    begin = asyncio.get_running_loop().time()
    transfer = await sink.service.receive(publication.content_id, sink.home, rate=3_000_000)
    await done(transfer)
    taken = asyncio.get_running_loop().time() - begin
    assert transfer.total_down / taken < 3_300_000


async def test_settings_limit_the_rate_and_0_lifts_it(node: MakeNode, film: Path) -> None:
    source, sink = node("source", transfer_rate=300_000), node("sink")
    await started(source, sink)
    publication = await offered(source, film)
    assert sink.service is not None
    transfer = await sink.service.receive(publication.content_id, sink.home)
    await until(lambda: transfer.total_down > 300_000)
    assert transfer.state == "active"
    source.options["transfer_rate"] = 0
    await done(transfer)
