"""
How a store ends: with the result under its name, or with nothing.
"""
from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from ...durable import sync_folder
from ..content.record import save
from ..content.scan import Listing, Stamp
from ..content.source import Source
from ..errors import ChangedError, ExistsError, StoreError, shown
from .disk import failed, rename_new
from .journal import Kind
from .place import places, remove_state

if TYPE_CHECKING:
    from pathlib import Path

    from .store import Store


def source_of(store: Store, result: Path, stamps: list[Stamp]) -> Source:
    """
    Get what was received as something to offer: it is at `result`, with these stamps.
    """
    listing = Listing(result, store.content.is_folder)
    listing.name = store.content.name
    for entry, local, stamp in zip(store.entries or (), store.areas.local, stamps, strict=True):
        listing.add(entry, local, stamp)
    return Source(listing, store.content, store.tree, store.areas.read_index())


def remember(records: Path | None, source: Source) -> None:
    """
    Keep a record of it, when that is wanted.
    """
    if records is not None:
        # Without a record it is hashed again some day, no more.
        with contextlib.suppress(StoreError):
            save(records, source)


def finish(store: Store, records: Path | None = None) -> Source:
    """
    Give the result its name, whole and durable, and get it. The store is closed then.

    :raises ExistsError: when something else took the name of the result meanwhile; nothing is lost.
    :raises ChangedError: when somebody else wrote to the files meanwhile: `recheck`, and receive what is bad again.
    :raises StoreError: when it can't be done; nothing is lost.
    """
    if store.is_whole:
        store.commit()
    data, place = store.areas.data, store.place
    if not store.is_whole or store.entries is None or data is None:
        raise StoreError(f"{shown(str(place.part))} is not whole")
    folders = {data.paths[number] for number, entry in enumerate(store.entries) if entry.is_folder}
    try:
        if store.content.is_folder:
            place.part.mkdir(exist_ok=True)
            data.dirty.folders.add(place.part)
        data.complete(folders)
        files = [number for number, entry in enumerate(store.entries) if not entry.is_folder]
        if [number for number in files if not data.look(number)]:
            raise ChangedError(f"{shown(str(place.part))} was changed by another program while it was received")
        data.take_dirty().sync()
        store.commits.say(Kind.CLEAN, store.areas.stamps())
        source = source_of(store, place.result, [data.stamp(number) for number in range(len(data.paths))])
        data.close()
        source.listing.path = _rename(store)
    except OSError as error:
        raise failed(error, place.result) from None
    remember(records, source)
    clean_up(store)
    return source


def _rename(store: Store) -> Path:
    place = store.place
    for candidate in [place] if place.is_exact else [place, *places(place.result.parent, store.content)]:
        if os.path.lexists(candidate.result):
            continue
        store.commits.say(Kind.FINISH, os.fsencode(candidate.result.name))
        with contextlib.suppress(FileExistsError):
            rename_new(place.part, candidate.result)
            sync_folder(place.result.parent)
            return candidate.result
    raise ExistsError(f"{shown(str(place.result))} exists already; all of {store.content.name} is in "
                      f"{shown(str(place.part))}")


def clean_up(store: Store) -> None:
    """
    Close the store and delete its state: the result is there.
    """
    store.commits.release()
    remove_state(store.place, store.lock)
    store.release()


def discard(store: Store) -> None:
    """
    End it and delete what there is of it.

    :raises StoreError: when that can't be done.
    """
    store.commits.release()
    try:
        if store.place.part.is_dir() and not store.place.part.is_symlink():
            shutil.rmtree(store.place.part)
        else:
            store.place.part.unlink(missing_ok=True)
        # Last: as long as the journal is there, what is left can be told from somebody else's files.
        clean_up(store)
    except OSError as error:
        raise failed(error, store.place.part) from None
    finally:
        store.release()
