"""
Every bound of the index of shared files, and the failure or attack it stops. Times are seconds, sizes bytes.
"""
from __future__ import annotations

from typing import Final

MAX_FILES: Final = 1_000_000
MAX_FOLDERS: Final = 200_000
"""Files and folders in the index, some 500 bytes of disk each: who shares a whole archive, or has a program run wild in
a share, must not fill the disk of the node's state. What comes after is not found, and the status says so."""

MAX_DEPTH: Final = 64
"""Folders inside each other, below a share. Deeper is no collection but a program gone wrong."""

BATCH_ENTRIES: Final = 400
BATCH_TIME: Final = 0.05
"""Files in one transaction, and seconds spent looking for them: each is short, so that the threads of the node get
their turn, a kill loses next to nothing, and who wants to write besides waits next to no time."""

REST: Final = 1.0
MOST_REST: Final = 0.5
"""Rest after each batch, as a multiple of the time that it took, and at most: indexing takes half of a core, not one,
and half of what the disk gives."""

SETTLE: Final = 0.25
"""From the first sign of a change until it is looked at: a file that is written all the time costs four looks a second,
and a thousand files that are unpacked cost a few batches."""

MOST_NAMES: Final = 200
"""Names in one folder that are looked at one by one after a change; more, and the whole folder is read."""

FOLDER_CHECK: Final = 2.0
"""Between two looks whether the shared folders themselves are there, and the same as before: nothing tells that a disk
was mounted over a folder."""

POLL: Final = 3.0
POLL_SHARE: Final = 20.0
"""Between two looks at all folders where the system tells of no changes, and at least so many times what a look takes:
a slow network drive is asked 5 % of the time, not without end."""

HOT: Final = 60.0
MOST_HOT: Final = 200
"""There, folders with a file that was written so short a time ago are read as a whole each time, so many of them: a
file that is being copied grows, and its folder's time does not tell."""

TURN: Final = 0.1
MOST_IN_TURN: Final = 5000
TURN_SHARE: Final = 60.0
"""And the others by turns, for so long each time, but no more folders than these, and at least so many times that long
between two turns: a file that is written in place is found, for less than 2 % of the time."""

SAFETY: Final = 600.0
"""The same where the system tells of changes: what it missed (a mount inside, a change by another machine) is found."""

MAX_WATCHES: Final = 65_536
"""Folders watched with inotify, some 1 KiB of the kernel's memory each: other programs of this user want some too. The
rest of a larger share is polled."""

MAX_WORDS: Final = 16
"""Words of a search that count: each costs a look into the index, and 128 bytes have room for 64."""

CANDIDATES: Final = 200
"""Files looked at for one search, at each of its steps, if not more are asked for: a word that all files have costs no
more than one that these have."""

SEARCH_TIME: Final = 1.0
"""Most that a search takes; then it tells what it has. Who asks waits for two seconds."""

BUSY_TIMEOUT: Final = 3.0
"""Patience with another writer of the index: batches are shorter by far."""

RETRY: Final = 15.0
"""Until the next attempt after a full disk, or whatever else keeps the index from being written."""

LOG_INTERVAL: Final = 60.0
"""Between two lines in the log about an index that can't be written: a full disk must not be filled by the log."""

MAX_HASHES: Final = 100_000
KEEP_HASHES: Final = 90 * 86400.0
"""Infohashes kept of files that are gone, and for how long: a drive that comes back costs no hashing, and one that
never does no disk for ever."""

CACHE: Final = 4096
"""KiB of the index that its writer keeps in memory."""

CLOSE_TIME: Final = 0.4
"""For the thread to end. One that waits for a network drive is left behind: it ends with the process."""

START_TIME: Final = 2.0
"""For the index to be opened before the node goes on to start without: a slow disk must not hold it up."""

PAGE_OF_FOLDERS: Final = 500
"""Folders read from the index at once: a list of all is never in memory."""
