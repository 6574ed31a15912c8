"""
Folders to share, and what is found in them.
"""
from __future__ import annotations

import asyncio
import sqlite3
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

from tribler_multicast.standalone.shares import Shares
from tribler_multicast.standalone.shares.inotify import Inotify

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tribler_multicast.client import Result

ALL = frozenset({"file", "torrent"})
PATIENCE = 5.0
"""Seconds in which a change is to be seen."""

HASH = b"infohash of 20 bytes"

# The same, for processes of their own: `run(main)` shares the folder "share" beside the index, or others.
SCRIPT = """
import asyncio, contextlib, logging, time
from tribler_multicast.standalone.shares import Shares
from tribler_multicast.standalone.shares.inotify import Inotify
from tests.standalone.shares.common import HASH, drop_rights, found, heard, settled, until, write
logging.basicConfig(level=logging.WARNING)
def run(main, *shared):
    async def running():
        shares = Shares(folder / "state" / "sqlite" / "shares.db", shared or [folder / "share"])
        await shares.start()
        try:
            await main(shares)
        finally:
            await shares.close()
    asyncio.run(running())
"""


def write(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


async def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:  # noqa: ANN401
    """
    Wait until something is the case, and get it.
    """
    async with asyncio.timeout(seconds):
        while not (value := condition()):
            await asyncio.sleep(0.01)
        return value


async def settled(shares: Shares) -> Shares:
    """
    Wait until all is read.
    """
    await until(lambda: not shares.status().indexing, 20.0)
    return shares


@asynccontextmanager
async def sharing(database: Path, *folders: Path, change: Callable[[Shares], None] | None = None
                  ) -> AsyncIterator[Shares]:
    """
    Share folders, all read already.
    """
    shares = Shares(database, folders)
    if change is not None:
        change(shares)
    await shares.start()
    try:
        yield await settled(shares)
    finally:
        await shares.close()


def heard() -> str:
    """
    Get how a settled folder does here: a user may have few inotify instances, and other programs may have them all.
    """
    try:
        Inotify(1).close()
    except OSError:
        return "polled"
    return "watched"


def found(shares: Shares, text: str, kinds: frozenset[str] = ALL, most: int = 50) -> list[str]:
    """
    Get the names that are found, the best first.
    """
    return [result.name for result in shares.search(text, kinds, most)]


def one(shares: Shares, text: str) -> Result:
    """
    Get the only result.
    """
    [result] = shares.search(text, ALL, 50)
    return result


def hashed(shares: Shares, text: str, infohash: bytes = HASH) -> bytes:
    """
    Note an infohash of the only file that is found; get its file id.
    """
    file = shares.find(one(shares, text).id)
    assert file is not None
    assert shares.set_infohash(file.file_id, infohash, file.size, file.mtime_ns)
    return file.file_id


def check_index(database: Path) -> int:
    """
    See that the index is sound, its words are those of its files, and nothing hangs in the air; count the files.
    """
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        assert connection.execute("SELECT id FROM file EXCEPT SELECT rowid FROM words").fetchall() == []
        assert connection.execute("SELECT rowid FROM words EXCEPT SELECT id FROM file").fetchall() == []
        assert connection.execute("SELECT folder FROM file EXCEPT SELECT id FROM folder").fetchall() == []
        assert connection.execute("SELECT parent FROM folder EXCEPT SELECT id FROM folder").fetchall() in ([], [(0,)])
        return int(connection.execute("SELECT count(*) FROM file").fetchone()[0])


def drop_rights() -> None:
    """
    Give up the right of root to read everything, in this thread and those that it starts. Others have none.
    """
    import ctypes  # noqa: PLC0415

    class Header(ctypes.Structure):
        _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]

    header, none = Header(0x20080522, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(ctypes.byref(header), none):
        raise OSError(ctypes.get_errno(), "capset")
