"""
Where a content goes: the name of its result, and of what is beside it until it is whole.

An output that is an existing folder: into it, under the offered name; or the second, third... name, when something
else has that. Any other output is the name of the result itself.

    NAME              the result: not there until it is whole
    NAME.part         the data, in place: a file, or a folder with all the files in it
    NAME.part.state/  lock, journal, index, and what came before the index
"""
from __future__ import annotations

import contextlib
import os
import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ..content.manifest import Manifest
from ..content.names import LocalNames, cut, numbered
from ..content.record import load
from ..content.scan import scan
from ..content.source import Source
from ..errors import CancelledError, ContentError, ExistsError, StoreError, TransferError, shown
from ..limits import MAX_CLASHES, MAX_NAME
from .disk import Lock
from .journal import HEAD, MAGIC, Kind, read_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..content.manifest import Content

PART: Final = ".part"
STATE: Final = ".part.state"
JOURNAL: Final = "journal"
LOCK: Final = "lock"
INDEX: Final = "index"
EARLY: Final = "early"
HEAD_ROOM: Final = 4096
"""Bytes of a journal that are read to know whose it is."""


class Place(NamedTuple):
    """
    A result and what is beside it. `is_exact`: the user gave the name of the result.
    """

    result: Path
    is_exact: bool

    def _beside(self, ending: str) -> Path:
        name = self.result.name
        if len(os.fsencode(name)) > MAX_NAME - len(STATE):
            mark = sha256(os.fsencode(name)).hexdigest()[:8]
            name = cut(os.fsencode(name).decode(errors="replace"), MAX_NAME - len(STATE) - 1 - len(mark)) + "~" + mark
        return self.result.with_name(name + ending)

    @property
    def part(self) -> Path:
        """
        The data.
        """
        return self._beside(PART)

    @property
    def state(self) -> Path:
        """
        The folder of the journal.
        """
        return self._beside(STATE)

    def is_free(self) -> bool:
        """
        Tell whether nothing has any of the names. (A state folder with no journal is left from a start that was ended
        at once.)
        """
        return not (os.path.lexists(self.result) or os.path.lexists(self.part)
                    or os.path.lexists(self.state / JOURNAL) or self.state.is_symlink() or self.state.is_file())


def stored(state: Path) -> Manifest | None:
    """
    Get whose a state folder is; None when it is none of ours.
    """
    try:
        with (state / JOURNAL).open("rb") as file:
            data = file.read(HEAD_ROOM)
        body = data[5:5 + int.from_bytes(data[:4], "big")]
        manifest = Manifest.read(body[HEAD.size:])
        kind, _, _ = next(read_records(data, manifest.content.id))
    except (OSError, ContentError, StopIteration):
        return None
    return manifest if kind == Kind.HEAD and body.startswith(MAGIC) else None


def places(output: Path, content: Content) -> Iterator[Place]:
    """
    Get the places where it may go, the best first.
    """
    if not output.is_dir():
        yield Place(output, True)
        return
    name = LocalNames(windows=sys.platform == "win32", ignores_case=False).place(content.name)
    for number in range(1, MAX_CLASHES + 1):
        yield Place(output / numbered(name, number, is_folder=content.is_folder), False)


def choose(content: Content, output: Path, records: Path | None = None,
           progress: Callable[[int, int], None] | None = None,
           cancelled: Callable[[], bool] | None = None) -> Place | Source:
    """
    Get where a content goes on or begins, or the content itself when it is there already: known by its record, or
    hashed when it has the right size.

    :raises ExistsError: when something else has the name.
    :raises StoreError: when there can be nothing there.
    """
    output = Path(os.path.abspath(output))
    if not output.parent.is_dir():
        raise StoreError(f"there is no folder {shown(str(output.parent))}")
    for place in places(output, content):
        manifest = stored(place.state)
        if manifest is not None and manifest.content.id == content.id:
            return place
    if records is not None and (known := recorded(content, output, records)) is not None:
        return known
    # A folder may be the result of an earlier start, when it was not there yet. (An empty one is no sign of that.)
    if content.files and output.is_dir() and (found := recognise(output, content, progress, cancelled)) is not None:
        return found
    for place in places(output, content):
        if place.is_free():
            return place
        if (found := recognise(place.result, content, progress, cancelled)) is not None:
            tidy(place)
            return found
        if place.is_exact:
            taken = place.result if os.path.lexists(place.result) else place.part
            raise ExistsError(f"{shown(str(taken))} exists already, and is something else")
    raise ExistsError(f"{shown(str(output))} has {MAX_CLASHES} of {content.name} already")


def recorded(content: Content, output: Path, records: Path) -> Source | None:
    """
    Get the content when a record says that it is in one of its places, and it still is.
    """
    known = load(records, content.id)
    for place in (Place(output, True), *places(output, content)):
        if known is not None and known.listing.path == place.result:
            tidy(place)
            return known
    return None


def remove_state(place: Place, lock: Lock) -> None:
    """
    Delete the state folder, of which we hold the lock; no error when that fails. As long as the journal is there, a
    start goes on from it; and as long as the lock is, nobody else begins.
    """
    for name in (INDEX, EARLY, JOURNAL + ".new", JOURNAL, LOCK):
        if name == LOCK and sys.platform == "win32":
            lock.release()  # An open file can't be deleted there.
        with contextlib.suppress(OSError):
            (place.state / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        place.state.rmdir()


def tidy(place: Place) -> None:
    """
    Delete what was left of a state folder by who was ended while deleting it.
    """
    if place.state.is_dir() and not os.path.lexists(place.state / JOURNAL):
        with contextlib.suppress(OSError, StoreError):
            lock = Lock(place.state / LOCK, place.result)
            try:
                if not os.path.lexists(place.state / JOURNAL):
                    remove_state(place, lock)
            finally:
                lock.release()


def recognise(path: Path, content: Content, progress: Callable[[int, int], None] | None = None,
              cancelled: Callable[[], bool] | None = None) -> Source | None:
    """
    Get the content when it is what is at this path, whatever that is called; None when it is not. Reads all of it, but
    only when names and sizes of its files are right.

    :raises CancelledError: when `cancelled` said so.
    """
    if not os.path.lexists(path) or path.is_dir() != content.is_folder:
        return None
    try:
        listing = scan(path, cancelled, most=content.files, most_bytes=content.size)
        if (listing.size, len(listing.entries)) != (content.size, content.files):
            return None
        listing.name = content.name
        source = Source.of(listing, progress, cancelled, content.index_size)
    except CancelledError:
        raise
    except TransferError:
        return None
    return source if source.content == content else None

