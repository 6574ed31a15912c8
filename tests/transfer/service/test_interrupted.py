"""
Paused, cancelled, closed in the middle, restarted, and what goes wrong with files and disks meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.transfer.errors import ContentError
from tribler_multicast.transfer.service import remembered

from ..trees import MIB, some_bytes
from .nodes import Node, Wire, done, soon, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tribler_multicast.transfer.service.publication import Publication
    from tribler_multicast.transfer.service.service import TransferService
    from tribler_multicast.transfer.service.transfer import Transfer

    MakeNode = Callable[..., Node]

SLOW = 6_000_000


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mkv"
    path.write_bytes(some_bytes(6 * MIB))
    return path


class Pair:
    """
    A source that is slow enough to be interrupted, and a sink in the middle of it.
    """

    def __init__(self, source: Node, sink: Node) -> None:
        self.source, self.sink = source, sink

    async def begin(self, film: Path, output: Path | None = None, share: float = 0.2) -> Transfer:
        """Get a transfer of which some is here."""
        await self.source.start()
        await self.sink.start()
        self.publication: Publication = await soon(self.source_service.publish(film))
        transfer = await self.sink_service.receive(self.publication.content_id, output or self.sink.home)
        await until(lambda: transfer.progress >= share)
        return transfer

    @property
    def source_service(self) -> TransferService:
        assert self.source.service is not None
        return self.source.service

    @property
    def sink_service(self) -> TransferService:
        assert self.sink.service is not None
        return self.sink.service

    def again(self) -> Transfer:
        """Get the transfer of the sink as it is now."""
        [transfer] = [each for each in self.sink_service.transfers.values() if each.role == "receiver"]
        return transfer


@pytest.fixture
def pair(node: MakeNode) -> Pair:
    return Pair(node("source", transfer_rate=SLOW), node("sink"))


async def test_paused_transfer_waits_and_goes_on(pair: Pair, film: Path) -> None:
    transfer = await pair.begin(film)
    pair.sink_service.pause(transfer.id)
    assert transfer.state == "paused"
    await until(lambda: not pair.publication.receivers)
    before = transfer.progress
    pair.sink_service.resume(transfer.id)
    await done(transfer)
    assert before > 0
    assert transfer.path.read_bytes() == film.read_bytes()
    assert transfer.total_down < 1.3 * len(film.read_bytes()), "what was here did not come again"


async def test_pause_and_resume_in_one_breath(pair: Pair, film: Path) -> None:
    transfer = await pair.begin(film)
    for _ in range(3):
        pair.sink_service.pause(transfer.id)
        pair.sink_service.resume(transfer.id)
    await done(transfer)
    assert transfer.path.read_bytes() == film.read_bytes()


async def test_paused_source_sends_nothing_until_it_goes_on(pair: Pair, film: Path) -> None:
    transfer = await pair.begin(film)
    [serving] = pair.source_service.transfers.values()
    pair.source_service.pause(serving.id)
    await until(lambda: transfer.state == "waiting" and pair.source_service.counters["join: refused (full)"])
    sent = pair.publication.uploaded
    assert serving.state == "paused"
    pair.source_service.resume(serving.id)
    await done(transfer)
    assert pair.publication.uploaded > sent


async def test_removed_transfer_leaves_what_came(pair: Pair, film: Path) -> None:
    transfer = await pair.begin(film)
    await pair.sink_service.remove(transfer.id)
    await soon(transfer.wait())
    assert not pair.sink_service.transfers
    assert {path.name for path in pair.sink.home.iterdir()} == {"film.mkv.part", "film.mkv.part.state"}
    await until(lambda: not pair.publication.receivers)


async def test_removed_and_deleted_transfer_leaves_nothing(pair: Pair, film: Path) -> None:
    transfer = await pair.begin(film)
    await pair.sink_service.remove(transfer.id, delete=True)
    assert not list(pair.sink.home.iterdir())


async def test_whole_result_is_never_deleted(pair: Pair, film: Path) -> None:
    transfer = await pair.begin(film)
    await done(transfer)
    await pair.sink_service.remove(transfer.id, delete=True)
    assert transfer.path.read_bytes() == film.read_bytes()


@pytest.mark.parametrize("remembers", [True, False])
async def test_closed_node_goes_on_after_a_restart(node: MakeNode, film: Path, remembers: bool) -> None:
    pair = Pair(node("source", transfer_rate=SLOW), node("sink", remembers=remembers))
    before = await pair.begin(film, share=0.4)
    received = before.total_down
    await pair.sink.stop()
    await pair.sink.start()
    if not remembers:
        await pair.sink_service.receive(pair.publication.content_id, pair.sink.home)
    transfer = pair.again()
    await done(transfer)
    assert transfer.path.read_bytes() == film.read_bytes()
    assert received + transfer.total_down < 1.25 * len(film.read_bytes()), "what was here did not come again"


async def test_paused_transfer_is_paused_after_a_restart(pair: Pair, film: Path) -> None:
    transfer = await pair.begin(film)
    pair.sink_service.pause(transfer.id)
    await pair.sink.stop()
    await pair.sink.start()
    again = pair.again()
    assert (again.id, again.state, again.name) == (transfer.id, "paused", "film.mkv")
    pair.sink_service.resume(again.id)
    await done(again)


async def test_restarted_publisher_is_joined_again(pair: Pair, film: Path) -> None:
    transfer = await pair.begin(film)
    await pair.source.stop()
    await until(lambda: transfer.state == "waiting")
    await pair.source.start()
    assert set(pair.source_service.publications) == {pair.publication.content_id}
    await done(transfer)
    assert transfer.path.read_bytes() == film.read_bytes()


async def test_publisher_that_goes_without_a_word_is_joined_again(pair: Pair, wire: Wire, film: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tribler_multicast.transfer.service.incoming.SENDER_SILENT", 1.0)
    transfer = await pair.begin(film)
    wire.drops = lambda said: said.kind.name in ("FINISH", "REPORT", "LEAVE")
    await pair.source.stop()
    await until(lambda: transfer.state == "waiting")
    wire.drops = lambda said: False
    await pair.source.start()
    await done(transfer)
    assert transfer.path.read_bytes() == film.read_bytes()


async def test_neighbour_that_is_gone_is_sent_nothing_more(pair: Pair, film: Path) -> None:
    await pair.begin(film)
    pair.source_service.neighbour_gone(pair.sink.mid)
    assert not pair.publication.receivers


async def test_link_that_goes_and_comes_back(pair: Pair, film: Path) -> None:
    transfer = await pair.begin(film)
    up = pair.sink.up
    for each in (pair.source, pair.sink):
        each.up = None
    pair.source_service.links_changed()
    pair.sink_service.links_changed()
    await until(lambda: transfer.state == "waiting")
    for each in (pair.source, pair.sink):
        each.up = up
    await done(transfer)


@pytest.mark.parametrize("how", ["changed", "deleted"])
async def test_file_that_changes_under_its_publisher_ends_it_with_one_error(pair: Pair, film: Path, how: str) -> None:
    transfer = await pair.begin(film)
    pair.source.options["transfer_rate"] = 500_000
    if how == "deleted":
        film.unlink()
    else:
        film.write_bytes(some_bytes(6 * MIB, 2))
    await until(lambda: pair.publication.error)
    assert pair.publication.error == f"{film} was changed or deleted since it was offered"
    [serving] = pair.source_service.transfers.values()
    assert (serving.state, serving.error) == ("failed", pair.publication.error)
    await until(lambda: transfer.state == "waiting")
    await until(lambda: pair.sink_service.counters["finish: changed"])
    assert not (pair.sink.home / "film.mkv").exists()


async def test_changed_file_is_not_offered_after_a_restart(pair: Pair, film: Path) -> None:
    await pair.begin(film)
    await pair.source.stop()
    film.write_bytes(some_bytes(6 * MIB, 2))
    await pair.source.start()
    [publication] = pair.source_service.publications.values()
    assert publication.error == f"{film} was changed or deleted since it was offered"
    assert (await soon(pair.source_service.publish(film))).error is None, "under its new id"


async def test_folder_that_is_not_there_can_not_be_published(node: MakeNode, tmp_path: Path) -> None:
    source = node("source")
    service = await source.start()
    with pytest.raises(ContentError, match="cannot offer"):
        await service.publish(tmp_path / "nothing")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MiB."""
    with mounted(tmp_path / "small disk", "size=16m") as folder:
        yield folder


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    if os.environ.get("TM_NAMESPACE") != "1":
        pytest.skip("mounts a disk, which takes a namespace of our own")
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


async def test_content_that_does_not_fit_the_disk_is_refused_at_once(pair: Pair, small_disk: Path,
                                                                     film: Path) -> None:
    (small_disk / "others").write_bytes(bytes(12 * MIB))
    await pair.source.start()
    await pair.sink.start()
    publication = await soon(pair.source_service.publish(film))
    transfer = await pair.sink_service.receive(publication.content_id, small_disk)
    await soon(transfer.wait())
    assert transfer.state == "failed"
    assert transfer.error is not None
    assert "no room on the disk for film.mkv" in transfer.error
    assert [path.name for path in small_disk.iterdir()] == ["others"]
    (small_disk / "others").unlink()
    pair.sink_service.resume(transfer.id)
    await done(transfer)
    assert transfer.path.read_bytes() == film.read_bytes()


async def test_disk_that_gets_full_meanwhile_is_waited_for(pair: Pair, small_disk: Path, tmp_path: Path) -> None:
    # Small files get no room in advance.
    album = tmp_path / "album"
    album.mkdir()
    for number in range(60):
        (album / f"{number}").write_bytes(some_bytes(MIB // 10, number))
    transfer = await pair.begin(album, small_disk)
    with (small_disk / "others").open("wb") as others, pytest.raises(OSError, match="space"):
        while True:
            others.write(bytes(65536))
            others.flush()
    await until(lambda: transfer.state == "paused")
    assert transfer.error is not None
    assert "no room" in transfer.error.lower() or "space" in transfer.error.lower()
    await until(lambda: not pair.publication.receivers)
    (small_disk / "others").unlink()
    await done(transfer)
    assert {path.name: path.read_bytes() for path in transfer.path.iterdir()} \
        == {path.name: path.read_bytes() for path in album.iterdir()}


async def test_name_that_is_taken_is_an_error_in_one_line(pair: Pair, film: Path) -> None:
    await pair.source.start()
    await pair.sink.start()
    publication = await soon(pair.source_service.publish(film))
    taken = pair.sink.home / "mine"
    taken.write_bytes(b"mine")
    transfer = await pair.sink_service.receive(publication.content_id, taken)
    await soon(transfer.wait())
    assert (transfer.state, transfer.error) == ("failed", f"{taken} exists already, and is something else")
    assert taken.read_bytes() == b"mine"
    again = await pair.sink_service.receive(publication.content_id, taken)
    assert again is transfer, "tried again"
    await until(lambda: again.state == "failed")


async def test_name_that_is_taken_at_the_last_moment_loses_nothing(pair: Pair, film: Path) -> None:
    taken = pair.sink.home / "mine"
    transfer = await pair.begin(film, taken)
    taken.write_bytes(b"mine")
    await soon(transfer.wait())
    assert transfer.state == "failed"
    assert transfer.error is not None
    assert "exists already" in transfer.error
    assert taken.read_bytes() == b"mine"
    taken.unlink()
    before = pair.publication.uploaded
    pair.sink_service.resume(transfer.id)
    await done(transfer)
    assert taken.read_bytes() == film.read_bytes()
    assert pair.publication.uploaded < before + 1000, "all of it was here, but for what keeps a session alive"


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "read-only disk", "ro") as folder:
        yield folder


async def test_target_that_can_not_be_written_is_an_error_in_one_line(pair: Pair, film: Path, read_only: Path) -> None:
    await pair.source.start()
    await pair.sink.start()
    publication = await soon(pair.source_service.publish(film))
    transfer = await pair.sink_service.receive(publication.content_id, pair.sink.home / "no" / "such" / "folder")
    await soon(transfer.wait())
    assert (transfer.state, transfer.error) == ("failed", f"there is no folder {pair.sink.home / 'no' / 'such'}")
    transfer = await pair.sink_service.receive(publication.content_id, read_only / "film")
    await soon(transfer.wait())
    assert transfer.state == "failed"
    assert "read-only" in (transfer.error or "").lower()
    assert "\n" not in (transfer.error or "\n")


async def test_part_that_somebody_deletes_is_an_error_and_comes_again(pair: Pair, film: Path) -> None:
    transfer = await pair.begin(film)
    (pair.sink.home / "film.mkv.part").unlink()
    await soon(transfer.wait())
    assert transfer.state == "failed"
    pair.sink_service.resume(transfer.id)
    await done(transfer)
    assert transfer.path.read_bytes() == film.read_bytes()


async def test_broken_memory_is_set_aside(node: MakeNode) -> None:
    sink = node("sink")
    assert sink.folder is not None
    sink.folder.mkdir(parents=True)
    (sink.folder / remembered.NAME).write_text("{")
    service = await sink.start()
    assert not service.transfers
    assert (sink.folder / (remembered.NAME + ".bad")).read_text() == "{"


async def test_entries_that_make_no_sense_are_left_out(pair: Pair, film: Path) -> None:
    transfer = await pair.begin(film)
    await pair.sink.stop()
    assert pair.sink.folder is not None
    path = pair.sink.folder / remembered.NAME
    document = json.loads(path.read_text())
    good = document["transfers"][0]
    document["transfers"] = [None, {}, {**good, "id": "x"}, {**good, "manifest": "00"}, {**good, "rate": -1}, good]
    document["publications"] = [{"path": "/", "manifest": ""}, 3]
    path.write_text(json.dumps(document))
    await pair.sink.start()
    assert set(pair.sink_service.transfers) == {transfer.id}
    await done(pair.again())


async def test_nothing_is_left_running_after_close(pair: Pair, film: Path) -> None:
    await pair.begin(film)
    before = asyncio.all_tasks()
    await pair.sink.stop()
    await pair.source.stop()
    assert asyncio.all_tasks() <= before
    assert asyncio.all_tasks() == {asyncio.current_task()}
