"""
Looks at the folders of the node's machine, for who chooses what to offer.
"""
from __future__ import annotations

import asyncio
import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .check import refuse, shown, take_path
from .messages import Browse, Command

if TYPE_CHECKING:
    from .call import Call, Handler

MAX_ENTRIES: Final = 10_000
"""Entries of one folder that are listed. Nobody chooses among more; stops a folder of a million from filling the memory
of whoever shows it."""


async def browse(call: Call, command: Browse) -> dict[str, Any]:
    """
    List a folder. In a thread: it may be on a network drive that sleeps.
    """
    path = None if command.path is None else take_path(command.path)
    return await asyncio.to_thread(look_into, path, files=command.files)


def look_into(path: Path | None, *, files: bool) -> dict[str, Any]:
    """
    List the folder that a path is, or is in; None: the user's own.
    """
    try:
        folder = (Path.home() if path is None else path).resolve()
        while not folder.is_dir() and folder != folder.parent:
            folder = folder.parent
        with os.scandir(folder) as found:
            entries = [(entry, _is_folder(entry)) for entry in islice(found, MAX_ENTRIES)]
    except PermissionError as error:
        raise refuse(f"path: {shown(str(path))} cannot be looked into: {error.strerror}", 403) from error
    except (OSError, RuntimeError) as error:
        raise refuse(f"path: there is no folder {shown(str(path))}", 404) from error
    entries.sort(key=lambda each: (not each[1], each[0].name.casefold(), each[0].name))
    return {"current": str(folder), "separator": os.path.sep,
            "paths": [{"name": "..", "path": str(folder.parent), "dir": True},
                      *({"name": entry.name, "path": entry.path, "dir": is_folder} for entry, is_folder in entries
                        if files or is_folder)]}


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """
    Tell whether it is a folder, or a link to one.
    """
    try:
        return entry.is_dir()
    except OSError:
        return False


HANDLERS: dict[type[Command], Handler] = {Browse: browse}
