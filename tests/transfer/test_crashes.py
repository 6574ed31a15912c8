"""
Killed or without power at any moment: what a store says to have after that, it has.
"""

from __future__ import annotations

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
    from pathlib import Path

MIB = SEGMENT_SIZE
FOLDER: dict[str, bytes | None] = {**{f"small/{n}": some_bytes(9000, n) for n in range(30)}, "big": some_bytes(3 * MIB + 7),
                                   "empty": b"", "none": None}
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs /proc and signals")

RECEIVER = """
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
            kept.append(found.progress.whole)
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
@pytest.mark.parametrize("what", ["album", "film"])
@pytest.mark.parametrize("seed", range(3))
def test_after_the_power_went_all_that_is_claimed_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str,
                                                          seed: int) -> None:
    make(tmp_path / "album", FOLDER)
    (tmp_path / "film").write_bytes(some_bytes(3 * MIB + 9))
    random, offer, claimed = Random(seed), Offer(tmp_path / what), 0
    out = tmp_path / "out 0"
    out.mkdir()
    monkeypatch.setattr(commits, "COMPACT", 3000)
    for crash in range(1, 14):
        with monkeypatch.context() as patch:
            disk = Disk(out, patch)
            found = receive_to(offer.manifest, out)
            if isinstance(found, Source):
                break
            before = offer.claims(found)
            recheck_all(found)
            assert len(before) >= claimed, "what was durable once stays"
            whole = receive_some(offer, found, random, random.randint(1, 40))
            if whole:
                finish(found)
            disk.crash(tmp_path / f"out {crash}", random)
            claimed = 0 if whole else durable(out, offer)
            found.release()
        shutil.rmtree(out)
        out = tmp_path / f"out {crash}"
    found = receive_to(offer.manifest, out)
    if isinstance(found, Store):
        recheck_all(found)
        offer.give_all(found)
        found = finish(found)
    assert all(found.read(segment) == offer.source.read(segment) for segment in range(offer.segments))


def durable(out: Path, offer: Offer) -> int:
    """
    Count the segments that the journal says to be whole, as it is now (what it says is durable when it says it).
    """
    journal = out / f"{offer.source.content.name}.part.state" / "journal"
    whole: set[int] = set()
    for kind, body, _ in read_records(journal.read_bytes(), offer.source.content.id):
        if kind == Kind.COMMIT:
            told = commits.Commit.unpack(body)
            whole = (whole | set(told.whole)) - set(told.partial)
    return len(whole)


@posix
@pytest.mark.parametrize("what", ["album", "film"])
def test_power_gone_at_any_step_of_the_end_leaves_the_result_whole_or_not_there(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    make(tmp_path / "album", {"a": b"1" * 5000, "b/c": b"2", "none": None, "empty": b""})
    (tmp_path / "film").write_bytes(some_bytes(70_000))
    offer, seen = Offer(tmp_path / what), set()
    out = tmp_path / "out"
    for step in range(1, 30):
        out.mkdir()
        with monkeypatch.context() as patch:
            store, number = offer.open(out), iter(range(1, 1000))
            offer.give_all(store)
            disk = Disk(out, patch)

            def stop(*_: object, number=number, step=step, disk=disk) -> None:  # noqa: ANN001
                if next(number) == step:
                    for image in range(3):
                        disk.crash(tmp_path / f"image {image}", Random(step * 10 + image))

            noted = disk._note
            patch.setattr(disk, "_note", lambda path, noted=noted, stop=stop: (stop(), noted(path)))
            finish(store)
        shutil.rmtree(out)
        for image in range(3):
            target = tmp_path / f"image {image}"
            if not target.exists():
                assert seen == {"result", "part"}
                return
            found = receive_to(offer.manifest, target)
            seen.add("result" if isinstance(found, Source) else "part")
            if isinstance(found, Store):
                assert not (target / what).exists()
                recheck_all(found)
                offer.give_all(found)
                found = finish(found)
            assert all(found.read(segment) == offer.source.read(segment) for segment in range(offer.segments))
            assert [path.name for path in target.iterdir()] == [what]
            shutil.rmtree(target)
    raise AssertionError("it never ended")


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
