"""
What is remembered over a restart: what is published, and what is not done yet. One file, durable, JSON:

    {"version": 1,
     "publications": [{"path": text, "manifest": hex, "paused": bool, "rate": number or null, "weight": number}],
     "transfers": [{"id": hex, "content_id": hex, "output": text, "rate": number or null, "paused": bool,
                    "manifest": hex or null}]}
"""
from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any, Final, NamedTuple

from ...durable import write_durably
from ..content.manifest import ID_SIZE, Manifest
from ..errors import ContentError, StoreError, reason, shown
from .limits import REMEMBERED, TRANSFERS

logger = logging.getLogger(__name__)

NAME: Final = "transfers.json"
VERSION: Final = 1


class Published(NamedTuple):
    """
    A publication as it is remembered.
    """

    path: Path
    manifest: Manifest
    paused: bool = False
    rate: int | None = None
    weight: float = 1.0


class Wanted(NamedTuple):
    """
    A transfer that is not done.
    """

    id: str
    content_id: bytes
    output: Path
    rate: int | None = None
    paused: bool = False
    manifest: Manifest | None = None


class Memory(NamedTuple):
    """
    All of it.
    """

    publications: list[Published]
    transfers: list[Wanted]


def save(folder: Path, memory: Memory) -> None:
    """
    Write it down.

    :raises StoreError: when that can't be done; what was written before is there then.
    """
    document = {
        "version": VERSION,
        "publications": [{"path": str(each.path), "manifest": each.manifest.pack().hex(), "paused": each.paused,
                          "rate": each.rate, "weight": each.weight} for each in memory.publications],
        "transfers": [{"id": each.id, "content_id": each.content_id.hex(), "output": str(each.output),
                       "rate": each.rate, "paused": each.paused,
                       "manifest": None if each.manifest is None else each.manifest.pack().hex()}
                      for each in memory.transfers]}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(folder / NAME, (json.dumps(document, indent=1).encode(),))
    except OSError as error:
        raise StoreError(f"cannot write to {shown(str(folder))}: {reason(error)}") from None


def load(folder: Path) -> Memory:
    """
    Read it. A file that makes no sense is set aside, said in the log, and counts as none; so does a single entry.
    """
    path = folder / NAME
    memory = Memory([], [])
    try:
        with path.open("rb") as file:
            data = file.read(REMEMBERED + 1)
        if len(data) > REMEMBERED:
            raise ValueError("it is too long")
        document = json.loads(data)
        if document["version"] != VERSION:
            raise ValueError("it is of another version")
        publications, transfers = list(document["publications"]), list(document["transfers"])
    except FileNotFoundError:
        return memory
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        _set_aside(path, error)
        return memory
    for entry in publications[:TRANSFERS]:
        try:
            memory.publications.append(_published(entry))
        except (ValueError, KeyError, TypeError, ContentError) as error:
            logger.warning("A publication in %s makes no sense: %r", path, error)
    for entry in transfers[:TRANSFERS]:
        try:
            memory.transfers.append(_wanted(entry))
        except (ValueError, KeyError, TypeError, ContentError) as error:
            logger.warning("A transfer in %s makes no sense: %r", path, error)
    return memory


def _set_aside(path: Path, error: Exception) -> None:
    aside = path.with_name(path.name + ".bad")
    logger.warning("%s can't be read (%s): it is kept as %s", path, error, aside.name)
    try:
        os.replace(path, aside)
    except OSError as failure:
        logger.warning("%s stays: %s", path, reason(failure))


def _published(entry: dict[str, Any]) -> Published:
    weight = float(entry["weight"])
    if not 0 < weight < float("inf"):
        raise ValueError("no weight")
    return Published(Path(str(entry["path"])), Manifest.read(bytes.fromhex(entry["manifest"])),
                     entry["paused"] is True, _rate(entry["rate"]), weight)


def _wanted(entry: dict[str, Any]) -> Wanted:
    id, content_id = str(entry["id"]), bytes.fromhex(entry["content_id"])  # noqa: A001
    if len(bytes.fromhex(id)) != 8 or len(content_id) != ID_SIZE:
        raise ValueError("no id")
    manifest = None if entry["manifest"] is None else Manifest.read(bytes.fromhex(entry["manifest"]), content_id)
    return Wanted(id, content_id, Path(str(entry["output"])), _rate(entry["rate"]), entry["paused"] is True, manifest)


def _rate(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or value <= 0:
        raise ValueError("no rate")
    return value
