"""
What the plugin keeps beside Tribler's own files.
"""
from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..database import PeerDatabase

logger = logging.getLogger(__name__)

EPOCH_FILE = "multicast_epoch"
"""Beside the identity, which it belongs to. No folder of our own there: Tribler lists each as a version to remove."""

MAX_EPOCH = 2**63
"""Epochs have 64 bits on the wire; what is above is a damaged file."""


def next_epoch(state_dir: Path) -> int:
    """
    The number of this start, higher than any before it, and on the disk before it is returned.

    The higher of a counter and the clock: the clock may be set back, the file lost. A disk that takes no file costs no
    more than that.
    """
    path = state_dir / EPOCH_FILE
    stored = 0
    with contextlib.suppress(OSError, ValueError), path.open("rb") as file:
        stored = int(file.read(32))
    if not 0 <= stored < MAX_EPOCH:
        stored = 0
    epoch = max(stored + 1, int(time.time()))
    new = path.with_name(path.name + ".new")
    try:
        with new.open("wb") as file:
            file.write(b"%d\n" % epoch)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as error:
        logger.warning("Cannot write %s: %s", path, error)
    return epoch


def open_database(config: Any) -> PeerDatabase | None:  # noqa: ANN401
    """
    Open the database of peers beside Tribler's own, None where Tribler keeps its own in memory, or ours is too new.
    """
    from ..database import DatabaseTooNewError, PeerDatabase  # noqa: PLC0415 (after the checks that need none of it)

    if config.get("memory_db"):
        return None
    path = Path(config.get_version_state_dir()) / "sqlite" / "multicast.db"
    try:
        return PeerDatabase.open(path, time.time())
    except DatabaseTooNewError as error:
        logger.warning("Peers are not remembered: %s", error)
        return None
