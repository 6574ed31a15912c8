"""
Subscriptions on the disk: a JSON file, replaced whole and durably.

    {"version": 1, "subscriptions": [{"key": hex, "folder": text or null, "first": number, "since": number,
     "looked": bool, "baseline": number, "seen": [hex],
     "begun": [{"content_id": hex, "name": text, "size": number, "at": number, "transfer": text}]}]}
"""
from __future__ import annotations

import json
import logging
import os
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from ..durable import write_durably

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .subscribing import Subscription

logger = logging.getLogger(__name__)

VERSION: Final = 1

MAX_FILE: Final = 32 << 20
"""Bytes of the file: 64 subscriptions with all that they remember are 9 MB. Stops a wrong file from being read."""


def save_subscriptions(path: Path, subscriptions: Sequence[Subscription]) -> None:
    """
    Write them all. What the disk refuses is said in the log: the next change writes all of it again.
    """
    document = {"version": VERSION, "subscriptions": [
        {"key": each.public_key.hex(), "folder": each.folder, "first": each.first, "since": each.since,
         "looked": each.looked, "baseline": each.baseline,
         "seen": [content_id.hex() for content_id in each.seen],
         "begun": [{**vars(begun), "content_id": begun.content_id.hex()} for begun in each.begun]}
        for each in subscriptions]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_durably(path, [json.dumps(document).encode()])
    except OSError as error:
        logger.warning("Subscriptions can't be written to %s: %s", path, error.strerror)


def load_subscriptions(path: Path) -> list[Subscription]:
    """
    Read them. A file that makes no sense is set aside, said in the log, and counts as none.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise ValueError("it is too long")
        document = json.loads(data)
        if document["version"] != VERSION:
            raise ValueError("it is of another version")
        return [_subscription(each) for each in document["subscriptions"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        logger.warning("%s can't be read (%s): it is kept as %s.bad", path, error, path.name)
        try:
            os.replace(path, path.with_name(path.name + ".bad"))
        except OSError as failure:
            logger.warning("%s stays: %s", path, failure.strerror)
        return []


def _subscription(entry: dict[str, Any]) -> Subscription:
    from .subscribing import Begun, Subscription  # noqa: PLC0415 (which loads this module)

    key = bytes.fromhex(entry["key"])
    if len(key) != 74:
        raise ValueError("no key")
    folder = entry["folder"]
    if folder is not None and not isinstance(folder, str):
        raise ValueError("no folder")
    seen = OrderedDict.fromkeys(bytes.fromhex(each) for each in entry["seen"])
    begun = [Begun(bytes.fromhex(each["content_id"]), str(each["name"]), int(each["size"]), float(each["at"]),
                   str(each["transfer"])) for each in entry["begun"]]
    return Subscription(key, folder, int(entry["first"]), float(entry["since"]), entry["looked"] is True,
                        int(entry["baseline"]), seen, begun)
