"""
Make a torrent of a file or folder. No libtorrent is needed for this.

The torrent is BitTorrent v1 (BEP 3): every client reads it (aria2 and Transmission 3 don't read v2, and a hybrid
litters their folders with pad files), its infohash are the 20 bytes that this program and Tribler know a torrent by,
and it is hashed once, not twice. **Equal name and content make an equal infohash**, on any machine and at any time: the
pieces are as large as libtorrent (and so Tribler 8.4 by default) makes them for that size, files are in the order of
their paths as bytes, and the info dictionary holds nothing else: no date, no mode, no flag. So nodes that share the
same file are one swarm.

What is hashed is what was there: symbolic links and what is no file (pipes, devices) are left out, no link is followed
on the way, and a file that changes or vanishes meanwhile is an error.
"""
from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from hashlib import sha1
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ..client import ClientError
from ..torrents import MadeTorrent
from .walking import (
    BINARY,
    Cancelled,
    SourceFile,
    as_utf8,
    changed,
    check_unchanged,
    find_files,
    open_below,
    open_folder,
    source_of,
    unreadable,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence
    from pathlib import Path

SMALLEST_PIECE: Final = 1 << 14
LARGEST_SIZES: Final = (2684355, 10737418, 42949673, 171798692, 687194767, 2748779069, 10995116278, 43980465111,
                        175921860444, 703687441777)
"""The largest content of pieces of 16 KiB, 32 KiB, ... 8 MiB, as in libtorrent; above: 16 MiB. Changing a number gives
the same file another infohash."""

MAX_TORRENT: Final = 10_000_000
"""Bytes of a ``.torrent`` file, ours and those of others: what is larger is read by few clients and is mostly an
attack."""
MAX_TRACKERS: Final = 64
MAX_URL: Final = 2048
CHUNK: Final = 1 << 20
"""Bytes read at once: cancelling waits for no more than that."""
PROGRESS_INTERVAL: Final = 0.1
"""Seconds between two words on the progress."""
TRACKER_SCHEMES: Final = ("http", "https", "udp")



@dataclass(slots=True)
class Made:
    """
    What was made, and the files it is made of.
    """

    torrent: MadeTorrent
    files: list[SourceFile] = field(default_factory=list)


def piece_size(size: int) -> int:
    """
    Bytes per piece for content of that many bytes.
    """
    return SMALLEST_PIECE << bisect_left(LARGEST_SIZES, size)


def bencode(value: object) -> bytes:
    """
    Encode bytes, numbers, lists and dictionaries with keys of bytes (BEP 3).
    """
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, list):
        return b"l%se" % b"".join(map(bencode, value))
    assert isinstance(value, dict)
    return b"d%se" % b"".join(bencode(key) + bencode(value[key]) for key in sorted(value))


def check_trackers(trackers: Sequence[str]) -> list[bytes]:
    """
    The announce URLs as bytes.

    :raises ClientError: one line, on the first that is none.
    """
    if len(trackers) > MAX_TRACKERS:
        message = f"{len(trackers)} trackers are too many: {MAX_TRACKERS} at most"
        raise ClientError(message, 400)
    result = []
    for tracker in trackers:
        try:
            good = urlsplit(tracker).scheme in TRACKER_SCHEMES and bool(urlsplit(tracker).hostname)
        except ValueError:
            good = False
        if not good or len(tracker) > MAX_URL or not re.fullmatch(r"[!-~]+", tracker):
            message = f"{tracker[:80]!a} is no tracker: an address that begins with http://, https:// or udp://"
            raise ClientError(message, 400)
        result.append(tracker.encode())
    return result


def make_torrent(path: Path, trackers: Sequence[str], progress: Callable[[float], None],
                 cancelled: threading.Event) -> Made:
    """
    Hash a file or folder and make its torrent. It blocks: call it in a thread. `progress` is called there, ten times a
    second at most.

    :raises ClientError: one line, when it can't.
    :raises Cancelled: soon after the event is set.
    """
    announce = check_trackers(trackers)
    path = path.absolute()
    name = as_utf8(path.name, path)
    if not name:
        message = f"{path} has no name: a torrent can't be made of it"
        raise ClientError(message, 400)
    with open_folder(path.parent, path, follow=True) as parent:
        folder, files = find_files(path, parent, cancelled)
        size = sum(file.size for file in files)
        if not size:
            message = f"there is nothing in {path}: no torrent can be made of it"
            raise ClientError(message, 400)
        hasher = _Hasher(size, progress, cancelled)
        for file in files:
            hasher.add(path.joinpath(*file.parts), parent, (path.name, *file.parts), file)
        check_unchanged(path, parent, files)
    info: dict[bytes, object] = {b"name": name, b"piece length": hasher.piece, b"pieces": hasher.end()}
    if folder:
        info[b"files"] = [{b"length": file.size, b"path": [part.encode() for part in file.parts]} for file in files]
    else:
        info[b"length"] = size
    content: dict[bytes, object] = {b"info": info}
    if announce:
        content |= {b"announce": announce[0], b"announce-list": [[tracker] for tracker in announce]}
    data = bencode(content)
    if len(data) > MAX_TORRENT:
        message = f"{path} is too much for one torrent: {len(files)} files, {size} bytes"
        raise ClientError(message, 413)
    made = MadeTorrent(sha1(bencode(info)).digest(), path.name, size, str(path), data)
    return Made(made, files)


def write_output(made: MadeTorrent, output: Path) -> str:
    """
    Write the ``.torrent`` file, whole or not at all; get where it is. It blocks.

    :raises ClientError: when it can't be written, or something else has its name.
    """
    if output.is_dir():
        output = output / f"{made.name}.torrent"
    output = output.absolute()
    if output.parent.resolve().is_relative_to(os.path.realpath(made.path)):
        message = f"{output} would be inside of what it describes, and change it: choose another place"
        raise ClientError(message, 400)
    new = output.with_name(f".{made.infohash.hex()}.{os.getpid()}.new")
    try:
        with contextlib.suppress(FileNotFoundError):
            if output.stat().st_size == len(made.data) and output.read_bytes() == made.data:
                return str(output)
            raise FileExistsError
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o666), "wb") as file:
                file.write(made.data)
                file.flush()
                os.fsync(file.fileno())
            _rename_new(new, output)
        finally:
            with contextlib.suppress(OSError):
                new.unlink()
    except FileExistsError:
        message = f"{output} exists already and is something else: it was left alone"
        raise ClientError(message, 409) from None
    except OSError as error:
        message = f"can't write {output}: {error.strerror}"
        raise ClientError(message, 507 if error.errno == errno.ENOSPC else 403) from None
    return str(output)


def _rename_new(new: Path, output: Path) -> None:
    """
    Give a file its name, unless something has it.
    """
    try:
        output.hardlink_to(new)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(output):
            raise FileExistsError from None
        new.rename(output)


class _Hasher:
    """
    The SHA-1 of each piece of what is added.
    """

    def __init__(self, size: int, progress: Callable[[float], None], cancelled: threading.Event) -> None:
        """
        Begin.
        """
        self.size = size
        self.piece = piece_size(size)
        self.progress = progress
        self.cancelled = cancelled
        self.told = time.monotonic()
        self.done = 0
        self.hashes: list[bytes] = []
        self.hash = sha1()
        self.room = self.piece

    def add(self, path: Path, parent: int | None, parts: tuple[str, ...], file: SourceFile) -> None:
        """
        Add a file; an error when it isn't what was found before.
        """
        try:
            descriptor = open_below(path, parent, parts)
        except OSError as error:
            raise changed(path, error) from None
        try:
            if source_of(file.parts, os.fstat(descriptor)) != file:
                raise changed(path)
            left = file.size
            while left:
                chunk = os.read(descriptor, min(CHUNK, left, self.room))
                if not chunk:
                    raise changed(path)
                left -= len(chunk)
                self._feed(chunk)
            if source_of(file.parts, os.fstat(descriptor)) != file:
                raise changed(path)
        except OSError as error:
            raise unreadable(path, error) from None
        finally:
            os.close(descriptor)

    def _feed(self, chunk: bytes) -> None:
        self.hash.update(chunk)
        self.done += len(chunk)
        self.room -= len(chunk)
        if not self.room:
            self._finish_piece()
        if self.cancelled.is_set():
            raise Cancelled
        now = time.monotonic()
        if now - self.told >= PROGRESS_INTERVAL:
            self.told = now
            self.progress(self.done / self.size)

    def _finish_piece(self) -> None:
        self.hashes.append(self.hash.digest())
        self.hash, self.room = sha1(), self.piece

    def end(self) -> bytes:
        """
        All hashes.
        """
        if self.room < self.piece:
            self._finish_piece()
        self.progress(1.0)
        return b"".join(self.hashes)
