"""
What is measured before a crowd.
"""
from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .stage import gone, peer

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .stage import Stage

LONG_TASKS = """() => {
    window.tasks = [];
    new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((entry) => entry.duration)))
        .observe({ type: "longtask" });
}"""
"""Notes how long each task of more than 50 ms takes, in milliseconds."""


def drawn(page: Page, selector: str, rows: int) -> None:
    """
    Wait until all rows are there.
    """
    page.wait_for_function(f"() => document.querySelectorAll({selector!r}).length === {rows}")


def busy_minute(stage: Stage, page: Page, rounds: int = 12) -> None:
    """
    What a minute brings in a crowd, in some seconds: nodes come, go and change, and every transfer goes on.
    """
    peers, transfers = stage.answers["/peers"]["peers"], stage.answers["/transfers"]["transfers"]
    for turn in range(rounds):
        number = turn % len(peers)
        if peers[number]["online"]:
            peers[number] = gone(peers[number]["nickname"])
            events = [("multicast_peer_gone", {"mid": peers[number]["mid"], "reason": "goodbye"})]
        else:
            peers[number] = peer(peers[number]["nickname"])
            events = [("multicast_peer_local", {"mid": peers[number]["mid"], "nickname": peers[number]["nickname"]})]
        for each in peers:
            each["up"] = (each["up"] or 0) + 100
        for each in transfers:
            each["progress"] = min(1, each["progress"] + 0.002)
            events.append(("multicast_transfer", {"id": each["id"], "content_id": each["content_id"], "state": "active",
                                                  "progress": each["progress"]}))
        stage.tell_all(events)
        time.sleep(0.25)
    page.wait_for_timeout(1500)
