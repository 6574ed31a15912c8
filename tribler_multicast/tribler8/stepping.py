"""
Tribler's part in stepping aside: what its torrents move over the internet, and limits at their handles.

Tribler's own limits are for all peers, and its settings put them back; so each download without anonymity gets a part
of the limit at its handle, and what the user set for it is never changed and stays a ceiling. A download that somebody
watches gets none, nor does one that has only peers on the LAN.
"""
from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..client import Traffic
from ..lan.torrent_bursts import UNLIMITED, Asking, limited
from ..lan.torrent_peers import Meter, Moved
from .errors import find, guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from .streaming import Streaming

EACH: Final = 0.5
SLOW: Final = 1_000
"""Bytes/s of a download below which nobody looks at its peers, and it gets no limit."""
MOST_DOWNLOADS: Final = 50
LEAST: Final = 1_000
COUNT_EACH: Final = 1.0
COUNTED: Final = 4
SMALL_PACKETS: Final = 1.3
"""How often the bytes of overlays are counted (IPv8 does once a second), how many such rates the highest is taken of,
and what headers make of them at most."""
SPARE: Final = 0.25
"""Part of the limit that is shared evenly; the rest goes by what each download moves now."""


class Overlays:
    """
    How much Tribler's overlays move: rather too much than too little, for it is taken from what the interface counts,
    and what is left is said to be other programs'. Nothing of anonymous traffic may be.
    """

    def __init__(self, count: Callable[[], tuple[int, int]]) -> None:
        """
        :param count: gets bytes sent and received so far.
        """
        self.count = count
        self._last: tuple[float, tuple[int, int]] | None = None
        self._rates: deque[tuple[float, float]] = deque(maxlen=COUNTED)

    def look(self, now: float) -> None:
        """
        Count, when it is time.
        """
        if self._last is not None and now - self._last[0] < COUNT_EACH:
            return
        counted = self.count()
        if self._last is not None:
            passed = now - self._last[0]
            self._rates.append((SMALL_PACKETS * (counted[0] - self._last[1][0]) / passed,
                                SMALL_PACKETS * (counted[1] - self._last[1][1]) / passed))
        self._last = now, counted

    def rates(self) -> tuple[float, float]:
        """
        Get the highest of the last seconds, bytes/s.
        """
        return max((up for up, _ in self._rates), default=0.0), max((down for _, down in self._rates), default=0.0)


class Bursts:
    """
    Has Tribler's session without anonymity send in small bursts while there is a limit, and as before after it. What
    Tribler itself knows of its settings stays as it is, and none of these is among those that its user can set.
    """

    def __init__(self, download_manager: Any) -> None:  # noqa: ANN401
        """
        Work on the sessions of this manager.
        """
        self.download_manager = download_manager
        self._before: tuple[Any, dict[str, object]] | None = None
        self._now: dict[str, object] = {}
        self._asking = Asking()

    @guarded("sending in small bursts")
    def follow(self, up: float | None, down: float | None, comes: float = 0.0) -> None:
        """
        Take over limits; `comes` is what downloads get.
        """
        session, ahead = self._session(), self._asking.look(time.monotonic(), down, comes)
        if self._before is not None and (session is not self._before[0] or (up, down) == (None, None)):
            before, self._before, self._now = self._before, None, {}
            if session is before[0]:
                session.apply_settings(before[1])
        if session is None or (up, down) == (None, None):
            return
        if self._before is None:
            self._before = session, self._settings_of(session)
        wanted = limited(up, down, ahead)
        if wanted != self._now:
            self._now = wanted
            session.apply_settings(wanted)

    def _settings_of(self, session: Any) -> dict[str, object]:  # noqa: ANN401
        """
        Get what they are: as Tribler remembers them, for libtorrent may fail to tell because of its peer id.
        """
        remembered = getattr(self.download_manager, "ltsettings", {}).get(session, {})
        known = remembered if remembered.keys() >= UNLIMITED.keys() else session.get_settings()
        return {name: known[name] for name in UNLIMITED}

    def _session(self) -> Any:  # noqa: ANN401
        waiting = getattr(self.download_manager, "ltsessions", {}).get(0)
        return waiting.result() if waiting is not None and waiting.done() and not waiting.cancelled() else None


class Part(NamedTuple):
    """
    The limits of a download, bytes/s, and what its user and somebody else of ours want: who changes one of these puts
    that on the handle, and ours has to be put there again.
    """

    up: int
    down: int
    users: tuple[int, int]
    given: tuple[int | None, int | None]


class Stepping:
    """
    Counts and limits what downloads move.
    """

    def __init__(self, download_manager: Any,  # noqa: ANN401
                 given: Callable[[bytes], tuple[int | None, int | None]] = lambda _infohash: (None, None),
                 overlays: Callable[[], tuple[int, int]] = lambda: (0, 0)) -> None:
        """
        Look after the downloads of this manager.

        :param given: gets limits of a download that somebody else of ours put on it.
        :param overlays: gets how many bytes all overlays sent and received so far, anonymous traffic among them.
        :raises MissingSymbolError: when Tribler has something of it no more.
        """
        find(download_manager, "downloads")
        self.download_manager = download_manager
        self.streaming: Streaming | None = None
        self.given = given
        self.overlays = Overlays(overlays)
        self.bursts = Bursts(download_manager)
        self.every = 0.0, 0.0
        self.limits: tuple[float | None, float | None] = (None, None)
        self.limited: dict[bytes, Part] = {}
        """What was put on the handles of downloads that have a part of the limit."""
        self.moving: dict[bytes, Moved] = {}
        self._meter = Meter()
        self._looked_at = -EACH
        self._task: asyncio.Task[None] | None = None

    def traffic(self) -> Traffic:
        """
        Get what was moved when somebody looked last, and have it looked at again, in a thread.
        """
        self.look()
        watched = self._watched()
        bulk = [each for infohash, each in self.moving.items() if infohash not in watched]
        up, down = (sum(each.up for each in self.moving.values()), sum(each.down for each in self.moving.values()))
        overlays = self.overlays.rates()
        return Traffic(up, down, sum(each.up for each in bulk), sum(each.down for each in bulk),
                       frozenset(peer for each in bulk for peer in each.peers),
                       max(0.0, self.every[0] - up) + overlays[0], max(0.0, self.every[1] - down) + overlays[1])

    def limit(self, up: float | None, down: float | None) -> None:
        """
        Limit all bulk together, bytes/s; None: as the user wants it.
        """
        self.limits = up, down
        self._apply()
        self._burst()

    @guarded("looking at what downloads move")
    def look(self) -> None:
        """
        Look at the peers of downloads that move something, unless that was just done.
        """
        now = time.monotonic()
        if now - self._looked_at < EACH or (self._task is not None and not self._task.done()):
            return
        self._looked_at = now
        self.overlays.look(now)
        handles: dict[bytes, Any] = {}
        every_up = every_down = 0.0
        for infohash, download in self._downloads().items():
            state = download.get_state()
            up, down = state.get_current_speed("up"), state.get_current_speed("down")
            every_up, every_down = every_up + up, every_down + down
            if up + down >= SLOW and len(handles) < MOST_DOWNLOADS:
                handles[infohash] = download.handle
        self.every = every_up, every_down
        if handles:
            self._task = asyncio.ensure_future(self._ask(handles))
        else:
            self.moving = {}
            self._apply()

    async def _ask(self, handles: dict[bytes, Any]) -> None:
        self.moving = await asyncio.to_thread(self._meter.look, time.monotonic(), handles)
        self._apply()
        self._burst()

    def _burst(self) -> None:
        watched = self._watched()
        self.bursts.follow(*self.limits, sum(each.down for infohash, each in self.moving.items()
                                             if infohash not in watched))

    def _downloads(self) -> dict[bytes, Any]:
        return {infohash: download for infohash, download in list(self.download_manager.downloads.items())
                if download.config.get_hops() == 0 and download.handle is not None and download.handle.is_valid()}

    def _watched(self) -> set[bytes]:
        return set() if self.streaming is None else self.streaming.watched()

    @guarded("limiting downloads")
    def _apply(self) -> None:
        """
        Give each its part of the limit, and take back what is no longer.
        """
        watched, downloads = self._watched(), self._downloads()
        wanted: dict[bytes, Part] = {}
        if self.limits != (None, None):
            # One that has a part keeps one, however slow that made it.
            bulk = [(infohash, self.moving.get(infohash, Moved())) for infohash in downloads if infohash not in watched
                    and (infohash in self.limited or is_moving(self.moving.get(infohash)))]
            ups = shares(self.limits[0], [each.up for _, each in bulk])
            downs = shares(self.limits[1], [each.down for _, each in bulk])
            wanted = {infohash: self._part(infohash, downloads[infohash], up, down)
                      for (infohash, _), up, down in zip(bulk, ups, downs, strict=True)}
        for infohash in self.limited.keys() - wanted.keys():
            if infohash in downloads:
                put(downloads[infohash], self._part(infohash, downloads[infohash], None, None))
        for infohash, part in wanted.items():
            if self.limited.get(infohash) != part:
                put(downloads[infohash], part)
        self.limited = wanted

    def _part(self, infohash: bytes, download: Any, up: int | None, down: int | None) -> Part:  # noqa: ANN401
        given = self.given(infohash)
        users = download.config.get_upload_limit(), download.config.get_download_limit()
        return Part(lowest(users[0], given[0], up), lowest(users[1], given[1], down), users, given)

    @guarded("taking limits back")
    def close(self) -> None:
        """
        Take all limits back.
        """
        if self._task is not None:
            self._task.cancel()
        self.limits, self.moving = (None, None), {}
        self._apply()
        self.bursts.follow(None, None)


def is_moving(moved: Moved | None) -> bool:
    """
    Tell whether a download moves enough to be limited.
    """
    return moved is not None and moved.up + moved.down >= SLOW


def put(download: Any, part: Part) -> None:  # noqa: ANN401
    """
    Limit a download at its handle, which the user's configuration knows nothing of.
    """
    download.handle.set_upload_limit(part.up)
    download.handle.set_download_limit(part.down)


def shares(total: float | None, rates: list[float]) -> list[int | None]:
    """
    Divide a limit by what each moves now, and a part of it evenly, so that one that is slow can become faster.
    """
    if total is None:
        return [None] * len(rates)
    sum_of_all, even = sum(rates), 1 / max(1, len(rates))
    return [max(LEAST, round(total * (SPARE * even + (1 - SPARE) * (rate / sum_of_all if sum_of_all else even))))
            for rate in rates]


def lowest(users: int, *ours: int | None) -> int:
    """
    Get the lowest of some limits; the user's is none when it is not above 0, ours when it is None.
    """
    found = [each for each in ours if each is not None] + ([users] if users > 0 else [])
    return min(found) if found else users
