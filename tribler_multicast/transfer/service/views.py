"""
Publications and transfers as plain values, ready for JSON: ids in hex, sizes in bytes, rates in bytes/s, unknown None.
"""
from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .publication import Publication
    from .transfer import Transfer

MOST_FILES: Final = 1000
"""Files of one transfer that are listed. Stops a folder of a hundred thousand from being an answer of 10 MB; how many
there are is told."""


def publication_view(publication: Publication) -> dict[str, Any]:
    """
    Get what is offered.
    """
    return {"content_id": publication.content_id.hex(), "name": publication.name, "size": publication.size,
            "files": publication.files, "path": str(publication.path), "receivers": publication.receivers,
            "finished": publication.finished, "uploaded": publication.uploaded, "error": publication.error}


def coded_view(transfer: Transfer) -> dict[str, Any]:
    """
    Get how a transfer goes on.
    """
    peers = [{"mid": peer.mid.hex(), "up": round(peer.up), "down": round(peer.down), "role": peer.role,
              "way": peer.way} for peer in transfer.peers]
    eta = transfer.eta_s
    return {"id": transfer.id, "content_id": transfer.content_id.hex(), "name": transfer.name, "size": transfer.size,
            "role": transfer.role, "state": transfer.state, "progress": floor(transfer.progress * 10_000) / 10_000,
            "rank": transfer.rank, "up": round(transfer.up), "down": round(transfer.down),
            "total_up": transfer.total_up, "total_down": transfer.total_down, "rate": transfer.rate, "peers": peers,
            "eta_s": None if eta is None else round(eta, 1), "path": str(transfer.path), "error": transfer.error}


def whole_view(transfer: Transfer) -> dict[str, Any]:
    """
    Get the same with its files, None until they are known; at most `MOST_FILES` of them, and how many there are.
    """
    files = transfer.files
    listed = None if files is None else [{"path": path, "size": size} for path, _, size in files[:MOST_FILES]]
    return {**coded_view(transfer), "files": listed, "files_total": None if files is None else len(files)}
