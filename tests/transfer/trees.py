"""
Folders to offer, and what is in a folder.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tribler_multicast.transfer.limits import SEGMENT_SIZE

if TYPE_CHECKING:
    from pathlib import Path

MIB = SEGMENT_SIZE


def some_bytes(size: int, seed: int = 1) -> bytes:
    """
    The same random bytes each time.
    """
    return Random(seed).randbytes(size)


FOLDER: dict[str, bytes | None] = {"a/b/deep": b"1" * 1000, "a-b": b"2", "big": some_bytes(2 * MIB + 77), "empty": b"",
                                   "none": None, "z": some_bytes(MIB)}
"""Small and large, deep, empty, in an order that is not that of the characters."""


def make(folder: Path, files: dict[str, bytes | None]) -> Path:
    """
    Make files, and folders where the content is None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        if content is None:
            path.mkdir(parents=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    return folder


def contents(folder: Path) -> dict[str, bytes | None]:
    """
    What is in a folder: files with their bytes, empty folders with None. A link is a failure.
    """
    found: dict[str, bytes | None] = {}
    for path in sorted(folder.rglob("*")):
        assert not path.is_symlink(), path
        if path.is_file():
            found[str(path.relative_to(folder))] = path.read_bytes()
        elif not any(path.iterdir()):
            found[str(path.relative_to(folder))] = None
    return found
