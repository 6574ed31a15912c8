"""
What is done from time to time: see how torrents go on, have downloads saved, look whether what we offer is still what
it was.
"""
from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from . import placing

if TYPE_CHECKING:
    from .adapting import Adapting
    from .alerts import Alerts
    from .core import Core
    from .torrent import Torrent

LIVELY, QUIET, ASLEEP = "lively", "quiet", "asleep"
PACES: Final = {LIVELY: (1.0, 100), QUIET: (2.0, 500), ASLEEP: (30.0, 1000)}
"""Seconds between two looks at how torrents go on, while some do, while nothing happens (so long may somebody get
something from us before it shows), while there is none; and milliseconds between those of libtorrent at its peers and
limits. Its own 500 make a download begin half a second later, and a limited upload go out in bursts. Changes of state
are told at once in any case."""
SAVE_INTERVAL = 10.0
"""Seconds of a download that a crash may cost."""
TOTALS_INTERVAL: Final = 300.0
LOOK_INTERVAL: Final = 10.0
"""Seconds between two looks at the files that somebody gets from us."""


class Watch:
    """
    Looks once a second while something goes on, less often when not.
    """

    def __init__(self, core: Core, alerts: Alerts, adapting: Adapting) -> None:
        """
        Begin.
        """
        self.core = core
        self.alerts = alerts
        self.adapting = adapting
        self._pace = LIVELY
        loop = asyncio.get_running_loop()
        self._saved_at = self._totalled_at = loop.time()
        self._timer = loop.call_later(PACES[LIVELY][0], self._tick)

    def close(self) -> None:
        """
        Look no more.
        """
        self._timer.cancel()

    def wake(self) -> None:
        """
        Look again soon: there is something new.
        """
        self._timer.cancel()
        if not self.core.closing:
            self._set_pace(LIVELY)
            self._timer = asyncio.get_running_loop().call_later(PACES[LIVELY][0], self._tick)

    def _tick(self) -> None:
        core, loop = self.core, asyncio.get_running_loop()
        if core.session is None or core.closing:
            return
        now = loop.time()
        core.session.session.post_torrent_updates()
        self.adapting.tick(now)
        lively = self._look_after(now)
        if now - self._totalled_at >= TOTALS_INTERVAL:
            self._totalled_at = now
            core.spawn(core.keep_totals())
        self._set_pace(LIVELY if lively else QUIET if core.torrents else ASLEEP)
        self._timer = loop.call_later(PACES[self._pace][0], self._tick)

    def _set_pace(self, pace: str) -> None:
        if pace != self._pace and self.core.session is not None:
            self._pace = pace
            self.core.session.apply({"tick_interval": PACES[pace][1]})

    def _look_after(self, now: float) -> bool:
        """
        Have downloads saved and files looked at when it is time; tell whether anything goes on.
        """
        core, lively = self.core, False
        save = now - self._saved_at >= SAVE_INTERVAL
        for torrent in core.torrents.values():
            if torrent.handle is None or torrent.failure:
                continue
            peers = torrent.progress.peers > 0
            lively = lively or peers or not torrent.record.whole
            if torrent.record.whole:
                if peers and now - torrent.looked_at >= LOOK_INTERVAL:
                    torrent.looked_at = now
                    core.spawn(self._look(torrent))
            elif save:
                self.alerts.save(torrent)
        if save:
            self._saved_at = now
        return lively

    async def _look(self, torrent: Torrent) -> None:
        """
        See whether what somebody gets from us is still what it was.
        """
        record = torrent.record
        line = await asyncio.to_thread(placing.difference, record.folder, record.files)
        if line and not torrent.removed and torrent.record is record:
            self.core.fail(torrent, line)
