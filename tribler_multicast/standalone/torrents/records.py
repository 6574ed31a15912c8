"""
What is kept of each torrent over a restart or a crash: one file each, ``<infohash>.record`` in ``torrents`` of the
state folder, replaced whole and durably, as everything in the state folder. One that is damaged is set aside, said, and
costs one torrent.

A torrent that is *whole* is kept as its ``.torrent`` with the sizes and times of its files: written once. A download is
kept with libtorrent's resume data, written again as it goes on.
"""
from __future__ import annotations

import contextlib
import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...durable import write_durably
from ...torrent_files.making import bencode

if TYPE_CHECKING:
    from .placing import File

logger = logging.getLogger(__name__)

FOLDER: Final = "torrents"
SUFFIX: Final = ".record"
DAMAGED: Final = ".damaged"
TOTALS: Final = "totals"
PORT: Final = "port"
VERSION: Final = 1
MAX_RECORD: Final = 64_000_000
"""Bytes of a record: what is larger is not one of ours. A torrent of 10 MB and the names of 50,000 files fit."""


@dataclass(slots=True)
class Record:
    """
    What is kept. `root` is the name of the data in `folder`, as far as it is known; `whole` means that it is all there.
    `own` data was there before: it is never deleted. `moving` is a name that a whole download is on its way to, once
    that name is `reserved`.
    """

    infohash: bytes
    folder: Path
    root: str = ""
    whole: bool = False
    own: bool = False
    lan_only: bool = False
    up_limit: int | None = None
    down_limit: int | None = None
    moving: str = ""
    reserved: bool = False
    content: bytes = b""
    """The ``.torrent`` file, where it is known."""
    resume: bytes = b""
    """libtorrent's resume data of a download."""
    files: list[File] = field(default_factory=list)
    """Of what is whole."""

    def encode(self) -> bytes:
        """
        The record as bytes.
        """
        values: dict[bytes, object] = {
            b"version": VERSION, b"infohash": self.infohash, b"folder": os.fsencode(self.folder),
            b"root": os.fsencode(self.root), b"whole": int(self.whole), b"own": int(self.own),
            b"lan_only": int(self.lan_only), b"moving": os.fsencode(self.moving), b"reserved": int(self.reserved),
            b"content": self.content, b"resume": self.resume,
            b"files": [[os.fsencode(path), size, mtime] for path, size, mtime in self.files]}
        limits = {b"up_limit": self.up_limit, b"down_limit": self.down_limit}
        values |= {key: limit for key, limit in limits.items() if limit is not None}
        return bencode(values)

    @staticmethod
    def decode(lt: Any, data: bytes) -> Record:  # noqa: ANN401
        """
        A record from bytes. Raises ValueError, KeyError, TypeError or RuntimeError when they are none.
        """
        values = lt.bdecode(data)
        if values[b"version"] != VERSION:
            message = f"version {values[b'version']}"
            raise ValueError(message)
        files = [(os.fsdecode(path), int(size), int(mtime)) for path, size, mtime in values[b"files"]]
        return Record(bytes(values[b"infohash"]), Path(os.fsdecode(values[b"folder"])), os.fsdecode(values[b"root"]),
                      bool(values[b"whole"]), bool(values[b"own"]), bool(values[b"lan_only"]), values.get(b"up_limit"),
                      values.get(b"down_limit"), os.fsdecode(values[b"moving"]), bool(values[b"reserved"]),
                      values[b"content"], values[b"resume"], files)


class Records:
    """
    All records. Everything blocks: call it in a thread.
    """

    def __init__(self, state_folder: Path) -> None:
        """
        Keep them there.
        """
        self.folder = state_folder / FOLDER

    def open(self) -> None:
        """
        Make the folder. Raises OSError.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, infohash: bytes) -> Path:
        """
        Where a record is.
        """
        return self.folder / (infohash.hex() + SUFFIX)

    def write(self, record: Record) -> None:
        """
        Keep a record. Raises OSError; the old one is whole then.
        """
        write_durably(self.path(record.infohash), [record.encode()])

    def remove(self, infohash: bytes) -> None:
        """
        Keep it no more.
        """
        with contextlib.suppress(OSError):
            self.path(infohash).unlink()

    def names(self) -> list[Path]:
        """
        All there are, oldest change first.
        """
        try:
            found = [(path.stat().st_mtime_ns, path) for path in self.folder.glob("*" + SUFFIX)]
        except OSError:
            logger.exception("Torrents of before can't be listed")
            return []
        return [path for _, path in sorted(found)]

    def read(self, lt: Any, path: Path) -> Record | None:  # noqa: ANN401
        """
        A record, None when it can't be read: then it is set aside, and said so.
        """
        try:
            if path.stat().st_size > MAX_RECORD:
                message = "too large"
                raise ValueError(message)
            record = Record.decode(lt, path.read_bytes())
            if path != self.path(record.infohash):
                message = "of another torrent"
                raise ValueError(message)
            return record
        except OSError as error:
            logger.warning("The torrent kept in %s is left out: %s", path, error.strerror)
        except (ValueError, KeyError, TypeError, RuntimeError, AttributeError, IndexError) as error:
            logger.warning("%s is damaged (%s): set aside, its torrent is left out", path, error)
            with contextlib.suppress(OSError):
                path.replace(path.with_suffix(DAMAGED))
        return None

    def read_totals(self, lt: Any) -> dict[bytes, tuple[int, int]]:  # noqa: ANN401
        """
        Bytes that torrents uploaded and downloaded before. They matter little: none when they can't be read.
        """
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RuntimeError, AttributeError):
            values = lt.bdecode((self.folder / TOTALS).read_bytes())
            return {infohash: (int(up), int(down)) for infohash, (up, down) in values.items()}
        return {}

    def write_totals(self, totals: dict[bytes, tuple[int, int]]) -> None:
        """
        Keep how much torrents uploaded and downloaded. Raises OSError.
        """
        write_durably(self.folder / TOTALS, [bencode({key: list(value) for key, value in totals.items()})])

    def read_port(self) -> int | None:
        """
        The port of the last time.
        """
        with contextlib.suppress(OSError, ValueError), (self.folder / PORT).open("rb") as file:
            port = int(file.read(8))
            return port if 1024 <= port <= 65535 else None
        return None

    def write_port(self, port: int) -> None:
        """
        Remember the port. Without it the next start takes another one.
        """
        with contextlib.suppress(OSError):
            write_durably(self.folder / PORT, [b"%d\n" % port])
