"""
The view of streams: what is on, what is watched and how it comes, and going live from the browser.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.standalone.nodes import wait_for

from .looking import go, open_page
from .scenes import evening, on_air
from .stage import mid, peer

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext

    from tests.standalone.conftest import StartNode
    from tests.standalone.nodes import RunningNode

    from .stage import Stage

pytestmark = pytest.mark.browser

PLAYS = "() => document.querySelector('.ln-playing video')?.getVideoPlaybackQuality().totalVideoFrames > 15"


def streams(node: RunningNode) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = node.call("GET", "/streams?known=true")[1]["streams"]
    return found


def test_a_camera_is_sent_from_one_tab_and_watched_in_another(
    context: BrowserContext, start_node: StartNode, pictures: Path
) -> None:
    node = start_node("a", "--nickname", "kitchen")
    page, complaints = open_page(context, node.ready["page"], "streams")
    page.get_by_text("Nobody on this network streams now").wait_for()
    page.get_by_label("Name", exact=True).fill("front door")
    page.get_by_role("button", name="Go live").click()
    page.locator(".ln-preview").wait_for()
    wait_for(lambda: bool(streams(node)), 20)
    [stream] = streams(node)
    assert (stream["name"], stream["media_type"], stream["own"]) == ("front door", "video/webm", True)
    page.locator(".ln-stream", has_text="from this node").wait_for()

    viewer, others = open_page(context, node.ready["page"], "streams")
    viewer.get_by_role("button", name="Play front door").click()
    viewer.wait_for_function(PLAYS)
    viewer.locator(".ln-playing dl", has_text="Buffer").get_by_text("kitchen").or_(
        viewer.locator(".ln-playing dl").get_by_text("This node")).wait_for()
    viewer.wait_for_function("() => /Buffer\\s+[0-9]/.test(document.querySelector('.ln-playing dl').innerText)")
    viewer.screenshot(path=pictures / "watching.png", full_page=True)
    page.bring_to_front()
    page.screenshot(path=pictures / "sending.png", full_page=True)
    page.locator(".ln-publish").get_by_role("button", name="End the stream").click()
    page.get_by_role("button", name="Go live").wait_for()
    wait_for(lambda: not streams(node), 20)
    viewer.get_by_text("It is over.").wait_for()
    viewer.get_by_role("button", name="Stop").click()
    assert viewer.locator("video").count() == 0
    assert complaints == others == []


def test_closing_the_page_ends_what_it_sends(context: BrowserContext, start_node: StartNode) -> None:
    node = start_node("a")
    page, _ = open_page(context, node.ready["page"], "streams")
    page.get_by_label("What", exact=True).select_option("Microphone")
    page.get_by_role("button", name="Go live").click()
    wait_for(lambda: bool(streams(node)), 20)
    assert streams(node)[0]["media_type"] == "audio/webm"
    page.goto("about:blank")
    wait_for(lambda: not streams(node), 20)


def test_what_keeps_a_camera_from_being_sent_is_said(context: BrowserContext, stage: Stage) -> None:
    page, complaints = open_page(context, stage.url, "streams")
    refuse = """(name) => {
        navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("no", name); };
    }"""
    for name, words in (("NotAllowedError", "was not allowed to use it"), ("NotFoundError", "There is none on this"),
                        ("NotReadableError", "That did not work: no")):
        page.evaluate(refuse, name)
        page.get_by_role("button", name="Go live").click()
        page.get_by_text(words).wait_for()
    stage.answers["POST /streams"] = (503, "8 streams are published here already")
    page.reload()
    page.get_by_role("button", name="Go live").click()
    page.locator(".ln-publish").get_by_text("8 streams are published here already").wait_for()
    page.get_by_role("button", name="Go live").wait_for()
    assert [text for text in complaints if "503" not in text] == []


def test_a_node_that_takes_nothing_more_ends_the_recording_with_a_reason(context: BrowserContext, stage: Stage) -> None:
    page, _ = open_page(context, stage.url, "streams")
    stage.answers["POST /streams"] = {"stream_id": "ab" * 32}
    stage.answers[f"PUT /streams/{'ab' * 32}/data"] = (404, "this node publishes no such stream")
    page.get_by_role("button", name="Go live").click()
    page.locator(".ln-publish").get_by_text("this node publishes no such stream").wait_for()
    page.get_by_role("button", name="Go live").wait_for()
    assert ("DELETE", f"/streams/{'ab' * 32}", None) in stage.changes


def test_an_address_is_streamed_and_a_file_is_offered(context: BrowserContext, stage: Stage) -> None:
    page, complaints = open_page(context, stage.url, "streams")
    page.get_by_label("What", exact=True).select_option("Web radio or camera with an address")
    page.get_by_label("Name", exact=True).fill("radio")
    page.get_by_label("Address", exact=True).fill("http://192.0.2.1/radio.mp3")
    page.get_by_role("button", name="Go live").click()
    page.get_by_text("It is on.").wait_for()
    assert ("POST", "/streams", {"name": "radio", "source": "http://192.0.2.1/radio.mp3"}) in stage.changes
    page.get_by_label("What", exact=True).select_option("File or folder")
    page.get_by_role("button", name="Offer a file or folder").click()
    page.get_by_role("button", name="Offer this folder").click()
    page.get_by_text("It is offered now").wait_for()
    assert ("POST", "/publications", {"path": "/home"}) in stage.changes
    assert complaints == []


def test_what_is_on_is_told_and_changes_with_an_event(context: BrowserContext, stage: Stage) -> None:
    stage.answers["/peers"]["peers"] = [peer("kitchen")]
    page, complaints = open_page(context, stage.url, "streams")
    page.get_by_text("Nobody on this network streams now").wait_for()
    stage.answers["/streams"] = {"streams": [on_air("race", "kitchen", viewers=2, rate=500_000)]}
    stage.tell("multicast_stream", stream_id="ab" * 32, name="race", media_type="video/mp2t", state="joined")
    row = page.locator(".ln-stream", has_text="race")
    row.wait_for()
    assert "from kitchen" in row.inner_text()
    assert "2 watch" in row.inner_text()
    assert row.get_by_role("button", name="End the stream").count() == 0
    stage.answers["/streams"] = {"streams": [on_air("mine", "me", own=True, viewers=1)]}
    page.get_by_role("button", name="Look again").click()
    page.get_by_role("button", name="End the stream mine").click()
    wait_for(lambda: any(change[0] == "DELETE" for change in stage.changes), 10)
    assert complaints == []


def test_now_playing_says_buffer_delay_and_from_whom(context: BrowserContext, stage: Stage) -> None:
    evening(stage)
    stage.answers["/streams"] = {"streams": [on_air(
        "race", "kitchen tablet", media_type="audio/mpeg", delay=0.8, rate=16_000, lost=1500, skipped=0, viewers=3,
        sources=[mid("kitchen tablet"), mid("attic NAS"), "ff" * 20])]}
    page, _ = open_page(context, stage.url, "streams")
    page.get_by_role("button", name="Play race").click()
    facts = page.locator(".ln-playing dl")
    facts.get_by_text("attic NAS").wait_for()
    text = " ".join(facts.inner_text().split())
    assert "Buffer" in text
    assert "From kitchen tablet, attic NAS, ffffffffff" in text
    assert "Delay 0.8 s" in text
    assert "Lost 1.5 kB" in text
    page.get_by_text("This browser cannot play it").wait_for()  # the stage has no sound to give
    assert "token=" in page.locator(".ln-playing code").inner_text()
    go(page, "Transfers")
    go(page, "Streams")
    page.locator(".ln-playing").get_by_text("race").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.locator(".ln-playing section").wait_for(state="detached")


def test_a_stream_that_a_search_finds_is_watched_with_one_click(context: BrowserContext, stage: Stage) -> None:
    evening(stage)
    page, _ = open_page(context, stage.url, "find")
    page.get_by_role("searchbox").fill("boat")
    page.get_by_role("searchbox").press("Enter")
    page.get_by_role("button", name="Play Red boat race, live").click()
    page.locator(".ln-playing h2", has_text="Red boat race, live").wait_for()
    assert page.url.endswith("#streams")
    assert json.dumps(stage.changes) == "[]"


def test_a_publisher_is_subscribed_to_and_left(context: BrowserContext, stage: Stage) -> None:
    page, complaints = open_page(context, stage.url, "streams")
    page.get_by_text("New episodes of a publisher come by themselves").wait_for()
    stage.answers["POST /feeds"] = (422, "a feed has an address that begins with http:// or https://")
    page.get_by_label("Address of a feed").fill("nonsense")
    page.get_by_role("button", name="Subscribe", exact=True).click()
    page.locator(".ln-subscriptions").get_by_text("a feed has an address that begins with").wait_for()
    del stage.answers["POST /feeds"]
    stage.answers["/feeds"] = {
        "feeds": [{"id": "f1", "url": "http://192.168.1.9:8080/feed.xml", "title": "<b>attic</b> NAS", "state": "ok",
                   "last_check": 1e9, "next_check": 2e9, "error": None, "seen": 3, "begun": 2, "waiting": 1}],
        "own": {"url": "http://192.168.1.7:8080/feed.xml", "error": None, "published": []}}
    page.get_by_label("Address of a feed").fill("http://192.168.1.9:8080/feed.xml")
    page.get_by_role("button", name="Subscribe", exact=True).click()
    page.locator(".ln-subscriptions").get_by_text("2 came").wait_for()
    page.get_by_text("http://192.168.1.7:8080/feed.xml").wait_for()
    assert ("POST", "/feeds", {"url": "http://192.168.1.9:8080/feed.xml", "first": 1}) in stage.changes
    page.get_by_role("button", name="Unsubscribe from <b>attic</b> NAS").click()
    wait_for(lambda: ("DELETE", "/feeds/f1", None) in stage.changes, 10)
    assert [text for text in complaints if "422" not in text] == []
