"""
libtorrent, loaded as late as possible: it costs memory and start time, and not every node has it.
"""
from __future__ import annotations

import re
import unicodedata
from importlib import import_module
from typing import Any, Final

from ...client import ClientError

MISSING: Final = 'BitTorrent needs the extra torrent: pip install "tribler-multicast[torrent]"'

MAX_NAME: Final = 240
"""Characters of a name that is shown. Names come from the network; libtorrent cuts them at 240 bytes on the disk."""


def load() -> Any:  # noqa: ANN401
    """
    Import libtorrent. Call it in a thread: the first time takes a tenth of a second.

    :raises ClientError: with one line, where it isn't installed or doesn't load.
    """
    try:
        return import_module("libtorrent")
    except ModuleNotFoundError:
        raise ClientError(MISSING, 501) from None
    except ImportError as error:  # a library that it needs is missing, or it was built for another system
        message = f"{MISSING} (what is there can't be loaded: {one_line(str(error))})"
        raise ClientError(message, 501) from None


def one_line(text: str, most: int = 200) -> str:
    """
    Make one printable line of at most so many characters of anything: nothing that a terminal or page obeys is left.
    """
    clean = "".join(character if unicodedata.category(character)[0] != "C" else " " for character in text[:4 * most])
    clean = " ".join(clean.split())
    return clean if len(clean) <= most else clean[:most - 3] + "..."


def why(error: BaseException) -> str:
    """
    What an error of libtorrent or of the system says, as one line without its codes.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return one_line(re.sub(r" \[[\w ]+:\d+\]$", "", str(error))) or type(error).__name__


def shown_name(name: str) -> str:
    """
    A name as it may be shown.
    """
    return one_line(name, MAX_NAME)


def amount(size: float) -> str:
    """
    Bytes for a user to read.
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
