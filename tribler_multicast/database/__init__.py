"""
The peers this node remembers, in an SQLite file of its own (Pony ORM, imported when the file is opened).

``peers`` keeps them in memory and writes them through; ``store`` is the file; ``schema`` makes, checks and migrates it.
"""

from __future__ import annotations

from .peers import PeerDatabase
from .record import PeerRecord, Traffic
from .schema import DatabaseTooNewError

__all__ = ["DatabaseTooNewError", "PeerDatabase", "PeerRecord", "Traffic"]
