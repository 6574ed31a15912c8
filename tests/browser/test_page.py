"""
The page "Local network" in a real browser, with real nodes.
"""
from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.standalone.nodes import wait_for

from .looking import BLACK, GREEN, colour, open_page

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext

    from tests.standalone.conftest import StartNode

pytestmark = pytest.mark.browser

SCRIPT = '<img src=x onerror="window.hacked=1"><b>bold</b>'


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_local_is_green_when_online_and_black_when_not(context: BrowserContext, start_node: StartNode, pictures: Path,
                                                       scheme: str) -> None:
    first = start_node("a", "--nickname", "living room")
    page, complaints = open_page(context, first.ready["page"])
    page.emulate_media(color_scheme=scheme)
    page.get_by_text("Nobody else is here yet").wait_for()
    page.screenshot(path=pictures / f"empty-{scheme}.png")

    second = start_node("b", "--nickname", "kitchen")
    row = f'tr[data-mid="{second.mid}"]'
    page.locator(f"{row} {GREEN}").wait_for()  # live: nobody reloads the page
    assert page.locator(f"{row} {GREEN}").inner_text() == "local"
    assert page.locator(f"{row} .ln-nickname").inner_text() == "kitchen"
    red, green, blue = colour(page, f"{row} {GREEN}")
    assert green > red + 60
    assert green > blue + 40
    assert page.title() == "(1) Local network"
    start_node("c")
    page.locator(GREEN).nth(1).wait_for()

    second.stop()
    page.locator(f"{row} {BLACK}").wait_for()
    assert page.locator(f"{row} {BLACK}").inner_text() == "local"
    assert colour(page, f"{row} {BLACK}") == (0, 0, 0)
    page.screenshot(path=pictures / f"peers-{scheme}.png")
    assert complaints == []


def test_a_nickname_is_shown_as_text_and_never_runs(context: BrowserContext, start_node: StartNode) -> None:
    first, second = start_node("a"), start_node("b", "--nickname", SCRIPT)
    page, complaints = open_page(context, first.ready["page"])
    name = page.locator(f'tr[data-mid="{second.mid}"] .ln-nickname')
    name.wait_for()
    assert name.inner_text() == SCRIPT
    assert page.locator("main img, main b").count() == 0
    assert page.evaluate("window.hacked") is None
    other, _ = open_page(context, second.ready["page"])
    other.locator("header").get_by_text(SCRIPT).wait_for()
    assert other.evaluate("window.hacked") is None
    assert complaints == []


def test_the_policy_of_the_page_forbids_scripts_that_are_not_its_own(context: BrowserContext,
                                                                     start_node: StartNode) -> None:
    page, complaints = open_page(context, start_node("a").ready["page"])
    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.hacked = 1";
        document.body.append(script);
    }""")
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in complaint for complaint in complaints)


@pytest.mark.parametrize("query", ["", "?key=wrong"])
def test_a_wrong_key_is_explained(context: BrowserContext, start_node: StartNode, pictures: Path, query: str) -> None:
    page, _ = open_page(context, start_node("a").ready["api"] + "/" + query)
    page.get_by_text("The key in the address of this page is wrong.").wait_for()
    assert "Not connected" in page.locator(".ln-connection").inner_text()
    assert page.locator("tbody tr").count() == 0
    page.screenshot(path=pictures / "wrong-key.png")


def test_a_lost_connection_is_explained_and_heals(context: BrowserContext, start_node: StartNode,
                                                  pictures: Path) -> None:
    first, second = start_node("a", "--api-key", "the-same-key"), start_node("b", "--nickname", "kitchen")
    port = str(urlsplit(first.ready["api"]).port)
    page, _ = open_page(context, first.ready["page"])
    page.locator('.ln-connection[data-state="live"]').wait_for()
    page.locator(f'tr[data-mid="{second.mid}"]').wait_for()
    first.stop()
    page.get_by_text("The connection to the node is lost.").wait_for()
    page.screenshot(path=pictures / "lost.png")
    start_node("a", "--api-key", "the-same-key", "--api-port", port)
    page.locator('.ln-connection[data-state="live"]').wait_for()
    assert page.locator(".ln-problem").is_hidden()
    page.locator(f'tr[data-mid="{second.mid}"] .ln-local[data-state="online"]').wait_for()


def test_the_empty_page_checks_the_network_on_request(context: BrowserContext, start_node: StartNode,
                                                      pictures: Path) -> None:
    page, complaints = open_page(context, start_node("a").ready["page"])
    page.get_by_role("button", name="Check my network").click()
    page.locator(".ln-findings li").first.wait_for()
    assert page.locator(".ln-findings").get_by_text("multicast works inside this machine with IPv4 on lo").is_visible()
    page.screenshot(path=pictures / "doctor.png", full_page=True)
    assert complaints == []


def test_announcements_do_not_make_the_page_fetch_its_list_again(context: BrowserContext,
                                                                 start_node: StartNode) -> None:
    first, second = start_node("a"), start_node("b")
    page, complaints = open_page(context, first.ready["page"])
    page.locator(f'tr[data-mid="{second.mid}"] .ln-local[data-state="online"]').wait_for()
    page.evaluate("""key => {
        window.heard = 0;
        new EventSource(`/api/multicast/events?key=${key}`).onmessage = ({ data }) => {
            if (data.includes("multicast_announcement")) window.heard += 1;
        };
    }""", parse_qs(urlsplit(first.ready["page"]).query)["key"][0])
    page.wait_for_timeout(1000)  # what is fetched at the start is fetched by then
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    for number in range(5):
        second.call("POST", "/announcements", b'{"values": [%d]}' % number)
    page.wait_for_function("() => window.heard === 5")
    page.wait_for_timeout(500)
    assert [url for url in fetched if "/peers" in url] == []
    second.stop()
    page.locator(f'tr[data-mid="{second.mid}"] .ln-local[data-state="offline"]').wait_for()
    assert [url for url in fetched if "/peers" in url] != []
    assert complaints == []


def test_the_page_fits_a_telephone(context: BrowserContext, start_node: StartNode, pictures: Path) -> None:
    first = start_node("a")
    second = start_node("b", "--nickname", "W" * 64)
    page, _ = open_page(context, first.ready["page"])
    page.set_viewport_size({"width": 360, "height": 640})
    page.locator(f'tr[data-mid="{second.mid}"] .ln-local').wait_for()
    page.screenshot(path=pictures / "telephone.png")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_browser_keeps_nothing_of_the_node(context: BrowserContext, start_node: StartNode) -> None:
    node = start_node("a")
    page, _ = open_page(context, node.ready["page"])
    page.locator('.ln-connection[data-state="live"]').wait_for()
    assert context.cookies() == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_the_documentation_opens(context: BrowserContext, start_node: StartNode) -> None:
    page, _ = open_page(context, start_node("a").ready["api"] + "/docs")
    page.get_by_text("/api/multicast/peers").wait_for()


def test_the_peers_of_both_pages_agree(context: BrowserContext, start_node: StartNode) -> None:
    first, second = start_node("a"), start_node("b")
    wait_for(lambda: first.mid in second.peers())
    for node, other in ((first, second), (second, first)):
        page, _ = open_page(context, node.ready["page"])
        page.locator(f'tr[data-mid="{other.mid}"] .ln-local[data-state="online"]').wait_for()
