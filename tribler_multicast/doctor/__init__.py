"""
The doctor: what on this machine is in the way of the local network, and what to do about it.

Everything here blocks (sockets, files, other programs), at most a few seconds altogether: call it from a thread.
"""
from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..community.grouping import GroupStatus
    from ..community.local_peer import InterfaceStatus
    from ..settings import Settings

__all__ = ["Finding", "examine"]

logger = logging.getLogger(__name__)


def examine(options: Settings, statuses: Sequence[InterfaceStatus] | None = None,
            group: GroupStatus | None = None, tracker: str | None = None) -> list[Finding]:
    """
    Examine this machine, under these settings.

    :param statuses: the interfaces of the running node, None when no node runs in this process.
    :param group: how its group is.
    :param tracker: what keeps its tracker from being served; empty: nothing, None: nobody knows.
    """
    from . import gateway, groups, network, system, trackers  # noqa: PLC0415 (needs psutil, which callers of nothing else do not)

    findings: list[Finding] = []
    for part in (lambda: network.interfaces(options, statuses), lambda: network.ports(options, statuses),
                 lambda: network.loops(options), system.firewall, system.container,
                 lambda: groups.group(options, group), lambda: groups.sealing(options), system.native_code,
                 system.bittorrent, lambda: gateway.weather(options),
                 lambda: trackers.tracker(options, tracker)):
        findings += _guarded(part)
    return findings


def _guarded(part: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """
    Run one examination: one that breaks on a strange machine must not keep the others from being heard.
    """
    try:
        return list(part())
    except Exception as error:
        logger.exception("An examination failed")
        return [Finding(f"an examination failed: {type(error).__name__}: {error}", "warning",
                        "The log says more. Please report it.")]
