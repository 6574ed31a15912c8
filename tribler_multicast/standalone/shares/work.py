"""
What the reader has in hand: a folder that is being read, and names that were looked at.
"""
from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .index import Folder
    from .listing import Entry, Listing, Part
    from .roots import Root

NO_PARTS: Final[tuple[Part, ...]] = ()


@dataclass
class Reading:
    """
    A folder that is being read into the index, and the numbers of what was found in it already.
    """

    folder: Folder
    root: Root
    base: bytes
    fresh: bool
    mtime_ns: int = 0
    listing: Listing | None = None
    parts: Iterator[Part] = field(default_factory=lambda: iter(NO_PARTS))
    files: array[int] = field(default_factory=lambda: array("q"))
    folders: set[int] = field(default_factory=set)
    unreadable: int = 0

    def close(self) -> None:
        """
        Close the folder.
        """
        if self.listing is not None:
            self.listing.close()
            self.listing = None


class Look(NamedTuple):
    """
    What is under some names of a folder.
    """

    folder: Folder
    root: Root
    base: bytes
    found: list[tuple[bytes, Entry | None]]
