"""
Where which segment is: a content is its index, cut into segments, and then its files' bytes, one behind the other in
the order of the index, cut into segments.

Index and data begin a segment each, so that segment and file of a single file (which has no index) are in step, and
what an index of another length would change is the index only. The last segment of each may be shorter; none is empty.
"""
from __future__ import annotations

from array import array
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from ..limits import SEGMENT_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Layout(NamedTuple):
    """
    The cut of a content: sizes in bytes.
    """

    index_size: int
    data_size: int

    @property
    def index_segments(self) -> int:
        """
        How many segments are the index: the first ones.
        """
        return -(-self.index_size // SEGMENT_SIZE)

    @property
    def segments(self) -> int:
        """
        How many there are.
        """
        return self.index_segments - (-self.data_size // SEGMENT_SIZE)

    def is_index(self, segment: int) -> bool:
        """
        Tell whether a segment belongs to the index.
        """
        return segment < self.index_segments

    def start(self, segment: int) -> int:
        """
        Get where a segment begins, in the index or in the data.
        """
        return (segment if self.is_index(segment) else segment - self.index_segments) * SEGMENT_SIZE

    def length(self, segment: int) -> int:
        """
        Get the bytes of a segment.
        """
        whole = self.index_size if self.is_index(segment) else self.data_size
        return min(SEGMENT_SIZE, whole - self.start(segment))

    def of_data(self, start: int, length: int) -> range:
        """
        Get the segments that hold so many bytes of the data.
        """
        first = self.index_segments
        if length <= 0:
            return range(first, first)
        return range(first + start // SEGMENT_SIZE, first + (start + length - 1) // SEGMENT_SIZE + 1)


class Span(NamedTuple):
    """
    A part of one file.
    """

    file: int
    """Its number in the index."""
    start: int
    length: int


class Spans:
    """
    Which parts of which files a part of the data is. 8 bytes of memory per file.
    """

    def __init__(self, sizes: Iterable[int]) -> None:
        """
        Take the sizes of the files (0 for folders), in the order of the index.
        """
        self.starts = array("Q", accumulate(sizes, initial=0))

    @property
    def size(self) -> int:
        """
        Bytes of all files.
        """
        return self.starts[-1]

    def of(self, start: int, length: int) -> Iterator[Span]:
        """
        Get the spans of so many bytes of the data, in order, none of them empty.
        """
        end = start + length
        file = bisect_right(self.starts, start) - 1
        while start < end:
            stop = min(end, self.starts[file + 1])
            if stop > start:
                yield Span(file, start - self.starts[file], stop - start)
            start, file = stop, file + 1

    def files_of(self, start: int, length: int) -> Sequence[int]:
        """
        Get the numbers of the files that have bytes there.
        """
        return [span.file for span in self.of(start, length)]
