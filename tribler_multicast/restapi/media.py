"""
Headers with which a file of strangers may be served from the origin of the API: it is data there, never a page.

Only what browsers play without running any of it has its own type; all else is a download. A sandbox without any right
is around it all the same (CSP), the type is not guessed, other sites may not embed it, and nobody is told the address,
which may have a token in it.
"""
from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

PLAYABLE: Final = {
    ".aac": "audio/aac", ".flac": "audio/flac", ".m4a": "audio/mp4", ".mp3": "audio/mpeg", ".oga": "audio/ogg",
    ".ogg": "audio/ogg", ".opus": "audio/ogg", ".wav": "audio/wav", ".weba": "audio/webm",
    ".avi": "video/x-msvideo", ".m4v": "video/mp4", ".mkv": "video/x-matroska", ".mov": "video/quicktime",
    ".mp4": "video/mp4", ".mpeg": "video/mpeg", ".mpg": "video/mpeg", ".ogv": "video/ogg", ".ts": "video/mp2t",
    ".webm": "video/webm",
}
"""Types of plain audio and video, by the ending of the name. No images (SVG runs scripts), no playlists, no
subtitles."""

OTHER: Final = "application/octet-stream"

SAFE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


def media_headers(path: str) -> dict[str, str]:
    """
    Get the headers for a file with this path (names in it separated by /).
    """
    name = path.rpartition("/")[2]
    kind = PLAYABLE.get(PurePosixPath(name).suffix.lower(), OTHER)
    disposition = "inline" if kind != OTHER else "attachment"
    # RFC 6266: percent-encoded UTF-8, in which no character means anything to the header.
    return {**SAFE, "Content-Type": kind,
            "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(name, safe='', errors='replace')}"}
