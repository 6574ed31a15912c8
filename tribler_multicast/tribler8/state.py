"""
What the plugin keeps beside Tribler's own files.
"""
from __future__ import annotations

import contextlib
import json
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..durable import write_durably

if TYPE_CHECKING:
    from ..database import PeerDatabase

logger = logging.getLogger(__name__)

EPOCH_FILE = "multicast_epoch"
"""Beside the identity, which it belongs to. No folder of our own there: Tribler lists each as a version to remove."""

API_FILE = "api.json"
"""The name under which the commands look for a running node."""

TRANSFERS_FOLDER = "multicast-transfers"

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
    try:
        write_durably(path, [b"%d\n" % epoch])
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


def transfers_folder(config: Any) -> Path | None:  # noqa: ANN401
    """
    Where it is kept what is published and received coded: beside Tribler's own files of this version. None where
    Tribler keeps its own in memory.
    """
    return None if config.get("memory_db") else Path(config.get_version_state_dir()) / TRANSFERS_FOLDER


def write_api(state_dir: Path, url: str, key: str) -> None:
    """
    Leave word where the API is, readable by the owner only, so that ``tribler-multicast --state-dir`` finds it.
    """
    path = state_dir / API_FILE
    try:
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump({"url": url, "key": key, "page": f"{url}/ui/#/downloads/all?key={key}"}, file)
    except OSError as error:
        logger.warning("Cannot write %s: %s", path, error)


def remove_api(state_dir: Path) -> None:
    """
    Take the word back.
    """
    with contextlib.suppress(OSError):
        (state_dir / API_FILE).unlink()
