"""
What is on the stage: an evening at home.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from .stage import gone, mid, peer, transfer

if TYPE_CHECKING:
    from .stage import Stage


def doing(name: str, activity: str, up: float, down: float, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """
    What a node says of itself.
    """
    return {
        "mid": mid(name),
        "activity": activity,
        "up": up,
        "down": down,
        "age": 1.0,
        "same_gateway": True,
        "delay_ms": 8.0,
        "own_link_slow": False,
        "needs_room": False,
        **changes,
    }


def history(minutes: int = 1440) -> list[dict[str, Any]]:
    """
    A day that ends now, with a busy evening.
    """
    now, lines = time.time() // 60 * 60, []
    for number in range(minutes):
        at = now - 60 * (minutes - number)
        evening = max(0.0, 1 - (minutes - number - 6) ** 2 / 400)
        wave = 0.5 + 0.5 * math.sin(number / 11) * math.sin(number / 3.7)
        delay = 2 + 6 * wave + 160 * evening * wave
        lines.append(
            {
                "time": at,
                "seconds": 60,
                "delay_ms": round(delay, 1),
                "up": 90_000 + 380_000 * wave * (0.3 + evening),
                "state": "congested" if delay > 90 else "suspected" if delay > 40 else "clear",
                "down": 500_000 + 3_400_000 * (1 - wave) + 900_000 * evening,
                "limit_up": 240_000 if evening > 0.4 else None,
                "limit_down": None,
            }
        )
    return lines


def evening(stage: Stage) -> None:
    """
    A home in the evening: somebody watches, something is sent to many, one is asked to be a friend.
    """
    stage.answers["/peers"] = {
        "peers": [
            peer(
                "kitchen tablet",
                friend="mutual",
                activity="live",
                up=12_000,
                down=1_400_000,
                total_up=840_000_000,
                total_down=3_100_000_000,
                capabilities=["coded", "recode", "search", "stream", "torrents", "weather"],
            ),
            peer(
                "attic NAS",
                friend="mutual",
                interface="eth0",
                activity="bulk",
                up=230_000,
                down=0,
                total_up=91_000_000_000,
                total_down=12_000_000_000,
                capabilities=["coded", "recode", "search", "torrents", "weather"],
            ),
            peer(
                "Noor's laptop",
                friend="received",
                activity="idle",
                up=0,
                down=0,
                capabilities=["coded", "search", "torrents", "tribler", "weather"],
            ),
            peer(
                "tv box",
                friend="sent",
                activity="on_demand",
                up=3_000,
                down=620_000,
                total_down=450_000_000,
                capabilities=["coded", "search", "stream", "torrents", "weather"],
            ),
            peer("workshop", activity="idle", up=0, down=0),
            peer("", key="nobody"),
            gone(
                "Sam's phone", 5400, friend="mutual", capabilities=["search"], total_up=1_200_000, total_down=88_000_000
            ),
            gone("guest", 86400 * 3, capabilities=["search", "tribler"]),
        ]
    }
    stage.weather["gateway"].update(
        state="congested", delay_ms=46.0, up=610_000, up_confidence=0.8, down=6_100_000, down_confidence=0.6
    )
    stage.weather["nodes"] = [
        doing("me", "bulk", 240_000, 20_000),
        doing("kitchen tablet", "live", 12_000, 1_400_000),
        doing("attic NAS", "bulk", 230_000, 0, delay_ms=48.0),
        doing("tv box", "on_demand", 3_000, 620_000),
        doing("Noor's laptop", "idle", 0, 0),
        doing("workshop", "idle", 0, 0, own_link_slow=True),
    ]
    stage.weather["limit"] = {"up": 240_000, "down": None, "why": "live"}
    stage.answers["/weather/history"] = {"history": history()}
    stage.answers["/transfers"] = {
        "transfers": [
            transfer(
                "Night train.mkv",
                progress=0.63,
                peers=[
                    {"mid": mid("attic NAS"), "up": 0, "down": 9_400_000, "role": "source", "way": "multicast"},
                    {"mid": mid("kitchen tablet"), "up": 0, "down": 1_100_000, "role": "helper", "way": "unicast"},
                    {"mid": mid("tv box"), "up": 310_000, "down": 700_000, "role": "helper", "way": "unicast"},
                ],
                up=310_000,
            ),
            transfer(
                "holiday pictures",
                role="source",
                progress=0.8,
                up=4_100_000,
                down=0,
                eta_s=None,
                size=2_310_000_000,
                total_up=1_900_000_000,
                peers=[
                    {"mid": mid("Noor's laptop"), "up": 4_100_000, "down": 0, "role": "receiver", "way": "multicast"}
                ],
            ),
            transfer("debian-live.iso", state="paused", progress=0.17, down=0, eta_s=None, size=1_480_000_000),
            transfer("lecture 12.mp4", state="done", progress=1.0, down=0, eta_s=None, size=310_000_000),
        ]
    }
    stage.answers["/downloads"] = {
        "downloads": [
            {
                "infohash": mid("t1"),
                "name": "Red boat (2024).webm",
                "state": "downloading",
                "progress": 0.31,
                "size": 880_000_000,
                "path": "/home/you/Downloads/Red boat (2024).webm",
                "up": 0,
                "down": 5_200_000,
                "total_up": 0,
                "total_down": 272_000_000,
                "peers": 2,
                "up_limit": None,
                "down_limit": None,
                "eta_s": 117.0,
                "error": None,
            }
        ]
    }
    stage.answers["/publications"] = {
        "publications": [
            {
                "content_id": mid("p") * 2,
                "name": "holiday pictures",
                "size": 2_310_000_000,
                "files": 412,
                "path": "/home/you/Pictures/holiday",
                "receivers": 1,
                "finished": 3,
                "uploaded": 4_800_000_000,
                "error": None,
            }
        ]
    }
    stage.answers["/search"] = {
        "results": [
            found("coded", "Red boat, the film.mkv", 1_400_000_000, "attic NAS", "kitchen tablet"),
            found("torrent", "Red boat (2024).webm", 880_000_000, "tv box"),
            found("file", "red-boat-plans.pdf", 4_200_000, "workshop"),
            found("stream", "Red boat race, live", None, "kitchen tablet"),
        ]
    }
    stage.answers["/streams"] = {
        "streams": [
            on_air("Red boat race, live", "kitchen tablet", viewers=3, rate=510_000, delay=0.7),
            on_air("workshop radio", "workshop", media_type="audio/mpeg", viewers=1, rate=24_000),
        ]
    }
    stage.answers["/doctor"] = {
        "findings": [
            {"what": "interface wlan0 is in use with ipv4, ipv6 (192.168.1.7)", "severity": "ok", "advice": ""},
            {
                "what": "the firewall (nftables) drops UDP to the ports 32110 to 32125",
                "severity": "error",
                "advice": "Let them in: sudo nft add rule inet filter input udp dport 32109-32125 accept",
            },
            {
                "what": "interface docker0 belongs to containers",
                "severity": "info",
                "advice": "Not used. To use it: settings interfaces=docker0",
            },
            {"what": "multicast works inside this machine with IPv4 on wlan0", "severity": "ok", "advice": ""},
            {"what": "messages can be sealed with libnacl", "severity": "ok", "advice": ""},
        ]
    }


def found(kind: str, name: str, size: int | None, *holders: str) -> dict[str, Any]:
    """
    A result of a search.
    """
    field = {"coded": "content_id", "torrent": "infohash", "file": "file_id", "stream": "stream_id"}[kind]
    ids: dict[str, Any] = dict.fromkeys(("content_id", "infohash", "file_id", "stream_id"))
    ids[field] = mid(name) if kind == "torrent" else (mid(name) * 2)[:64]
    mids = [mid(holder) for holder in holders]
    return {"kind": kind, "name": name, "size": size, **ids, "peers": mids, "holders": mids}


def on_air(name: str, publisher: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """
    A live stream, in the list of them.
    """
    return {
        **found("stream", name, None, publisher),
        "media_type": "video/mp2t",
        "publisher": mid(publisher),
        "started": time.time() - 1500,
        "rate": None,
        "viewers": None,
        "own": False,
        "readers": 0,
        "watched": False,
        "buffered": None,
        "position": None,
        "lost": None,
        "skipped": None,
        "delay": None,
        "sources": None,
        "token": "0" * 32,
        **changes,
    }


def crowd(stage: Stage, peers: int, transfers: int) -> None:
    """
    A campus.
    """
    stage.answers["/peers"] = {
        "peers": [
            peer(f"node {number}", activity="bulk", up=1000 * number, down=2000)
            if number % 3
            else gone(f"node {number}")
            for number in range(peers)
        ]
    }
    stage.answers["/transfers"] = {
        "transfers": [transfer(f"file {number}.mkv", progress=number / transfers) for number in range(transfers)]
    }
