"""
What is in a folder on the disk: read in parts, and never through a symbolic link.

A folder is opened first and then asked where it is: what was swapped for a link on the way, just before or long ago, is
found out, and what is read is what was opened (on Linux; elsewhere it is checked before).
"""
from __future__ import annotations

import os
import stat
import sys
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from .limits import MAX_DEPTH
from .names import CONTROL, is_shared_file, is_shared_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

BY_DESCRIPTOR: Final = os.scandir in os.supports_fd and sys.platform != "win32"
SEPARATOR: Final = os.fsencode(os.sep)

RACY: Final = 3_000_000_000
FUTURE: Final = 600_000_000_000
"""Nanoseconds: a folder that changed so short a time ago may change again without getting another time."""

# Of Windows: hidden, of the system, and a link of some kind or a file that is in a cloud only.
SKIPPED_ATTRIBUTES: Final = 0x2 | 0x4 | 0x400

NETWORK_FILE_SYSTEMS: Final = ("nfs", "cifs", "smb", "9p", "fuse", "ceph", "afs", "lustre", "gfs2", "ocfs2", "vboxsf",
                               "prl_fs", "virtiofs", "davfs", "ncpfs", "glusterfs", "beegfs", "shfs")
"""Where others can change files without this system being told: by the start of their names."""


class Entry(NamedTuple):
    """
    Something in a folder that may be shared, or have in it what may.
    """

    name: bytes
    is_folder: bool
    size: int
    mtime_ns: int


class Part(NamedTuple):
    """
    A part of what is in a folder; `unreadable` counts the files in it that this user may not read.
    """

    entries: list[Entry]
    unreadable: int
    last: bool


def join(folder: bytes, name: bytes) -> bytes:
    """
    Get the path of something in a folder.
    """
    return folder + name if folder.endswith(SEPARATOR) else folder + SEPARATOR + name if name else folder


def is_plain(path: bytes, root: bytes) -> bool:
    """
    Is there no symbolic link on the way from the root to this path below it, itself included?
    """
    while path != root:
        try:
            if stat.S_ISLNK(os.lstat(path).st_mode):
                return False
        except OSError:
            return False
        above = os.path.dirname(path)
        if above == path or len(above) < len(root):
            return False
        path = above
    return True


def is_loop(path: bytes, root: bytes) -> bool:
    """
    Is this folder one of those it is in, or too deep? A mount can do that, without any link.
    """
    here = os.stat(path)
    for _ in range(MAX_DEPTH):
        if path == root:
            return False
        path = os.path.dirname(path)
        try:
            above = os.stat(path)
        except OSError:
            return True
        if here.st_ino and os.path.samestat(here, above):
            return True
    return True


def as_entry(name: bytes, found: os.stat_result) -> Entry | None:
    """
    Get what a name and its status (not followed) make; None when it is never shared: links, devices, empty files.
    """
    if getattr(found, "st_file_attributes", 0) & SKIPPED_ATTRIBUTES:
        return None
    if stat.S_ISDIR(found.st_mode):
        return Entry(name, True, 0, 0) if is_shared_folder(name) else None
    if stat.S_ISREG(found.st_mode) and found.st_size > 0 and is_shared_file(name):
        return Entry(name, False, found.st_size, found.st_mtime_ns)
    return None


class Listing:
    """
    A folder that is being read.
    """

    def __init__(self, path: bytes, root: bytes) -> None:
        """
        Open a folder.

        :raises OSError: when it can't be, or is not where it seems to be.
        """
        self.descriptor = -1
        self.path = path
        try:
            if BY_DESCRIPTOR:
                self.descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
                found = os.fstat(self.descriptor)
                plain = _place(self.descriptor, path, root)
            else:
                found = os.stat(path, follow_symlinks=False)
                plain = stat.S_ISDIR(found.st_mode) and is_plain(path, root)
            if not plain:
                raise NotADirectoryError(20, "a symbolic link is on the way", os.fsdecode(path))
            self.device = found.st_dev
            # A time far in the future is that of a wrong clock, not of a change that goes on.
            recent = -FUTURE < time.time_ns() - found.st_mtime_ns < RACY
            self.mtime_ns = 0 if recent else found.st_mtime_ns
            self.scanner = os.scandir(self.descriptor if BY_DESCRIPTOR else path)
        except BaseException:
            if self.descriptor >= 0:
                os.close(self.descriptor)
            raise

    def parts(self, size: int) -> Iterator[Part]:
        """
        Read it, in parts of so many entries.

        What goes wrong with a single entry leaves that one out.

        :raises OSError: when it can't be read on.
        """
        entries: list[Entry] = []
        unreadable = 0
        for found in self.scanner:
            name = os.fsencode(found.name)
            try:
                entry = as_entry(name, found.stat(follow_symlinks=False))
                if entry is not None and not entry.is_folder and not self.may_read(name):
                    entry = None
                    unreadable += 1
            except OSError:
                continue
            if entry is not None and (entry.is_folder or not self.has_control(name)):
                entries.append(entry)
                if len(entries) >= size:
                    yield Part(entries, unreadable, False)
                    entries, unreadable = [], 0
        yield Part(entries, unreadable, True)

    def look(self, name: bytes) -> tuple[Entry | None, bool]:
        """
        Look at one name; get what it is, if it may be shared, and whether it is a file that can't be read.
        """
        try:
            if self.descriptor >= 0:
                found = os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)
            else:
                found = os.lstat(join(self.path, name))
            entry = as_entry(name, found)
            if entry is None or entry.is_folder:
                return entry, False
            if not self.may_read(name):
                return None, True
        except OSError:
            return None, False
        return (None if self.has_control(name) else entry), False

    def may_read(self, name: bytes) -> bool:
        """
        May this user read the file?
        """
        if self.descriptor >= 0:
            return os.access(name, os.R_OK, dir_fd=self.descriptor)
        return os.access(join(self.path, name), os.R_OK)

    def has_control(self, name: bytes) -> bool:
        """
        Is there a control file of aria2 beside it?
        """
        if self.descriptor >= 0:
            return os.access(name + CONTROL, os.F_OK, dir_fd=self.descriptor)
        return os.path.lexists(join(self.path, name) + CONTROL)

    def close(self) -> None:
        """
        Close it.
        """
        self.scanner.close()
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _place(descriptor: int, path: bytes, root: bytes) -> bool:
    """
    Is the open folder where its path says, with no link on the way?
    """
    try:
        return os.readlink(b"/proc/self/fd/%d" % descriptor) == path
    except OSError:
        return is_plain(path, root)


def network_devices() -> dict[int, str]:
    """
    Get the device numbers of network and other file systems that tell of no changes, with their kind (Linux).
    """
    devices: dict[int, str] = {}
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as table:
            for line in table:
                fields, _, rest = line.partition(" - ")
                major, _, minor = fields.split()[2].partition(":")
                kind = rest.split()[0]
                if kind.startswith(NETWORK_FILE_SYSTEMS):
                    devices[os.makedev(int(major), int(minor))] = kind
    except (OSError, ValueError, IndexError):
        pass
    return devices
