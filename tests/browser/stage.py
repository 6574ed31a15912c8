"""
A stage: the real page before an invented node. For what no real network of a test can show: five hundred peers, a day
of weather, errors of every kind, and neighbours that say whatever they like.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tribler_multicast.page.serve import page_routes
from tribler_multicast.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

API = "/api/multicast"


def mid(name: object) -> str:
    """
    An id that looks like one, always the same for a name.
    """
    return hashlib.sha1(str(name).encode()).hexdigest()


def peer(name: str = "", key: object = None, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """
    A node that is here, but for what is said.
    """
    digest = mid(name if key is None else key)
    number = int(digest[:2], 16) % 250 + 2
    return {
        "mid": digest,
        "public_key": digest * 3,
        "nickname": name,
        "is_local": True,
        "was_local": True,
        "online": True,
        "addresses": [
            {"family": "ipv4", "ip": f"192.168.1.{number}", "port": 32110},
            {"family": "ipv6", "ip": f"fe80::{digest[:4]}:{digest[4:8]}", "port": 32110},
        ],
        "interface": "wlan0",
        "rtt_ms": 0.4 + number / 40,
        "first_seen": time.time() - 9e5,
        "last_seen": time.time(),
        "capabilities": ["coded", "search", "torrents"],
        "friend": "none",
        "activity": None,
        "up": None,
        "down": None,
        "total_up": None,
        "total_down": None,
        **changes,
    }


def gone(name: str = "", seconds: float = 5400, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """
    A node that was here.
    """
    return peer(
        name, **{"is_local": False, "online": False, "rtt_ms": None, "last_seen": time.time() - seconds, **changes}
    )


def transfer(name: str = "film.mkv", key: object = None, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """
    A transfer that goes on, but for what is said.
    """
    digest = mid(name if key is None else key)
    return {
        "id": digest[:16],
        "content_id": digest * 2,
        "name": name,
        "size": 734_003_200,
        "role": "receiver",
        "state": "active",
        "progress": 0.42,
        "rank": 100,
        "up": 0,
        "down": 11_200_000,
        "total_up": 0,
        "total_down": 308_000_000,
        "rate": None,
        "peers": [],
        "eta_s": 38.0,
        "path": f"/home/you/Downloads/{name[:40]}",
        "error": None,
        **changes,
    }


def settings() -> list[dict[str, Any]]:
    """
    Every setting as it is by default.
    """
    return [
        {
            "name": each.name,
            "type": each.type.__name__ if isinstance(each.type, type) else "list",
            "unit": each.unit,
            "default": each.default,
            "minimum": each.minimum,
            "maximum": each.maximum,
            "choices": each.choices,
            "help": each.help,
            "value": None if each.secret else each.default,
            "is_set": False,
            "needs_restart": each.needs_restart,
            "source": "default",
        }
        for each in SETTINGS.values()
    ]


class Stage:
    """
    The server, in a thread of its own. `answers` is what is answered to which GET; all may be changed at any time.
    """

    def __init__(self) -> None:
        """
        An empty network, everything switched on.
        """
        self.status: dict[str, Any] = {
            "version": "0",
            "client": "standalone",
            "mid": mid("me"),
            "public_key": "00",
            "nickname": "living room",
            "policy": "everyone",
            "group": None,
            "uptime": 60.0,
            "counters": {},
            "features": ["coded", "feeds", "torrents", "weather"],
            "interfaces": [
                {
                    "name": "wlan0",
                    "index": 2,
                    "addresses": ["192.168.1.7"],
                    "joined": ["ipv4", "ipv6"],
                    "error": None,
                    "note": "",
                    "port": 32110,
                    "visibility": "visible",
                    "gateway": {"ip": "192.168.1.1", "hardware_address": "02:00:00:00:00:01"},
                }
            ],
        }
        self.weather: dict[str, Any] = {
            "gateway": {
                "state": "clear",
                "delay_ms": 1.2,
                "up": None,
                "up_confidence": 0.0,
                "down": None,
                "down_confidence": 0.0,
                "members": [],
            },
            "own_link": {"state": "clear", "delay_ms": 0.3},
            "nodes": [],
            "limit": {"up": None, "down": None, "why": None},
        }
        self.answers: dict[str, Any] = {
            "/status": self.status,
            "/peers": {"peers": []},
            "/weather": self.weather,
            "/weather/history": {"history": []},
            "/transfers": {"transfers": []},
            "/downloads": {"downloads": []},
            "/publications": {"publications": []},
            "/settings": {"settings": settings()},
            "/streams": {"streams": []},
            "/feeds": {"feeds": [], "own": {"url": None, "error": None, "published": []}},
            "/doctor": {"findings": []},
            "/search": {"results": []},
            "/browse": {"current": "/home", "paths": [], "separator": "/"},
        }
        self.calls: Counter[str] = Counter()
        self.changes: list[tuple[str, str, Any]] = []
        self._listeners: list[tuple[web.Request, web.StreamResponse]] = []
        self._closing = False
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application()
        app.add_routes(page_routes())
        app.add_routes([web.get(API + "/events", self._events), web.route("*", API + "/{path:.*}", self._answer)])
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())

    async def _answer(self, request: web.Request) -> web.Response:
        path = "/" + request.match_info["path"]
        self.calls[path] += 1
        if request.method != "GET":
            sent = request.can_read_body and request.content_type == "application/json"
            body = await request.json() if sent else await request.read() or None
            self.changes.append((request.method, path, body))
        key = path if request.method == "GET" else f"{request.method} {path}"
        answer = self.answers.get(key, {} if request.method != "GET" else None)
        if answer is None:
            return self._error(404, "not on this stage")
        if isinstance(answer, tuple):
            return self._error(*answer)
        if path == "/search":
            return web.Response(text=json.dumps(answer) + "\n", content_type="application/x-ndjson")
        return web.json_response(answer)

    @staticmethod
    def _error(status: int, message: str) -> web.Response:
        return web.json_response({"error": {"handled": True, "message": message}}, status=status)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self._listeners.append((request, response))
        try:
            await response.write(b": connected\n\n")
            while not self._closing and request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(0.05)
        finally:
            self._listeners.remove((request, response))
        return response

    def tell(self, topic: str, **kwargs: Any) -> None:  # noqa: ANN401
        """
        Send an event to all pages.
        """
        self.tell_all([(topic, kwargs)])

    def tell_all(self, events: list[tuple[str, dict[str, Any]]]) -> None:
        """
        Send many at once.
        """
        lines = b"".join(
            b"data: " + json.dumps({"topic": topic, "kwargs": kwargs}).encode() + b"\n\n" for topic, kwargs in events
        )

        async def send() -> None:
            for _, response in list(self._listeners):
                await response.write(lines)

        asyncio.run_coroutine_threadsafe(send(), self._loop).result(5)

    @property
    def listening(self) -> int:
        """
        How many pages hear events now.
        """
        return len(self._listeners)

    def drop(self) -> None:
        """
        End all event streams.
        """

        async def end() -> None:
            for request, _ in list(self._listeners):
                if request.transport is not None:
                    request.transport.close()

        self._run(end)

    def _run(self, do: Callable[[], Coroutine[Any, Any, None]]) -> None:
        asyncio.run_coroutine_threadsafe(do(), self._loop).result(5)

    def close(self) -> None:
        """
        Take it down.
        """
        self._closing = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
