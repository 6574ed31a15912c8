"""Notices that interfaces or addresses came or went: at once where the kernel tells, within seconds elsewhere."""
from __future__ import annotations

import asyncio
import logging
import socket
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

NETLINK_GROUPS: Final = 0x1 | 0x10 | 0x100 | 0x40 | 0x400
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_ROUTE of linux/rtnetlink.h."""

POLL_TOLD: Final = 10.0
POLL_UNTOLD: Final = 2.0
"""Seconds between two looks, where the kernel tells of changes too, and where it does not."""

DEBOUNCE: Final = 0.05
"""Seconds to wait for the rest of a bunch of changes."""


class InterfaceWatcher:
    """
    Calls back when something may have changed, and now and then anyway.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        """
        Call `changed()` in the event loop.
        """
        self.changed = changed
        self.netlink: socket.socket | None = None
        self.timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """
        Begin to watch.
        """
        if sys.platform == "linux":
            try:
                self.netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
                self.netlink.setblocking(False)
                self.netlink.bind((0, NETLINK_GROUPS))
                asyncio.get_running_loop().add_reader(self.netlink, self.told)
            except OSError as e:
                logger.info("The kernel does not tell of interface changes (%s), looking every %s s", e, POLL_UNTOLD)
                self.close_netlink()
        self.look_in(self.pause)

    @property
    def pause(self) -> float:
        """
        Get the time (seconds) between two looks.
        """
        return POLL_UNTOLD if self.netlink is None else POLL_TOLD

    def told(self) -> None:
        """
        Drain what the kernel says; what it says does not matter, only that it does.
        """
        if self.netlink is None:
            return
        try:
            while self.netlink.recv(65536):
                pass
        except BlockingIOError:
            pass
        except OSError:
            logger.debug("Some changes were not told")  # ENOBUFS: too many at once; we look anyway.
        self.look_in(DEBOUNCE)

    def look_in(self, delay: float) -> None:
        """
        Look once after a delay in seconds, or sooner if that was planned already: changes without end must not put it
        off.
        """
        loop = asyncio.get_running_loop()
        if self.timer is not None:
            if not self.timer.cancelled() and loop.time() < self.timer.when() <= loop.time() + delay:
                return
            self.timer.cancel()
        self.timer = loop.call_later(delay, self.look)

    def look(self) -> None:
        """
        Call back, whatever happens in there go on watching.
        """
        self.look_in(self.pause)
        self.changed()

    def close_netlink(self) -> None:
        """
        Stop listening to the kernel.
        """
        if self.netlink is not None:
            asyncio.get_running_loop().remove_reader(self.netlink)
            self.netlink.close()
            self.netlink = None

    def stop(self) -> None:
        """
        Stop watching.
        """
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        self.close_netlink()
