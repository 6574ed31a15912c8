"""
A place where a stream can be cut.
"""
from __future__ import annotations

from typing import NamedTuple


class Cut(NamedTuple):
    """
    A player that has the head can begin at this position. `time` is what the stream says of when that is shown, in
    seconds since whenever, None when it says nothing that is understood.
    """

    position: int
    time: float | None
