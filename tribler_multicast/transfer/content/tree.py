"""
The hash tree over the segments, and proofs from it (RFC 6962 section 2.1: Merkle tree hash, with SHA-256).

    leaf = SHA-256(00 | segment)       node = SHA-256(01 | left | right)       tree of nothing = SHA-256("")

A level with an odd number of nodes hands its last one up unchanged, which gives the same tree as RFC 6962's split at
the largest power of two. Level 0 are the leaves; node i of level l covers the segments from i * 2^l on.

A *run* is 2^height segments that begin at a multiple of 2^height, or what there is of them at the end. Its *proof* is
the hashes of its segments, then its uncles, bottom up: of each node on the way to the root the other child of its
parent, where there is one. Who has nodes above already (`wanted`) takes fewer uncles. A proof is checked when it comes,
before the data: so only true hashes are ever kept, and one forged is known as the fault of who sent it.

What is known is always closed upwards: with each node its sibling and its parent are known.
"""
from __future__ import annotations

from hashlib import sha256
from mmap import mmap
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

from ..limits import MAX_CONTENT_SIZE, MAX_INDEX_SIZE, MAX_RUN_HEIGHT, SEGMENT_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Bytes = bytes | bytearray | memoryview

HASH_SIZE: Final = 32
LARGE: Final = 1 << 16
EMPTY_ROOT: Final = sha256().digest()
MAX_SEGMENTS: Final = -(-MAX_CONTENT_SIZE // SEGMENT_SIZE) - (-MAX_INDEX_SIZE // SEGMENT_SIZE)


class Node(NamedTuple):
    """
    A hash and its place in the tree.
    """

    level: int
    number: int
    hash: bytes


def _zeros(size: int) -> bytearray | mmap:
    """
    Get memory. What nobody wrote to takes no room: a tree of 1 TiB costs what is known of it.
    """
    return mmap(-1, size) if size >= LARGE else bytearray(size)


def leaf_hash(segment: Bytes) -> bytes:
    """
    Get the hash of one segment.
    """
    digest = sha256(b"\0")
    digest.update(segment)
    return digest.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """
    Get the hash of two nodes.
    """
    return sha256(b"\1" + left + right).digest()


class HashTree:
    """
    What is known of the tree over some segments: at first the root only, or all of it (`of_leaves`).

    Takes 66 bytes of memory per segment once they are known: 270 KB for 4 GiB, 66 MiB for 1 TiB. One thread may add
    what others look up.
    """

    def __init__(self, segments: int, root: bytes) -> None:
        """
        Begin with the root.

        :raises ValueError: when there can be no such tree.
        """
        if not 0 <= segments <= MAX_SEGMENTS or len(root) != HASH_SIZE or (not segments and root != EMPTY_ROOT):
            raise ValueError("no such tree")
        self.segments = segments
        self.root = root
        self._counts = [segments]
        while self._counts[-1] > 1:
            self._counts.append((self._counts[-1] + 1) // 2)
        self._starts = [0]
        for count in self._counts:
            self._starts.append(self._starts[-1] + count)
        self._hashes = _zeros(self._starts[-1] * HASH_SIZE)
        self._known = _zeros(self._starts[-1])
        self._learned: list[tuple[int, int]] = []
        self._learning = Lock()
        if segments:
            self._put(self.height, 0, root)
            self._learned.clear()

    @classmethod
    def of_leaves(cls, leaves: Bytes) -> HashTree:
        """
        Make the whole tree of the hashes of all segments, one behind the other.
        """
        level = memoryview(leaves)
        levels = [bytes(level)]
        while len(levels[-1]) > HASH_SIZE:
            below = levels[-1]
            pairs = len(below) // (2 * HASH_SIZE) * 2 * HASH_SIZE
            above = [node_hash(below[at:at + HASH_SIZE], below[at + HASH_SIZE:at + 2 * HASH_SIZE])
                     for at in range(0, pairs, 2 * HASH_SIZE)]
            levels.append(b"".join(above) + below[pairs:])
        tree = cls(len(level) // HASH_SIZE, levels[-1] or EMPTY_ROOT)
        tree._hashes[:] = b"".join(levels)
        tree._known[:] = b"\1" * len(tree._known)
        return tree

    @property
    def height(self) -> int:
        """
        The level of the root.
        """
        return len(self._counts) - 1

    @property
    def is_whole(self) -> bool:
        """
        Whether the hash of every segment is known.
        """
        return self._known.find(b"\0") < 0

    def get(self, level: int, index: int) -> bytes | None:
        """
        Get a hash, None when it is not known. The place must be one of the tree.
        """
        at = self._starts[level] + index
        return bytes(self._hashes[at * HASH_SIZE:(at + 1) * HASH_SIZE]) if self._known[at] else None

    def leaf(self, segment: int) -> bytes | None:
        """
        Get the hash of a segment, None when it is not known.
        """
        return self.get(0, segment)

    def leaves(self) -> bytes:
        """
        Get the hashes of all segments, one behind the other; zeros where they are not known.
        """
        return bytes(self._hashes[:self.segments * HASH_SIZE])

    def check(self, segment: int, data: Bytes) -> bool | None:
        """
        Tell whether this is the segment; None when its hash is not known yet.
        """
        leaf = self.leaf(segment)
        return None if leaf is None else leaf_hash(data) == leaf

    def is_run(self, first: int, height: int) -> bool:
        """
        Tell whether a proof can be for this: `first` segment of 2^`height`.
        """
        return (0 <= height <= min(self.height, MAX_RUN_HEIGHT) and 0 <= first < self.segments
                and not first & (1 << height) - 1)

    def _run_size(self, first: int, height: int) -> int:
        return min(1 << height, self.segments - first)

    def _uncles(self, first: int, height: int) -> Iterator[tuple[int, int]]:
        index = first >> height
        for level in range(height, self.height):
            if index ^ 1 < self._counts[level]:
                yield level, index ^ 1
            index >>= 1

    def proof_size(self, first: int, height: int = 0) -> int:
        """
        Get the bytes that the proof of a run takes with all uncles.
        """
        return HASH_SIZE * (self._run_size(first, height) + sum(1 for _ in self._uncles(first, height)))

    def run_of(self, segment: int, room: int) -> tuple[int, int]:
        """
        Get the largest run (first segment, height) with this segment of which the whole proof takes at most `room`
        bytes; the segment alone when none does.
        """
        for height in range(min(self.height, MAX_RUN_HEIGHT), 0, -1):
            first = segment >> height << height
            if self.proof_size(first, height) <= room:
                return first, height
        return segment, 0

    def wanted(self, first: int, height: int = 0) -> int | None:
        """
        Get how many uncles it takes, from below, to check a run; None when all its hashes are known.
        """
        start, end = first, first + self._run_size(first, height)
        if self._known.find(b"\0", start, end) < 0:
            return None
        if self._known[self._starts[height] + (first >> height)]:
            return 0
        uncles = 0
        for level, index in self._uncles(first, height):
            if self._known[self._starts[level] + index]:
                break  # Then its sibling on our way is known as well: it was one of the nodes below a known one.
            uncles += 1
        return uncles

    def proof(self, first: int, height: int = 0, uncles: int | None = None) -> bytes | None:
        """
        Get the proof of a run with so many uncles (all when None); None when it is no run, or not known here.
        """
        if not self.is_run(first, height):
            return None
        places = [(0, segment) for segment in range(first, first + self._run_size(first, height))]
        places += list(self._uncles(first, height))[:uncles]
        hashes = [self.get(*place) for place in places]
        return None if None in hashes else b"".join(filter(None, hashes))

    def add(self, first: int, height: int, proof: bytes) -> bool:
        """
        Check a proof off the wire and keep what it says; False, and nothing is kept, when a bit of it is wrong or it
        does not reach what is known. Never raises.
        """
        if not self.is_run(first, height) or len(proof) % HASH_SIZE or len(proof) > self.proof_size(first, height):
            return False
        hashes = [proof[at:at + HASH_SIZE] for at in range(0, len(proof), HASH_SIZE)]
        size = self._run_size(first, height)
        if len(hashes) < size:
            return False
        found = [Node(0, first + number, leaf) for number, leaf in enumerate(hashes[:size])]
        row = hashes[:size]
        for level in range(height):
            row = [node_hash(*row[at:at + 2]) if at + 1 < len(row) else row[at] for at in range(0, len(row), 2)]
            found += [Node(level + 1, (first >> level + 1) + number, value) for number, value in enumerate(row)]
        top = self._climb(first >> height, height, row[0], hashes[size:], found)
        # It must end at something known, and agree with all that is known on its way.
        if self.get(*top) is None or any(self.get(level, index) not in (None, value) for level, index, value in found):
            return False
        with self._learning:
            for node in found:
                self._put(*node)
        return True

    def _climb(self, index: int, level: int, value: bytes, uncles: list[bytes], found: list[Node]) -> tuple[int, int]:
        """
        Go up with these uncles, note all nodes on the way in `found`, and get the place where they end.
        """
        left = iter(uncles)
        while level < self.height:
            if index ^ 1 < self._counts[level]:
                uncle = next(left, None)
                if uncle is None:
                    break
                found.append(Node(level, index ^ 1, uncle))
                value = node_hash(uncle, value) if index & 1 else node_hash(value, uncle)
            index, level = index >> 1, level + 1
            found.append(Node(level, index, value))
        return level, index

    def _put(self, level: int, index: int, value: bytes) -> None:
        at = self._starts[level] + index
        if not self._known[at]:
            self._hashes[at * HASH_SIZE:(at + 1) * HASH_SIZE] = value
            self._known[at] = 1
            self._learned.append((level, index))
            # One that was handed up unchanged is known below, too.
            if level and 2 * index + 1 == self._counts[level - 1]:
                self._put(level - 1, 2 * index, value)

    def learned(self) -> list[Node]:
        """
        Take the nodes that were learned since the last call, for a journal.
        """
        with self._learning:
            places, self._learned = self._learned, []
        return [Node(level, index, bytes(self._hashes[at * HASH_SIZE:(at + 1) * HASH_SIZE]))
                for level, index in places for at in (self._starts[level] + index,)]

    def nodes(self) -> list[Node]:
        """
        Get all that is known, the root first.
        """
        return [Node(level, index, value) for level in range(self.height, -1, -1)
                for index in range(self._counts[level]) if (value := self.get(level, index)) is not None]

    def restore(self, nodes: Iterable[Node]) -> None:
        """
        Keep what of these fits the root, from the top down; the rest is left out. Never raises.
        """
        given = {(level, index): value for level, index, value in nodes if len(value) == HASH_SIZE
                 and 0 <= level < self.height and 0 <= index < self._counts[level]}
        for level in range(self.height - 1, -1, -1):
            for index in range(0, self._counts[level], 2):
                parent, left = self.get(level + 1, index >> 1), given.get((level, index))
                if parent is None or left is None:
                    continue
                right = given.get((level, index + 1))
                if index + 1 == self._counts[level]:
                    if left == parent:
                        self._put(level, index, left)
                elif right is not None and node_hash(left, right) == parent:
                    self._put(level, index, left)
                    self._put(level, index + 1, right)
        self._learned.clear()
