"""
Which part of a file is asked for (RFC 9110, section 14): one range of bytes, or all of it.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# Longer numbers than any file has are no numbers: a header is not worth reading a thousand digits for.
RANGE: Final = re.compile(r"bytes[ \t]*=[ \t]*(?:([0-9]{1,19})-([0-9]{1,19})?|-([0-9]{1,19}))[ \t]*",
                          re.ASCII | re.IGNORECASE)


class UnsatisfiableError(Exception):
    """
    The range lies behind the end: 416.
    """


def wanted(headers: Mapping[str, str], size: int, etag: str) -> range | None:
    """
    Get which of `size` bytes the headers of a request ask for; None: all of them, as if there were no `Range`. That is
    also the answer, which a server may always give, to more than one range, to what is none, and to an `If-Range` that
    names something else.

    :raises UnsatisfiableError: when there are no such bytes.
    """
    if headers.get("If-Range", etag).strip() != etag:
        return None
    match = RANGE.fullmatch(headers.get("Range", ""))
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), size if last is None else min(int(last) + 1, size)
        if last is not None and int(last) < start:
            return None
    if start >= end:
        raise UnsatisfiableError
    return range(start, end)


def matches(header: str | None, etag: str) -> bool:
    """
    Tell whether an `If-None-Match` names this version (weakly compared, as for it).
    """
    if header is None:
        return False
    return header.strip() == "*" or etag in (each.strip().removeprefix("W/") for each in header.split(","))
