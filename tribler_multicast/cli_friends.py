"""
``friends``: who they are, asking, accepting, and the end of it.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .cli_common import Failed, call, show
from .cli_render import GREEN, MISSING, ago, clean, paint, table

if TYPE_CHECKING:
    import argparse

WORDS = {"sent": "asked by you", "received": "asks you", "mutual": "friend", "none": "none"}


def friends(options: argparse.Namespace) -> None:
    """
    List friends, ask a node or accept its ask, or end it.
    """
    action, mid = options.action, options.mid
    if action == "list":
        if mid is not None:
            raise Failed("friends list takes no mid", 2)
        show(options, call(options, "GET", "/friends"), friend_lines)
        return
    if mid is None:
        raise Failed(f"friends {action} needs the mid of a node (see the commands peers and friends)", 2)
    if not re.fullmatch(r"[0-9a-fA-F]{40}", mid, re.ASCII):
        raise Failed(f"{mid!r} is no mid, which has 40 hex digits", 2)
    document = call(options, "PUT" if action == "add" else "DELETE", f"/friends/{mid.lower()}")
    show(options, document, decided_lines)


def friend_lines(document: dict[str, Any]) -> list[str]:
    """
    One line for each: friends green while they are here.
    """
    peers = document["peers"]
    if not peers:
        return ["No friends yet. Ask a node: tribler-multicast friends add MID"]
    rows = [[WORDS.get(peer["friend"], clean(peer["friend"])), "online" if peer["online"] else "offline",
             clean(peer["nickname"]) or MISSING, peer["mid"], ago(peer["last_seen"])] for peer in peers]
    head, *lines = table(("FRIEND", "STATE", "NICKNAME", "MID", "SEEN"), rows)
    return [head, *(paint(line, GREEN) if peer["friend"] == "mutual" and peer["online"] else line
                    for line, peer in zip(lines, peers, strict=True))]


def decided_lines(peer: dict[str, Any]) -> list[str]:
    """
    What is between this node and another now.
    """
    name = f"{clean(peer['nickname'])} ({peer['mid']})" if peer["nickname"] else peer["mid"]
    later = "" if peer["online"] else "; it is not here now and is told when it is back"
    if peer["friend"] == "mutual":
        return [f"{name} is your friend"]
    if peer["friend"] == "sent":
        return [f"{name} is asked{later}"]
    return [f"{name} is no friend of yours{later}"]
