"""
What is measured before a crowd.
"""
from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from .stage import gone, peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from .stage import Stage


class Tasks(NamedTuple):
    """
    The longest tasks of the page's thread in milliseconds: by the clock, and of the processor, which does not depend on
    what else the machine does.
    """

    clock: float
    processor: float


@contextmanager
def traced(page: Page) -> Iterator[list[Tasks]]:
    """
    Trace what is done inside; then the list has the longest tasks.
    """
    found: list[Tasks] = []
    browser = page.context.browser
    browser.start_tracing(page=page, categories=["toplevel"])
    try:
        yield found
    finally:
        events = json.loads(browser.stop_tracing())["traceEvents"]
    names = {(each["pid"], each["tid"]): each["args"]["name"] for each in events if each["name"] == "thread_name"}
    tasks = [each for each in events if each.get("ph") == "X" and "RunTask" in each["name"]
             and names.get((each["pid"], each["tid"])) == "CrRendererMain"]
    assert tasks
    found.append(Tasks(*(max(each.get(name, 0) for each in tasks) / 1000 for name in ("dur", "tdur"))))


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
