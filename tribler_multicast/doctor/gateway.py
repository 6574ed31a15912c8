"""
What the doctor finds of the way to the internet: what the network weather can know here.
"""
from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..lan.probes import can_echo
from .finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..settings import Settings

ECHO_ADVICE = "As root: sysctl -w net.ipv4.ping_group_range='0 2147483647'"


def weather(options: Settings) -> Iterator[Finding]:
    """
    Can the queue at the gateway be felt?
    """
    if options["weather"]:
        yield judge_weather(sys.platform, echo=can_echo(), ipv4=options["ipv4"])


def judge_weather(platform: str, *, echo: bool, ipv4: bool) -> Finding:
    """
    Say what the weather can know on this system.
    """
    if not ipv4:
        return Finding("the network weather stays unknown: its probes need IPv4", "info",
                       "tribler-multicast settings ipv4=true")
    if not platform.startswith("linux"):
        return Finding("the network weather stays unknown: routers can't be probed on this system without privileges",
                       "info", "What other nodes say is shown; this node does not step aside.")
    if not echo:
        return Finding("the queue at the gateway is felt once a second only: no echo requests can be made here", "info",
                       ECHO_ADVICE)
    return Finding("the queue at the gateway can be felt", "ok")
