"""
Killed or without power at any moment: what a store says to have after that, it has.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import time
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.transfer.content.source import Source
from tribler_multicast.transfer.limits import SEGMENT_SIZE
from tribler_multicast.transfer.store import commits
from tribler_multicast.transfer.store.ending import finish
from tribler_multicast.transfer.store.journal import Kind, read_records
from tribler_multicast.transfer.store.opening import receive_to
from tribler_multicast.transfer.store.store import Store

from ..hostile_disk import kill, start
from .power import Disk
from .stores import Offer, recheck_all
from .trees import contents, make, some_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MIB = SEGMENT_SIZE
FOLDER: dict[str, bytes | None] = {**{f"small/{n}": some_bytes(9000, n) for n in range(9)}, "none": None, "empty": b"",
                                   "big": some_bytes(3 * MIB + 7)}
MANY: dict[str, bytes | None] = {f"deep/{n % 3}/{n}": some_bytes(60_000, n) for n in range(40)}
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs /proc and signals")

RECEIVER = """
import contextlib
import json
from random import Random
sys.path.insert(0, {root!r})
from tests.transfer.stores import Offer, recheck_all
from tribler_multicast.transfer.content.manifest import Manifest
from tribler_multicast.transfer.content.source import Source
from tribler_multicast.transfer.store.opening import receive_to
from tribler_multicast.transfer.store.ending import finish
offer = Offer.__new__(Offer)
offer.source = Source.publish(type(folder)({path!r}))
offer.manifest = Manifest.read(bytes.fromhex({manifest!r}))
offer.segments = offer.source.layout.segments
random = Random({seed})
print("ready", flush=True)
store = receive_to(offer.manifest, folder)
if not isinstance(store, Source):
    recheck_all(store)
    missing = [segment for segment in range(offer.segments) if not store.has(segment)]
    # Interleaved, as a sender does: units of all segments, in any order.
    units = [(segment, at, unit) for segment in missing for at, unit in offer.units(store, segment)]
    random.shuffle(units)
    for segment in missing:
        offer.prove(store, segment)
    for number, (segment, at, unit) in enumerate(units):
        store.write(segment, at, unit)
        store.verify(segment)
        if random.random() < 0.004:
            store.commit()
    finish(store)
print("done", flush=True)
"""


def killed_again_and_again(tmp_path: Path, times: int) -> None:
    """
    Kill a receiver at random moments until it was killed so often, and look at what is there each time.
    """
    make(tmp_path / "album", FOLDER)
    (tmp_path / "film").write_bytes(some_bytes(4 * MIB + 9))
    random, kills, kept, done = Random(times), 0, [], 0
    while kills < times:
        offer = Offer(tmp_path / ("album" if done % 2 else "film"))
        out = tmp_path / f"out{done}"
        out.mkdir(exist_ok=True)
        script = RECEIVER.format(root=str(_root()), path=str(offer.source.listing.path), seed=random.random(),
                                 manifest=offer.manifest.pack().hex())
        child = start(script, out)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n", kill(child)
        time.sleep(random.expovariate(5))
        said = kill(child)
        assert not said[1], said
        kills += 1
        found = receive_to(offer.manifest, out)
        if isinstance(found, Store):
            claimed = offer.claims(found)
            recheck_all(found)
            assert offer.claims(found) >= claimed
            assert not (out / offer.source.content.name).exists()
            kept.append(sum(found.units(segment).bit_count() for segment in range(offer.segments)))
            # Half of the time the child meets what a kill left, half of the time a clean end.
            found.close() if random.random() < 0.5 else found.release()
        else:
            name = offer.source.content.name
            assert (contents(out / name) == FOLDER) if name == "album" else (out / name).read_bytes() == some_bytes(
                4 * MIB + 9)
            assert [path.name for path in out.iterdir()] == [name]
            done += 1
    print(json.dumps({"kills": kills, "completed": done, "kept": kept}))


def _root() -> Path:
    from ..hostile_disk import ROOT  # noqa: PLC0415

    return ROOT


@posix
def test_receiver_killed_at_random_moments_claims_only_what_it_has(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, 10)


@posix
@pytest.mark.soak
def test_receiver_killed_a_hundred_times(tmp_path: Path) -> None:
    killed_again_and_again(tmp_path, 100)


def receive_some(offer: Offer, store: Store, random: Random, stop: int) -> bool:
    """
    Receive in steps of all kinds; stop after so many. Tell whether it is whole.
    """
    for _ in range(stop):
        missing = [segment for segment in range(offer.segments) if not store.has(segment)]
        if not missing:
            return True
        segment = random.choice(missing)
        step = random.random()
        if step < 0.25:
            offer.prove(store, segment)
        elif step < 0.4:
            offer.give(store, segment)
        elif step < 0.8:
            for at, unit in offer.units(store, segment)[random.randint(0, 700):][:random.randint(1, 300)]:
                store.write(segment, at, unit)
            store.verify(segment)
        elif step < 0.95:
            store.commit()
        else:
            store.drop(segment)
    return False


@posix
@pytest.mark.parametrize("what", ["album", "film", "many"])
@pytest.mark.parametrize("seed", range(2))
def test_after_the_power_went_all_that_is_claimed_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str,
                                                          seed: int) -> None:
    make(tmp_path / "album", FOLDER)
    make(tmp_path / "many", MANY)
    (tmp_path / "film").write_bytes(some_bytes(3 * MIB + 9))
    random, offer, claimed = Random(seed), Offer(tmp_path / what), 0
    out = tmp_path / "out 0"
    out.mkdir()
    monkeypatch.setattr(commits, "COMPACT", 3000)
    for crash in range(1, 20):
        with monkeypatch.context() as patch, contextlib.ExitStack() as stack:
            disk = Disk(out, patch)
            cut = Cut(disk, out, tmp_path / f"out {crash}", random)
            stack.callback(disk.close)
            found = receive_to(offer.manifest, out)
            if isinstance(found, Source):
                assert all(found.read(segment) == offer.source.read(segment) for segment in range(offer.segments))
                shutil.rmtree(out)
                out.mkdir()
                disk._note(str(out))
                found = offer.open(out)
            before = offer.claims(found)
            assert len(before) >= claimed, "what was durable once stays"
            recheck_all(found)
            assert offer.claims(found) == before
            if receive_some(offer, found, random, random.randint(1, 12)):
                finish(found)
            cut.now()
            claimed = cut.durable(offer)
            found.release()
        shutil.rmtree(out)
        out = tmp_path / f"out {crash}"
    found = receive_to(offer.manifest, out)
    if isinstance(found, Store):
        recheck_all(found)
        offer.give_all(found)
        found = finish(found)
    assert all(found.read(segment) == offer.source.read(segment) for segment in range(offer.segments))


class Cut:
    """
    The power goes before one of the next few times that something becomes durable, or when it is said.
    """

    def __init__(self, disk: Disk, out: Path, target: Path, random: Random) -> None:
        self.disk, self.out, self.target, self.random = disk, out, target, random
        self.left = random.randint(0, 25)
        self.journal = b""
        disk.before = self.step

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            self.now()

    def now(self) -> None:
        if not self.target.exists():
            self.journal = self.disk.journal
            self.disk.crash(self.target, self.random)

    def durable(self, offer: Offer) -> int:
        """
        Count the segments that the journal said to be whole when it was last made durable.
        """
        whole: set[int] = set()
        for kind, body, _ in read_records(self.journal, offer.source.content.id):
            told = commits.Commit.unpack(body) if kind == Kind.COMMIT else commits.Commit()
            whole = (whole | set(told.whole)) - set(told.partial)
            if kind == Kind.FINISH:
                return 0
        return len(whole)


def at_each_step(offer: Offer, tmp_path: Path, begin: Callable[[Store], None], end: Callable[[Store], object],
                 check: Callable[[Store | Source], None], *, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Have the power go before each time that something becomes durable while `end` runs, `begin` being durable, and check
    what is there after it.
    """
    out, images = tmp_path / "out", [tmp_path / "image 1", tmp_path / "image 2"]
    for step in range(1, 40):
        out.mkdir()
        with monkeypatch.context() as patch, contextlib.closing(Disk(out, patch)) as disk:
            store, number = offer.open(out), iter(range(1, 1000))
            begin(store)
            disk.sync_all(-1)

            def stop(number: Iterator[int] = number, step: int = step, disk: Disk = disk) -> None:
                if next(number) == step:
                    for seed, image in enumerate(images):
                        disk.crash(image, Random(step * 10 + seed))

            disk.before = stop
            end(store)
            store.release()
        shutil.rmtree(out)
        for image in images:
            if not image.exists():
                assert step > 3
                return
            found = receive_to(offer.manifest, image)
            check(found)
            if isinstance(found, Store):
                recheck_all(found)
                offer.give_all(found)
                found = finish(found)
            assert all(found.read(segment) == offer.source.read(segment) for segment in range(offer.segments))
            assert [path.name for path in image.iterdir()] == [offer.source.content.name]
            shutil.rmtree(image)
    raise AssertionError("it never ended")


@posix
@pytest.mark.parametrize("what", ["album", "film"])
def test_power_gone_at_any_step_of_the_end_leaves_the_result_whole_or_not_there(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    make(tmp_path / "album", {"a": b"1" * 5000, "b/c": b"2", "none": None, "empty": b""})
    (tmp_path / "film").write_bytes(some_bytes(70_000))
    offer, seen = Offer(tmp_path / what), set()

    def check(found: Store | Source) -> None:
        seen.add(type(found))
        if isinstance(found, Store):
            assert not found.place.result.exists()

    at_each_step(offer, tmp_path, offer.give_all, finish, check, monkeypatch=monkeypatch)
    assert seen == {Store, Source}


@posix
def test_power_gone_while_files_get_what_came_before_the_index_loses_nothing(tmp_path: Path,
                                                                             monkeypatch: pytest.MonkeyPatch) -> None:
    offer = Offer(make(tmp_path / "x", {"a/b": some_bytes(50_000), "c": some_bytes(MIB), "d": some_bytes(9)}))

    def begin(store: Store) -> None:
        offer.give(store, 1)
        store.write(2, 0, offer.source.read(2))
        store.commit()
        offer.give(store, 0)

    def check(found: Store | Source) -> None:
        assert isinstance(found, Store)
        assert {1} <= set(offer.claims(found)) <= {0, 1}
        assert found.progress.is_full(2)

    at_each_step(offer, tmp_path, begin, Store.commit, check, monkeypatch=monkeypatch)


def test_journal_cut_at_any_byte_says_what_it_said_before(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(some_bytes(3 * MIB))
    offer, out = Offer(tmp_path / "film"), tmp_path / "out"
    out.mkdir()
    store = offer.open(out)
    journal, ends = out / "film.part.state" / "journal", []
    for segment in range(3):
        offer.give(store, segment)
        store.commit()
        ends.append(journal.stat().st_size)
    store.release()
    whole, head = journal.read_bytes(), next(read_records(journal.read_bytes(), offer.source.content.id))
    assert head[0] == Kind.HEAD
    for size in [*range(len(head[1]) + 21, len(whole), 7), *(end - 1 for end in ends), *ends]:
        said = [segment for kind, body, _ in read_records(whole[:size], offer.source.content.id) if kind == Kind.COMMIT
                for segment in commits.Commit.unpack(body).whole]
        assert said == list(range(sum(size >= end for end in ends)))
    for size in (ends[0] - 1, ends[1] + 5, ends[2] - 1):
        journal.write_bytes(whole[:size])
        store = offer.open(out)
        assert offer.claims(store) == list(range(sum(size >= end for end in ends)))
        store.release()


def test_journal_with_any_damage_says_nothing_wrong(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(some_bytes(2 * MIB))
    offer, out, random = Offer(tmp_path / "film"), tmp_path / "out", Random(1)
    out.mkdir()
    store = offer.open(out)
    offer.give_all(store)
    store.close()
    journal = out / "film.part.state" / "journal"
    whole = journal.read_bytes()
    records = len(list(read_records(whole, offer.source.content.id)))
    for _ in range(300):
        at = random.randrange(len(whole))
        damaged = whole[:at] + bytes((whole[at] ^ 1 << random.randrange(8),)) + whole[at + 1:]
        left = list(read_records(damaged, offer.source.content.id))
        assert left == list(read_records(whole, offer.source.content.id))[:len(left)]
        assert len(left) < records
    assert not list(read_records(whole, bytes(32)))


def test_old_records_do_not_come_back_behind_new_ones(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(some_bytes(3 * MIB))
    offer, out = Offer(tmp_path / "film"), tmp_path / "out"
    out.mkdir()
    store = offer.open(out)
    journal, whole = out / "film.part.state" / "journal", b""
    for segment in range(3):
        before, whole = whole, journal.read_bytes()
        offer.give(store, segment)
        store.commit()
    store.release()
    assert before
    assert not list(read_records(whole[len(before):], offer.source.content.id))
