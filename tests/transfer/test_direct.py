"""
Whole segments of large files are written past the page cache, from memory that is used again; it makes no difference to
what is in the files.
"""

from __future__ import annotations

import os
import sys
from random import Random
from typing import TYPE_CHECKING

import pytest

from tribler_multicast.transfer.limits import ALIGNED, LARGE_FILE, LEAST_DIRECT
from tribler_multicast.transfer.session.rooms import KEPT, SMALL, Rooms
from tribler_multicast.transfer.store.direct import Direct
from tribler_multicast.transfer.store.ending import finish

from .stores import Offer
from .trees import MIB, some_bytes

if TYPE_CHECKING:
    from pathlib import Path

linux = pytest.mark.skipif(sys.platform != "linux", reason="as Linux does it")


def held(data: bytes) -> memoryview:
    """
    Get data that begins at a page.
    """
    room = Rooms().room(max(len(data), SMALL))[:len(data)]
    room[:] = data
    return room


def goes_past_the_cache(folder: Path) -> bool:
    path = folder / "try"
    path.write_bytes(bytes(LEAST_DIRECT))
    direct = Direct()
    with path.open("r+b") as file:
        written = direct.write(0, path, file.fileno(), held(some_bytes(LEAST_DIRECT)), 0)
    direct.close(0)
    assert not written or path.read_bytes() == some_bytes(LEAST_DIRECT)
    path.unlink()
    return written == LEAST_DIRECT


@pytest.mark.parametrize("cached", [False, True])
def test_large_file_is_the_same_by_whichever_way_it_came(tmp_path: Path, out: Path, cached: bool) -> None:
    size = LARGE_FILE + 3 * MIB + 5000
    (tmp_path / "file").write_bytes(some_bytes(size))
    offer, random = Offer(tmp_path / "file"), Random(1)
    store = offer.open(out)
    order = list(range(offer.segments))
    random.shuffle(order)
    for segment in order:
        offer.prove(store, segment)
        data = offer.source.read(segment)
        if random.random() < 0.2:
            # In parts, before the whole, as after a restart.
            store.write(segment, 0, data[:store.unit * 3])
        assert store.write_segment(segment, held(data) if random.random() < 0.8 else data, cached=cached)
        assert store.read(segment) == data
        if random.random() < 0.1:
            store.commit()
    source = finish(store)
    assert source.listing.path.read_bytes() == some_bytes(size)


@linux
def test_what_disks_do_not_take_is_left_to_the_usual_way(tmp_path: Path) -> None:
    if not goes_past_the_cache(tmp_path):
        pytest.skip("not on this file system")
    path = tmp_path / "file"
    path.write_bytes(bytes(4 * LEAST_DIRECT))
    direct, data = Direct(), held(some_bytes(2 * LEAST_DIRECT))
    with path.open("r+b") as file:
        number = file.fileno()
        assert direct.write(0, path, number, data[:LEAST_DIRECT + 1], 0) == 0
        assert direct.write(0, path, number, data[:LEAST_DIRECT], 1) == 0
        assert direct.write(0, path, number, data[:ALIGNED], 0) == 0
        assert direct.write(0, path, number, data[1:LEAST_DIRECT + 1], 0) == 0
        assert path.read_bytes() == bytes(4 * LEAST_DIRECT)
        assert direct.write(0, path, number, data[ALIGNED:][:LEAST_DIRECT], LEAST_DIRECT) == LEAST_DIRECT
    direct.close(0)
    assert path.read_bytes()[LEAST_DIRECT:2 * LEAST_DIRECT] == data[ALIGNED:ALIGNED + LEAST_DIRECT]


@linux
def test_another_file_of_that_name_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(LEAST_DIRECT))
    direct = Direct()
    with path.open("r+b") as file:
        path.unlink()
        path.write_bytes(bytes(LEAST_DIRECT))
        assert direct.write(0, path, file.fileno(), held(some_bytes(LEAST_DIRECT)), 0) == 0
    direct.close(0)
    assert path.read_bytes() == bytes(LEAST_DIRECT)


@linux
def test_no_handle_stays_open(tmp_path: Path, out: Path) -> None:
    (tmp_path / "file").write_bytes(some_bytes(LARGE_FILE))
    offer = Offer(tmp_path / "file")
    store = offer.open(out)
    offer.prove(store, 0)
    assert store.write_segment(0, held(offer.source.read(0)), cached=False)
    part = os.path.realpath(store.place.part)
    store.close()
    assert part not in {os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}


# --- The memory.


def test_room_is_used_again_only_when_nobody_has_a_view_of_it() -> None:
    rooms = Rooms()
    first = rooms.room(MIB)
    first[:5] = b"first"
    part = first[1:4].toreadonly()
    del first
    others = [rooms.room(MIB) for _ in range(3)]
    for number, other in enumerate(others):
        other[:5] = b"other"
        assert bytes(part) == b"irs", number
    del part, other
    if sys.platform == "linux":
        assert bytes(rooms.room(MIB)[:5]) == b"first"
    assert bytes(rooms.room(2 * MIB)[:5]) == bytes(5)


def test_more_rooms_than_are_kept_are_all_different() -> None:
    rooms = Rooms()
    all_of_them = [rooms.room(SMALL + number % 2) for number in range(3 * KEPT)]
    for number, room in enumerate(all_of_them):
        room[:4] = number.to_bytes(4, "big")
    assert [int.from_bytes(room[:4], "big") for room in all_of_them] == list(range(3 * KEPT))
    assert [len(room) for room in all_of_them[:2]] == [SMALL, SMALL + 1]
