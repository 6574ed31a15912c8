"""
What the community tells, as plain values. (Peers are in peer_view.)
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..community.found import Found
    from ..community.local_peer import PingResult
    from ..streams.network import OnAir


def found_view(found: Found) -> dict[str, Any]:
    """
    Get something that was found: the id of its kind, the others None; the mids of who knows of it, and of who has it.
    """
    text, infohash = found.id.hex(), found.infohash
    return {"kind": found.kind, "name": found.name, "size": found.size,
            "infohash": None if infohash is None else text,
            "content_id": text if found.kind == "coded" else None,
            "stream_id": text if found.kind == "stream" and infohash is None else None,
            "file_id": text if found.kind == "file" else None,
            "peers": [mid.hex() for mid in found.mids], "holders": [mid.hex() for mid in found.holders]}


def stream_view(on_air: OnAir, here: dict[str, Any]) -> dict[str, Any]:
    """
    Get a live stream in the shape of something that was found, with what more is known of it.

    :param here: what is known by having it here.
    """
    holders = [on_air.mid] if on_air.mid else []
    return {"kind": "stream", "name": on_air.name, "size": None, "infohash": None, "content_id": None,
            "stream_id": on_air.stream_id, "file_id": None, "peers": holders, "holders": holders,
            "media_type": on_air.media_type or None, "publisher": on_air.mid or None, "started": on_air.started,
            "rate": on_air.rate, "viewers": on_air.viewers, **here}


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else 1000 * seconds


def ping_view(result: PingResult) -> dict[str, Any]:
    """
    Get what pinging one node gave, times in milliseconds, unknown ones None.
    """
    return {"mid": result.mid.hex(), "sent": result.sent, "received": result.received, "loss": result.loss,
            "min_ms": _milliseconds(result.min), "avg_ms": _milliseconds(result.avg),
            "max_ms": _milliseconds(result.max), "unicast_rtt_ms": _milliseconds(result.unicast_rtt),
            "throughput_mbps": None if result.throughput_mbps is None else round(result.throughput_mbps, 2)}
