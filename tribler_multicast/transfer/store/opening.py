"""
How a store begins, and goes on after whatever ended it.
"""
from __future__ import annotations

import contextlib
import os
import struct
import sys
from typing import TYPE_CHECKING

from ...durable import sync_folder
from ..content.scan import STAMP, Stamp
from ..content.source import Source
from ..errors import DiskFullError, InUseError, StoreError, shown
from ..limits import DEFAULT_UNIT, LEAST_UNIT, SEGMENT_SIZE
from .area import NO_STAMP
from .areas import Rules, check_encodable
from .disk import Lock, failed, ignores_case, room
from .ending import clean_up, discard, remember, source_of
from .journal import HEAD, Commit, Journal, Kind
from .place import JOURNAL, LOCK, choose, stored
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..content.manifest import Manifest
    from .place import Place


def receive_to(manifest: Manifest, output: Path, *, records: Path | None = None, unit: int = DEFAULT_UNIT,
               progress: Callable[[int, int], None] | None = None,
               cancelled: Callable[[], bool] | None = None) -> Store | Source:
    """
    Begin to receive a content, or go on; a `Source` when it is there already.

    `output`: an existing folder = into it under the offered name, else the name of the result. `records`: where it is
    kept what was received (`content.record`), so that it is known again. `unit`: bytes that `Store.write` takes at
    least. Hashing what might be the content calls `progress(bytes done, bytes of all)` and `cancelled()`.

    Go on with `Store.recheck` while there is something `unchecked`.

    :raises InUseError: when another process, or another store of this one, has it.
    :raises ExistsError: when something else has the name.
    :raises DiskFullError: when there is not enough room.
    :raises StoreError: when it can't be kept there.
    """
    if not LEAST_UNIT <= unit <= SEGMENT_SIZE:
        raise ValueError("no such unit")
    check_encodable(manifest.content.name)
    for _ in range(3):
        try:
            found = choose(manifest.content, output, records, progress, cancelled)
        except OSError as error:
            raise failed(error, output) from None
        if isinstance(found, Source):
            return found
        # None: whoever had it finished or began in this moment.
        opened = _open(manifest, found, unit, records)
        if opened is not None:
            return opened
    raise InUseError(f"another transfer is receiving to {shown(str(output))}")


def _open(manifest: Manifest, place: Place, unit: int, records: Path | None) -> Store | Source | None:
    try:
        place.state.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise failed(error, place.state) from None
    try:
        lock = Lock(place.state / LOCK, place.result)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise failed(error, place.state) from None
    store = Store(manifest, place, unit, lock)
    try:
        before = stored(place.state)
        if before is None:
            if not place.is_free():
                lock.release()
                return None
            return _begin(store)
        if before.content.id != manifest.content.id:
            lock.release()
            return None
        return _resume(store, records)
    except OSError as error:
        store.release()
        raise failed(error, place.state) from None
    except BaseException:
        store.release()
        raise


def rules_of(place: Place) -> Rules:
    """
    Get what names must be like where a content goes.
    """
    return Rules(sys.platform == "win32", ignores_case(place.state / LOCK))


def _begin(store: Store) -> Store:
    try:
        check_room(store)
        store.areas.rules = rules_of(store.place)
        store.commits.write_journal()
        if store.areas.data is not None:
            store.areas.data.prepare()
        sync_folder(store.place.state.parent)
    except (OSError, StoreError):
        discard(store)
        raise
    return store


def check_room(store: Store) -> None:
    """
    See that there is room for what is missing.

    :raises DiskFullError: when there is not.
    """
    there = 0
    for path in (store.place.part, *store.place.part.rglob("*")) if store.place.part.exists() else ():
        with contextlib.suppress(OSError):
            stat = path.lstat()
            there += getattr(stat, "st_blocks", stat.st_size // 512) * 512
    needed = store.content.size + store.content.index_size - there
    free = room(store.place.state)
    if needed > free:
        raise DiskFullError(f"no room on the disk for {store.content.name}: {needed} bytes are needed, {free} are free")


def _resume(store: Store, records: Path | None) -> Store | Source | None:
    journal, told = Journal.open(store.place.state / JOURNAL, store.content.id)
    store.commits.journal = journal
    if not told:
        raise StoreError(f"{shown(str(journal.path))} is damaged")
    kinds = [kind for kind, _ in told]
    stamps = told[-1][1] if kinds[-1] == Kind.CLEAN else b""
    if kinds[-1] == Kind.FINISH:
        stamps = [body for kind, body in told if kind == Kind.CLEAN][-1]
        if not store.place.part.exists() or _is_renamed(store.place, told[-1][1]):
            return _ended(store, told, stamps, records)
    unit = HEAD.unpack_from(told[0][1])[1]
    _restore(store, told, unit)
    if store.content.is_folder:
        _take_index(store, told)
    if store.areas.data is not None:
        _look(store, stamps)
    check_room(store)
    store.doubt_full()
    try:
        store.commits.write_journal()
    except DiskFullError:
        # The old one will do, unless its units are others.
        if unit != store.unit:
            raise
    return store


def _restore(store: Store, told: list[tuple[Kind, bytes]], unit: int) -> None:
    nodes = []
    for kind, body in told:
        if kind == Kind.COMMIT:
            with contextlib.suppress(struct.error):
                commit = Commit.unpack(body)
                store.progress.restore(commit, unit)
                nodes += commit.nodes
    store.tree.restore(nodes)


def _take_index(store: Store, told: list[tuple[Kind, bytes]]) -> None:
    """
    Have the index checked, and the files known when they were made.
    """
    segments, rest = range(store.layout.index_segments), range(store.layout.index_segments, store.layout.segments)
    placed = [body for kind, body in told if kind == Kind.PLACED]
    for area, there in ((store.areas.index, segments), (store.areas.early, range(0) if placed else rest)):
        assert area is not None
        area.set_stamp(0, area.found(0))
        for segment in there if area.stamp(0) == NO_STAMP else ():
            store.progress.drop_units(segment)
    while any(map(store.progress.is_unchecked, segments)):
        store.recheck()
    if placed and all(map(store.has, segments)):
        store.areas.rules = Rules(bool(placed[-1][0]), bool(placed[-1][1]))
        store.areas.set_entries()
        store.areas.drop_early()
    else:
        store.areas.rules = rules_of(store.place)
        if placed:
            # The index was damaged. Without it nobody knows where anything is.
            for segment in rest:
                store.drop(segment)


def _look(store: Store, stamps: bytes) -> None:
    """
    Take the files as they are: trusted when they are as they were at a clean end.
    """
    data = store.areas.data
    assert data is not None
    then = [Stamp(*stamp) for stamp in STAMP.iter_unpack(stamps)] if len(stamps) % STAMP.size == 0 else []
    if len(then) == len(data.paths):
        store.progress.trust()
    for number, size in enumerate(data.sizes):
        found = data.found(number)
        if found != NO_STAMP:
            data.set_stamp(number, found)
        if number < len(then) and found != then[number]:
            store.areas.doubt_data(data.spans.starts[number], size)
        if found == NO_STAMP and size:
            for segment in store.layout.of_data(data.spans.starts[number], size):
                store.progress.drop_units(segment)


def _is_renamed(place: Place, name: bytes) -> bool:
    """
    Tell whether the result has its name and only the old one is still there, too; then take that away.
    """
    result = place.result.with_name(os.fsdecode(name))
    try:
        if place.part.is_dir() or not place.part.samefile(result):
            return False
        place.part.unlink()
    except OSError:
        return False
    return True


def _ended(store: Store, told: list[tuple[Kind, bytes]], stamps: bytes, records: Path | None) -> Source | None:
    """
    Get what was finished just before the end; None when somebody has taken it away or changed it since.
    """
    result = store.place.result.with_name(os.fsdecode(told[-1][1]))
    _restore(store, told, HEAD.unpack_from(told[0][1])[1])
    if store.content.is_folder:
        _take_index(store, told)
    source = None
    if store.entries is not None and store.tree.is_whole and len(stamps) == STAMP.size * len(store.entries):
        source = source_of(store, result, [Stamp(*stamp) for stamp in STAMP.iter_unpack(stamps)])
        if not source.is_unchanged():
            source = None
        else:
            remember(records, source)
    clean_up(store)
    return source


