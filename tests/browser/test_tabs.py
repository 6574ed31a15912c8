"""
Many tabs of one node. A browser opens six connections to one origin, whatever number of tabs there is, and an event
stream is one for as long as it is open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.standalone.nodes import wait_for

from .looking import GREEN, go, open_page, put_away, row_of
from .stage import mid, peer

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.standalone.conftest import StartNode

    from .stage import Stage

pytestmark = pytest.mark.browser

TABS = 9
"""More than there are connections."""


def is_live(page: Page) -> None:
    """
    Wait until a page is connected.
    """
    page.locator('.ln-connection[data-state="live"]').wait_for()


def test_nine_tabs_of_a_node_are_all_alive_when_they_are_looked_at(
    context: BrowserContext, start_node: StartNode
) -> None:
    node = start_node("a")
    tabs = []
    for _ in range(TABS):
        if tabs:
            put_away(tabs[-1][0])
        tabs.append(open_page(context, node.ready["page"]))
        is_live(tabs[-1][0])
    other = start_node("b", "--nickname", "kitchen")
    last, first = tabs[-1][0], tabs[0][0]
    row_of(last, other.mid).locator(GREEN).wait_for()
    assert row_of(first, other.mid).count() == 0  # nobody looks at it
    put_away(last)
    put_away(first, hidden=False)
    row_of(first, other.mid).locator(GREEN).wait_for()
    is_live(first)
    for page, complaints in tabs:
        put_away(page)
        assert complaints == []
    for page, complaints in reversed(tabs):
        put_away(page, hidden=False)
        row_of(page, other.mid).locator(GREEN).wait_for()
        put_away(page)
        assert complaints == []


def test_a_hidden_tab_hears_nothing_asks_nothing_and_is_fresh_when_it_is_shown(
    context: BrowserContext, stage: Stage
) -> None:
    page, complaints = open_page(context, stage.url)
    is_live(page)
    assert stage.listening == 1
    put_away(page)
    wait_for(lambda: stage.listening == 0, 10)
    calls = stage.calls.total()
    stage.answers["/peers"]["peers"] = [peer("kitchen")]
    page.wait_for_timeout(1500)
    assert stage.calls.total() == calls
    assert page.locator(".ln-problem").is_hidden()  # nothing is wrong
    go(page, "Transfers")
    put_away(page, hidden=False)
    is_live(page)
    page.get_by_text("Nothing is fetched or sent").wait_for()
    assert stage.listening == 1
    go(page, "Network")
    row_of(page, mid("kitchen")).wait_for()
    for _ in range(5):  # to and fro: one stream at most, whatever was on its way
        put_away(page)
        put_away(page, hidden=False)
    is_live(page)
    wait_for(lambda: stage.listening == 1, 10)
    assert complaints == []


def test_a_tab_that_was_opened_in_the_background_waits_until_it_is_shown(context: BrowserContext, stage: Stage) -> None:
    stage.answers["/peers"]["peers"] = [peer("kitchen")]
    context.add_init_script("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });")
    page, complaints = open_page(context, stage.url)
    page.locator(".ln-page").wait_for()
    page.wait_for_timeout(500)
    assert (stage.listening, stage.calls.total()) == (0, 0)
    put_away(page, hidden=False)
    row_of(page, mid("kitchen")).wait_for()
    assert complaints == []


def test_a_hidden_tab_does_not_try_again_when_the_node_is_gone(context: BrowserContext, stage: Stage) -> None:
    page, _ = open_page(context, stage.url)
    is_live(page)
    stage.answers["/status"] = (503, "not now")
    stage.drop()
    page.locator('.ln-connection[data-state="lost"]').wait_for()
    put_away(page)
    page.wait_for_timeout(300)  # what was on its way
    calls = stage.calls.total()
    page.wait_for_timeout(1500)
    assert stage.calls.total() == calls
    stage.answers["/status"] = stage.status
    put_away(page, hidden=False)
    is_live(page)
    assert page.locator(".ln-problem").is_hidden()
