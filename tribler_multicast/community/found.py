"""What a search found: the answers of all peers merged, the best first."""
from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..client import Result

INFOHASH_SIZE: Final = 20


@dataclass(frozen=True)
class Found:
    """
    Something that local peers know of: kind, name, size (bytes, None when unknown), id, the mids of those who know it,
    and of those among them who have it.
    """

    kind: str
    name: str
    size: int | None
    id: bytes
    mids: list[bytes] = field(default_factory=list)
    holders: list[bytes] = field(default_factory=list)

    @property
    def infohash(self) -> bytes | None:
        """
        The infohash (20 bytes) of a torrent, or of the torrent that is streamed from.
        """
        return self.id if self.kind in ("torrent", "stream") and len(self.id) == INFOHASH_SIZE else None


def words_of(text: str) -> list[str]:
    """
    Get the words of a text, for comparing.
    """
    return "".join(character if character.isalnum() else " " for character in text.casefold()).split()


def matches(text: str, name: str) -> bool:
    """
    Tell whether a name has all words of a text in it, in part at least.
    """
    folded = name.casefold()
    return all(word in folded for word in words_of(text))


def closeness(text: str, name: str) -> int:
    """
    Tell how well a name fits a text: 3 the same words, 2 it begins with them, 1 it has all of them, 0 not even that.
    """
    wanted, words = words_of(text), words_of(name)
    if words == wanted:
        return 3
    if words[:len(wanted)] == wanted:
        return 2
    return int(set(wanted) <= set(words))


class Merging:
    """
    Puts together what peers say that they have: the same kind and id is the same thing.
    """

    def __init__(self, text: str) -> None:
        """
        Start with nothing.
        """
        self.text = text
        self.told: dict[tuple[str, bytes], dict[bytes, Result]] = {}

    def add(self, mid: bytes, results: Iterable[Result]) -> list[Found]:
        """
        Take what a peer has; get what is new or has changed by it.
        """
        changed: dict[tuple[str, bytes], None] = {}
        for result in results:
            key = result.kind, result.id
            self.told.setdefault(key, {})[mid] = result
            changed[key] = None
        return [self.merged(key) for key in changed]

    def merged(self, key: tuple[str, bytes]) -> Found:
        """
        Get one thing, under the name and with the size that most of its peers say: one liar does not rename it.
        """
        told = self.told[key]
        [((name, size), _)] = Counter((result.name, result.size) for result in told.values()).most_common(1)
        holders = [mid for mid, result in told.items() if result.has]
        return Found(key[0], name, size, key[1], list(told), holders)

    def found(self) -> list[Found]:
        """
        Get all things: what more peers have first, or know, then what fits the words better, then by name.
        """
        return sorted((self.merged(key) for key in self.told), key=lambda found: (
            -len(found.holders), -len(found.mids), -closeness(self.text, found.name), found.name.casefold(),
            found.kind, found.id))
