"""
What is here already of a content of which only the id is known.
"""
from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from ..content.record import load
from ..store.place import STATE, Place, recorded, stored
from .limits import PARTIAL_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..content.manifest import Manifest
    from ..content.source import Source


def here(content_id: bytes, output: Path, records: Path | None) -> Source | Manifest | None:
    """
    Get the content, when it was received to this place before and is as it was; else the manifest, when an earlier
    process left some of it there; else None. Reads no data.
    """
    output = Path(os.path.abspath(output))
    known = None if records is None else load(records, content_id)
    if records is not None and known is not None and (source := recorded(known.content, output, records)) is not None:
        return source
    for state in islice(_states(output), PARTIAL_STATES):
        manifest = stored(state)
        if manifest is not None and manifest.content.id == content_id:
            return manifest
    return None


def _states(output: Path) -> Iterator[Path]:
    """
    Get the state folders that may belong to an output.
    """
    yield Place(output, True).state
    try:
        with os.scandir(output) as entries:
            for entry in entries:
                if entry.name.endswith(STATE):
                    yield Path(entry.path)
    except OSError:
        return
