"""
A disk that forgets, when the power goes, what was not made durable: the worst that POSIX allows.

While it is watched, each `os.fsync` notes what the file, or the names in the folder, are then. `crash` makes the folder
as it may be after the power went right now: of each file what was noted, with any of the pages written since; of each
folder the names that were noted, with any of the changes since, but that renaming is one step. What was never made
durable may be there in part, or not at all.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from tribler_multicast.transfer.store import area

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    import pytest

PAGE = 4096


class Disk:
    """
    What is durable below one folder.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Watch: everything that is there now is durable.
        """
        self.folder = folder
        self.files: dict[int, bytes] = {}
        self.names: dict[int, dict[str, int]] = {}
        self.before: Callable[[], None] = lambda: None
        """Is called before anything becomes durable."""
        self.journal = b""
        """A journal as it was when one was last made durable."""
        self._held: dict[int, int] = {}
        self.sync_all(-1)
        monkeypatch.setattr(os, "fsync", self.fsync)
        monkeypatch.setattr(area, "sync_all", self.sync_all)

    def fsync(self, file: int) -> None:
        """
        Note what this file is.
        """
        self.before()
        self._note(f"/proc/self/fd/{file}")

    def sync_all(self, _file: int) -> bool:
        """
        Note everything.
        """
        self.before()
        for path in (self.folder, *self.folder.rglob("*")):
            self._note(str(path))
        return True

    def _note(self, path: str) -> None:
        found = os.stat(path)
        if found.st_ino not in self._held:
            # So that its number is not given to another file once it is deleted.
            self._held[found.st_ino] = os.open(path, os.O_RDONLY)
        if stat.S_ISDIR(found.st_mode):
            self.names[found.st_ino] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            with open(path, "rb") as file:
                self.files[found.st_ino] = file.read()
            if os.path.realpath(path).endswith(("/journal", "/journal.new")):
                self.journal = self.files[found.st_ino]

    def close(self) -> None:
        """
        Forget everything.
        """
        for held in self._held.values():
            os.close(held)
        self._held.clear()

    def crash(self, target: Path, random: Random) -> None:
        """
        Make `target` what the folder may be after the power went now.
        """
        now: dict[int, Path] = {}
        for path in (self.folder, *self.folder.rglob("*")):
            now[path.stat().st_ino] = path
        self._folder(self.folder.stat().st_ino, target, now, random)

    def _folder(self, inode: int, target: Path, now: dict[int, Path], random: Random) -> None:
        target.mkdir()
        noted = self.names.get(inode, {})
        there = {entry.name: entry.inode() for entry in os.scandir(now[inode])} if inode in now else noted
        # A file has the names that it had or those that it has: renaming it is one step, replacing another too.
        names = {}
        for number in sorted({*noted.values(), *there.values()}):
            world = random.choice([noted, there])
            names.update({name: found for name, found in world.items() if found == number})
        names.update({name: found for name, found in noted.items() if name in there and name not in names})
        for name, found in sorted(names.items()):
            if found in self.names or (found in now and now[found].is_dir()):
                self._folder(found, target / name, now, random)
            else:
                (target / name).write_bytes(self._file(found, now, random))

    def _file(self, inode: int, now: dict[int, Path], random: Random) -> bytes:
        old = self.files.get(inode, b"")
        new = now[inode].read_bytes() if inode in now else old
        if old == new:
            return old
        size = random.choice([len(old), len(new), random.randint(min(len(old), len(new)), max(len(old), len(new)))])
        pages = [random.choice([old, new])[at:at + PAGE].ljust(PAGE, b"\0") for at in range(0, size, PAGE)]
        return b"".join(pages)[:size]
