"""
Neighbours may call themselves and their files what they like: it is text, it stays in its place, and it does not run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .looking import go, open_page, row_of
from .scenes import doing, found, on_air
from .stage import gone, mid, peer, transfer

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from .stage import Stage

pytestmark = pytest.mark.browser

NAMES = {
    "markup": '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script></bdi></td>',
    "template": "${window.hacked=1}{{constructor.constructor('window.hacked=1')()}}{n}{name}",
    "long": "W" * 10_000,
    "right to left": "\u202e\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 gpj.exe",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f4\U000e0067\U000e0062\U000e0077\U000e007f "
    * 20,
    "script": "javascript:window.hacked=1//",
    "marks": "Z\u0351\u036b\u0343\u036a\u0302" * 200,
}


def is_unharmed(page: Page) -> None:
    """
    Nothing ran, nothing was made, nothing is beside the page.
    """
    assert page.evaluate("[window.hacked, location.pathname]") == [None, "/"]
    assert page.locator("main img, main script, main iframe").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("width", [1200, 380])
def test_every_view_bears_such_names(context: BrowserContext, stage: Stage, pictures: Path, width: int) -> None:
    transfers, publications, results = [], [], []
    for key, name in NAMES.items():
        stage.answers["/peers"]["peers"].append(
            peer(
                name,
                key=key,
                friend="received",
                interface=name,
                capabilities=[name] * 50,
                addresses=[{"family": "ipv6", "ip": name[:200], "port": 1}] * 40,
                activity="live",
                up=1e18,
                down=-1,
            )
        )
        stage.weather["nodes"].append({**doing(name, "live", 1e30, 0), "mid": mid(key)})
        transfers.append(
            transfer(
                name,
                key=key,
                error=name,
                path=name,
                peers=[{"mid": mid(key), "up": 1, "down": 1, "role": "helper", "way": "unicast"}],
            )
        )
        stage.answers[f"/transfers/{mid(key)[:16]}"] = {
            **transfers[-1],
            "token": name[:100],
            "files_total": 2,
            "files": [{"path": f"{name}/a.mp4", "size": 1}, {"path": name, "size": 2}],
        }
        publications.append(
            {
                "content_id": mid(key) * 2,
                "name": name,
                "size": 1,
                "files": 1,
                "path": name,
                "receivers": 0,
                "finished": 0,
                "uploaded": 0,
                "error": name,
            }
        )
        results += [found("coded", name, 1, key), on_air(name, key, media_type=name, sources=[name], viewers=2)]
    stage.answers["/peers"]["peers"] += [gone(NAMES["long"], key="b"), peer("honest")]
    stage.weather["limit"] = {"up": 1, "down": None, "why": "live"}
    stage.answers.update(
        {
            "/transfers": {"transfers": transfers},
            "/publications": {"publications": publications},
            "/search": {"results": results},
            "/streams": {"streams": results[1::2]},
        }
    )
    page, complaints = open_page(context, stage.url)
    page.set_viewport_size({"width": width, "height": 700})
    for key in NAMES:
        row_of(page, mid(key)).wait_for()
    row_of(page, mid("honest")).get_by_role("button", name="Ask honest to be friends").wait_for()
    is_unharmed(page)
    page.screenshot(path=pictures / "network.png", full_page=True)
    for key, name in NAMES.items():
        stage.tell("multicast_peer_local", mid=mid(key), nickname=name)
    go(page, "Find")
    page.get_by_role("searchbox").fill("x")
    page.get_by_role("searchbox").press("Enter")
    page.locator(".ln-search .ln-result").nth(len(results) - 1).wait_for()
    is_unharmed(page)
    go(page, "Streams")
    page.locator(".ln-stream").nth(len(NAMES) - 1).wait_for()
    page.locator(".ln-stream").first.get_by_role("button", name="Play").click()
    page.locator(".ln-playing section").wait_for()
    is_unharmed(page)
    page.screenshot(path=pictures / "streams.png", full_page=True)
    page.get_by_role("button", name="Stop").click()
    go(page, "Transfers")
    for number in range(len(NAMES)):
        page.locator(".ln-transfer").nth(number).get_by_role("button", name="Details").click()
    page.locator(".ln-files a").nth(2 * len(NAMES) - 1).wait_for()
    assert all(
        link.startswith(stage.url + "api/")
        for link in page.locator("a").evaluate_all("all => all.map((each) => each.href)")
    )
    page.locator(".ln-transfer").first.get_by_role("button", name="Remove").click()
    is_unharmed(page)
    page.screenshot(path=pictures / "transfers.png", full_page=True)
    go(page, "Weather")
    page.locator(".ln-list li").nth(len(NAMES) - 1).wait_for()
    is_unharmed(page)
    page.screenshot(path=pictures / "weather.png", full_page=True)
    assert [text for text in complaints if "404" not in text] == []  # of the stream that this stage has not


def test_a_name_does_not_turn_the_sentence_around(context: BrowserContext, stage: Stage) -> None:
    stage.answers["/peers"]["peers"] = [peer("\u05e9\u05dc\u05d5\u05dd", key="a")]
    stage.weather["nodes"] = [{**doing("a", "live", 1, 0)}]
    stage.weather["limit"] = {"up": 1_200_000, "down": None, "why": "live"}
    page, _ = open_page(context, stage.url)
    sentence = page.locator(".ln-view:visible .ln-sentence")
    sentence.locator("bdi").wait_for()
    assert sentence.inner_text().endswith(
        "is watching or sending a live stream: your bulk traffic is held at 1.2\u00a0MB/s up."
    )
    left = "element => element.getBoundingClientRect().left"
    assert sentence.locator("bdi").evaluate(left) < sentence.locator("bdi + *, span").last.evaluate(
        "element => element.getBoundingClientRect().right"
    )


def test_a_long_name_is_cut_and_told_whole_on_demand(context: BrowserContext, stage: Stage) -> None:
    long = "a very long name " * 3 + "x" * 900
    stage.answers["/peers"]["peers"] = [peer(long, key="a")]
    page, _ = open_page(context, stage.url)
    cell = row_of(page, mid("a")).locator(".ln-nickname")
    cell.wait_for()
    assert cell.bounding_box()["height"] < 40
    assert cell.get_attribute("title") == long
