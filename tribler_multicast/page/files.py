"""
What the page consists of: the modules, styles and pictures in this folder, by name. They hold no data.
"""
from __future__ import annotations

import functools
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent

TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
"""Suffix -> type of what a browser may get. Nothing else in this folder is given to anybody."""


@functools.cache
def page_files() -> dict[str, tuple[Path, str]]:
    """
    Name, with slashes and relative to the folder -> file and type. A name that is not in here is no file of the page,
    so no path from outside ever reaches the disk.
    """
    return {path.relative_to(FOLDER).as_posix(): (path, TYPES[path.suffix])
            for path in sorted(FOLDER.rglob("*")) if path.suffix in TYPES and path.is_file()}
