"""
Queries and answers on the wire, and what makes their texts safe to show.

Both are about content, so what comes from the network is bounded and cleaned here, before anybody sees it.
"""
from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from os import urandom
from typing import TYPE_CHECKING, Final

from ..client import RESULT_KINDS, Result
from .limits import (
    MAX_ANSWER_PAGES,
    MAX_ANSWER_RESULTS,
    MAX_QUERY,
    MAX_RESULT_NAME,
    MAX_RESULT_SIZE,
)
from .pair_seal import SEAL_SIZE
from .wire import MAX_SIGNED, OVERHEAD, Reader, WireError

if TYPE_CHECKING:
    from collections.abc import Iterable

QUERY_ID_SIZE: Final = 8
QUERY_HEAD_SIZE: Final = QUERY_ID_SIZE + 4
TELL_NOTHING: Final = 0x80
"""Bit of the kinds: answer also when there is nothing to tell."""
NOT_HERE: Final = 0x80
"""Bit of the kind of a result: the sender only knows of it."""
UNKNOWN_SIZE: Final = (1 << 64) - 1
ID_SIZES: Final = {"torrent": (20,), "coded": (32,), "stream": (20, 32), "file": (32,)}
PAGE_HEAD_SIZE: Final = QUERY_ID_SIZE + 2
PAGE_ROOM: Final = MAX_SIGNED - OVERHEAD - SEAL_SIZE - PAGE_HEAD_SIZE
"""Bytes of results in one RESULTS."""


def clean_text(raw: bytes, most: int) -> str:
    """
    Get a text that is safe to show on a line, of at most so many bytes of UTF-8: no control, format (also those that
    turn the direction of writing), surrogate or line-breaking characters, however it was encoded; spaces are plain.
    """
    kept = []
    for character in raw[:most].decode(errors="ignore"):
        category = unicodedata.category(character)
        if category[0] == "Z" or character in "\t\n\r":
            kept.append(" ")
        elif category[0] != "C":
            kept.append(character)
    # A plain space is never longer than what it stands for, so this grows by nothing.
    return " ".join("".join(kept).split())


@dataclass(frozen=True, slots=True)
class Query:
    """
    What somebody looks for.

    `had` has a bit for each page of the answer that the asker has already; `tell_nothing`: answer also when there is
    nothing.
    """

    number: bytes
    text: str
    kinds: frozenset[str]
    most: int
    tell_nothing: bool = True
    had: int = 0

    @classmethod
    def make(cls, text: str, kinds: Iterable[str], most: int, tell_nothing: bool) -> Query:
        """
        Make a query with an id of its own.

        :raises ValueError: with one line, for what can't be looked for.
        """
        wanted = frozenset(kinds)
        if not wanted or wanted - set(RESULT_KINDS):
            msg = f"kinds must be some of {', '.join(RESULT_KINDS)}"
            raise ValueError(msg)
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            size = MAX_QUERY + 1
        if size > MAX_QUERY:
            msg = f"a query has at most {MAX_QUERY} bytes of UTF-8"
            raise ValueError(msg)
        cleaned = clean_text(text.encode(), MAX_QUERY)
        if not cleaned and wanted != {"stream"}:
            msg = "the query is empty"
            raise ValueError(msg)
        return cls(urandom(QUERY_ID_SIZE), cleaned, wanted, most, tell_nothing)

    def pack(self, had: int = 0) -> bytes:
        """
        Write: id (8), bits of the kinds wanted (1), most results wanted (1), a bit for each page there (2), text.
        """
        bits = sum(1 << RESULT_KINDS.index(kind) for kind in self.kinds) | (TELL_NOTHING if self.tell_nothing else 0)
        return b"".join((self.number, bytes((bits, self.most)), had.to_bytes(2, "big"), self.text.encode()))

    @classmethod
    def unpack(cls, payload: bytes) -> Query:
        """
        Read what `pack` wrote.

        :raises WireError: when it is no query, or exceeds a limit.
        """
        reader = Reader(payload)
        number, bits, most, had = reader.take(QUERY_ID_SIZE), reader.number(1), reader.number(1), reader.number(2)
        raw = payload[QUERY_HEAD_SIZE:]
        if len(raw) > MAX_QUERY or not most:
            msg = "no query"
            raise WireError(msg)
        kinds = frozenset(kind for bit, kind in enumerate(RESULT_KINDS) if bits >> bit & 1)
        text = clean_text(raw, MAX_QUERY)
        if not text and kinds != {"stream"}:
            msg = "empty query"
            raise WireError(msg)
        return cls(number, text, kinds, min(most, MAX_ANSWER_RESULTS), bool(bits & TELL_NOTHING), had)


def pack_result(result: Result) -> bytes:
    """
    Write: kind and whether it is here (1), size (8, all ones when unknown), length of the id (1), id, length of the
    name (1), name in UTF-8.

    :raises ValueError: when it can't be told to others.
    """
    if len(result.id) not in ID_SIZES.get(result.kind, ()):
        msg = f"no {result.kind} has an id of {len(result.id)} bytes"
        raise ValueError(msg)
    if result.size is not None and not 0 <= result.size <= MAX_RESULT_SIZE:
        msg = f"nothing has {result.size} bytes"
        raise ValueError(msg)
    name = clean_text(result.name.encode(errors="ignore"), MAX_RESULT_NAME).encode()
    size = UNKNOWN_SIZE if result.size is None else result.size
    kind = RESULT_KINDS.index(result.kind) + 1 | (0 if result.has else NOT_HERE)
    return b"".join((bytes((kind,)), size.to_bytes(8, "big"), bytes((len(result.id),)),
                     result.id, bytes((len(name),)), name))


def read_result(reader: Reader) -> Result | None:
    """
    Read what `pack_result` wrote; None for a kind that this version does not know.

    :raises WireError: when it is none, or exceeds a limit.
    """
    bits, size = reader.number(1), reader.number(8)
    number = bits & ~NOT_HERE
    identifier, raw = reader.take(reader.number(1)), reader.take(reader.number(1))
    if not 1 <= number <= len(RESULT_KINDS):
        return None
    kind = RESULT_KINDS[number - 1]
    if len(identifier) not in ID_SIZES[kind] or len(raw) > MAX_RESULT_NAME or MAX_RESULT_SIZE < size < UNKNOWN_SIZE:
        msg = "no result"
        raise WireError(msg)
    name = clean_text(raw, MAX_RESULT_NAME)
    return Result(kind, identifier, name, None if size == UNKNOWN_SIZE else size, not bits & NOT_HERE)


def pack_pages(query: Query, results: Iterable[Result]) -> list[bytes]:
    """
    Write an answer, at least one page: id of the query (8), number of the page from 0 (1), number of pages (1),
    results.

    What can't be told, was not asked for, or is too much, is left out.
    """
    bodies, count = [b""], 0
    for result in results:
        if count >= query.most:
            break
        if result.kind not in query.kinds:
            continue
        try:
            packed = pack_result(result)
        except ValueError:
            continue
        count += 1
        if len(bodies[-1]) + len(packed) > PAGE_ROOM:
            bodies.append(b"")
        bodies[-1] += packed
    bodies = bodies[:MAX_ANSWER_PAGES]
    return [query.number + bytes((number, len(bodies))) + body for number, body in enumerate(bodies)]


def read_page(payload: bytes) -> tuple[int, int, list[Result]]:
    """
    Read a page: its number, how many there are, and its results.

    :raises WireError: when it is no page, or exceeds a limit.
    """
    reader = Reader(payload)
    reader.take(QUERY_ID_SIZE)
    number, count = reader.number(1), reader.number(1)
    if not 1 <= count <= MAX_ANSWER_PAGES or number >= count:
        msg = "no page"
        raise WireError(msg)
    results = []
    while reader.position < len(payload):
        result = read_result(reader)
        if result is not None:
            results.append(result)
    return number, count, results
