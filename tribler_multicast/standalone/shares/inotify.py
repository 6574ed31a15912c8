"""
Who tells that something in a folder changed: inotify(7) on Linux, nobody elsewhere.

What it tells is a hint where to look, never what is there: a folder renamed, an event lost or late, a folder that comes
back under another name need no care then. One watch per folder, with nothing in memory but two numbers for each; of the
events only those after which a look is worth it: not that a file was read, nor each write to one that stays open.

In the place of a library (watchdog): it has an object with a name per folder and asks for each opening and closing of a
file too, which is what others do here all the time when they download from us.
"""
from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

IN_ATTRIB: Final = 0x4
IN_CLOSE_WRITE: Final = 0x8
IN_MOVED_FROM: Final = 0x40
IN_MOVED_TO: Final = 0x80
IN_CREATE: Final = 0x100
IN_DELETE: Final = 0x200
IN_DELETE_SELF: Final = 0x400
IN_MOVE_SELF: Final = 0x800
IN_UNMOUNT: Final = 0x2000
IN_Q_OVERFLOW: Final = 0x4000
IN_IGNORED: Final = 0x8000
IN_ONLYDIR: Final = 0x0100_0000
IN_DONT_FOLLOW: Final = 0x0200_0000
IN_EXCL_UNLINK: Final = 0x0400_0000
IN_NONBLOCK: Final = os.O_NONBLOCK if hasattr(os, "O_NONBLOCK") else 0
IN_CLOEXEC: Final = getattr(os, "O_CLOEXEC", 0)

MASK: Final = (IN_ATTRIB | IN_CLOSE_WRITE | IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_DELETE_SELF
               | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)

EVENT: Final = struct.Struct("=iIII")
READ_SIZE: Final = 1 << 16
MOST_READS: Final = 64
"""Reads in a row: who writes faster than we read must not keep us from anything else."""

LIMIT_FILE: Final = "/proc/sys/fs/inotify/max_user_watches"


class WatchLimitError(Exception):
    """
    The system lets nobody watch more folders. The message is one line.
    """


class Watcher(Protocol):
    """
    Tells of folders, by number, that something in them changed.
    """

    watched: bool
    """Whether it can tell anything at all."""

    why: str
    """Why it can't, or not of all folders: one line."""

    def add(self, path: bytes, number: int) -> bool:
        """
        Watch a folder; False when that one can't be. Raises WatchLimitError.
        """

    def remove(self, number: int) -> None:
        """
        Watch it no more.
        """

    def clear(self) -> None:
        """
        Watch nothing any more.
        """

    def take(self) -> Iterator[tuple[int, bytes]]:
        """
        Get what happened since the last time: a folder and the name of something in it, empty for the folder itself;
        the folder -1: anything may have changed.
        """

    def wait(self, seconds: float) -> None:
        """
        Wait until something happens, or somebody wakes.
        """

    def wake(self) -> None:
        """
        End the wait. From any thread.
        """

    def close(self) -> None:
        """
        Free what the system gave.
        """

    def __len__(self) -> int:
        """
        Count the watched folders.
        """


class NoWatcher:
    """
    Where nobody tells: all folders are polled.
    """

    watched = False

    def __init__(self, why: str) -> None:
        """
        Watch nothing, for this reason.
        """
        self.why = why
        self.event = threading.Event()

    def add(self, path: bytes, number: int) -> bool:
        """
        Watch nothing.
        """
        return False

    def remove(self, number: int) -> None:
        """
        Nothing was watched.
        """

    def clear(self) -> None:
        """
        Nothing was watched.
        """

    def take(self) -> Iterator[tuple[int, bytes]]:
        """
        Tell nothing.
        """
        return iter(())

    def wait(self, seconds: float) -> None:
        """
        Wait until somebody wakes.
        """
        self.event.wait(seconds)
        self.event.clear()

    def wake(self) -> None:
        """
        End the wait.
        """
        self.event.set()

    def close(self) -> None:
        """
        Nothing was taken.
        """

    def __len__(self) -> int:
        """
        Count nothing.
        """
        return 0


class Inotify:
    """
    Folders watched by the kernel. Used from one thread, but for `wake`.
    """

    watched = True

    def __init__(self, most: int) -> None:
        """
        Begin to watch, so many folders at most.

        :raises OSError: where there is no inotify, or no more for this user.
        """
        self.most = most
        self.why = ""
        self.libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self.libc, "inotify_init1"):
            raise OSError(errno.ENOSYS, "no inotify here")
        self.descriptor: int = self.libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        if self.descriptor < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        try:
            self.awake, self.alarm = os.pipe()
        except OSError:
            os.close(self.descriptor)
            raise
        os.set_blocking(self.awake, False)
        os.set_blocking(self.alarm, False)
        self.poll = select.poll()
        self.poll.register(self.descriptor, select.POLLIN)
        self.poll.register(self.awake, select.POLLIN)
        self.lock = threading.Lock()
        self.numbers: dict[int, int] = {}
        self.watches: dict[int, int] = {}

    def __len__(self) -> int:
        """
        Count the watched folders.
        """
        return len(self.watches)

    def add(self, path: bytes, number: int) -> bool:
        """
        Watch a folder; False when that one can't be.

        A folder that was renamed has its old watch still: it counts for the new number from now on.

        :raises WatchLimitError: when no more can be watched.
        """
        if number not in self.watches and len(self.watches) >= self.most:
            message = f"more than {self.most} folders"
            raise WatchLimitError(message)
        watch: int = self.libc.inotify_add_watch(self.descriptor, path, ctypes.c_uint32(MASK))
        if watch < 0:
            failed = ctypes.get_errno()
            if failed in (errno.ENOSPC, errno.ENOMEM):
                message = f"the system lets this user watch no more folders ({LIMIT_FILE})"
                raise WatchLimitError(message)
            return False
        before = self.numbers.get(watch)
        if before is not None and before != number:
            self.watches.pop(before, None)
        other = self.watches.get(number)
        if other is not None and other != watch:
            # Another folder has the name now.
            self.numbers.pop(other, None)
            self.libc.inotify_rm_watch(self.descriptor, other)
        self.numbers[watch] = number
        self.watches[number] = watch
        return True

    def remove(self, number: int) -> None:
        """
        Watch it no more.
        """
        watch = self.watches.pop(number, None)
        if watch is not None and self.numbers.get(watch) == number:
            del self.numbers[watch]
            self.libc.inotify_rm_watch(self.descriptor, watch)

    def clear(self) -> None:
        """
        Watch nothing any more.
        """
        for number in list(self.watches):
            self.remove(number)

    def take(self) -> Iterator[tuple[int, bytes]]:
        """
        Get what happened since the last time, see Watcher.
        """
        for _ in range(MOST_READS):
            try:
                data = os.read(self.descriptor, READ_SIZE)
            except BlockingIOError:
                return
            offset = 0
            while offset + EVENT.size <= len(data):
                watch, mask, _, length = EVENT.unpack_from(data, offset)
                name = data[offset + EVENT.size:offset + EVENT.size + length].rstrip(b"\0")
                offset += EVENT.size + length
                if mask & IN_Q_OVERFLOW:
                    yield -1, b""
                elif (number := self.numbers.get(watch)) is not None:
                    if mask & IN_IGNORED:
                        del self.numbers[watch]
                        self.watches.pop(number, None)
                    yield number, name

    def wait(self, seconds: float) -> None:
        """
        Wait until something happens, or somebody wakes.
        """
        self.poll.poll(max(0.0, seconds) * 1000)
        with suppress(BlockingIOError):
            os.read(self.awake, 4096)

    def wake(self) -> None:
        """
        End the wait.
        """
        with self.lock:
            if self.alarm >= 0:
                with suppress(BlockingIOError):
                    os.write(self.alarm, b"!")

    def close(self) -> None:
        """
        Close all descriptors.
        """
        with self.lock:
            for descriptor in (self.descriptor, self.awake, self.alarm):
                os.close(descriptor)
            self.alarm = -1


def create_watcher(most: int) -> Watcher:
    """
    Get the best watcher that there is, for so many folders at most.
    """
    if sys.platform != "linux":
        return NoWatcher("changes are polled for: no inotify on this system")
    try:
        return Inotify(most)
    except OSError as error:
        return NoWatcher(f"changes are polled for: no inotify ({error.strerror})")
