"""
The page of a node on a LAN of machines: who comes, who goes, and the weather.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.lan.conftest import lan  # noqa: F401 (a fixture)
from tests.lan.uplink import Home

from .door import Door
from .looking import BLACK, GREEN, open_page, row_of

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

    from tests.lan.testbed import Lan

pytestmark = [pytest.mark.browser, pytest.mark.lan]


def test_who_comes_is_green_and_who_goes_is_black_and_a_stream_changes_the_sentence(context: BrowserContext,
                                                                                    lan: Lan) -> None:  # noqa: F811
    first, second = Home(lan, 2).machines
    node = first.node(weather=True)
    with Door(node) as door:
        page, complaints = open_page(context, door.url)
        page.get_by_text("Nobody else is here yet").wait_for()
        other = second.node("kitchen", weather=True, nickname="kitchen")
        row = row_of(page, other.mid)
        row.locator(GREEN).wait_for()
        assert str(second.interfaces["eth0"].ipv4) in row.locator(".ln-address").inner_html()
        calm = page.locator(".ln-view:visible .ln-sentence").inner_text()
        other.rest("PUT", "/activity", {"class": "live", "down": 375_000, "ttl": 60})
        page.locator(".ln-sentence:visible", has_text="kitchen is watching or sending a live stream").wait_for()
        assert "kitchen" not in calm
        row.get_by_text("live stream").wait_for()
        other.rest("PUT", "/activity", {"class": "idle", "ttl": 60})
        page.locator(".ln-sentence:visible", has_text="live stream").wait_for(state="detached")
        other.stop()
        row.locator(BLACK).wait_for()
        assert complaints == []
