"""
A live stream over a LAN in a real browser: how soon after the click its first picture is there, and that it goes on.
"""
from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.lan.conftest import lan, loss  # noqa: F401 (fixtures)
from tests.lan.node import ROOT, wait_all_local
from tests.videos import TYPES, command, need_ffmpeg

from .door import Door

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from tests.lan.node import Node
    from tests.lan.testbed import Lan, Machine

pytestmark = [pytest.mark.browser, pytest.mark.lan]

PLAY = """async ([key, id]) => {
    const { playLive } = await import("/static/live.js");
    const headers = { "X-Api-Key": key };
    const { streams } = await (await fetch("/api/multicast/streams?timeout=0.3", { headers })).json();
    const stream = streams.find((each) => each.stream_id === id);
    const video = document.createElement("video");
    video.muted = true;
    video.autoplay = true;
    video.width = 640;
    document.body.replaceChildren(video);
    const begin = performance.now();
    window.end = playLive(video, { base: "/api/multicast" }, stream, () => { window.failed = true; });
    await new Promise((resolve) => { video.requestVideoFrameCallback(resolve); });
    return (performance.now() - begin) / 1000;
}"""

LOOK = """() => {
    const video = document.querySelector("video");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [70, 40];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(video, 0, 0, 70, 40);
    return [15, 55].map((x) => [...context.getImageData(x, 10, 1, 1).data.slice(0, 3)]);
}"""
"""Two of the colour bars: the second, yellow, and the sixth, red."""

BRIGHT = 100


def stream_on(machine: Machine, node: Node, ending: str) -> str:
    """
    Stream colour bars from a machine, by the command line; the id of the stream.
    """
    camera, streamer = (shlex.join(each) for each in (
        command(ending, 120, live=True),
        [sys.executable, "-m", "tribler_multicast", "stream", "my camera", "--state-dir", str(node.state)]))
    machine.popen(["env", f"PYTHONPATH={ROOT}", "sh", "-c", f"{camera} | {streamer} > /dev/null"])
    found: list[dict[str, Any]] = []
    node.wait_for(lambda: found.extend(node.rest("GET", "/streams?timeout=0.1")["streams"]) or found, 30, "it streams")
    return str(found[0]["stream_id"])


def play(page: Page, door: Door, node: Node, stream_id: str) -> float:
    page.goto(door.url)
    return float(page.evaluate(PLAY, [node.key, stream_id]))


@pytest.mark.parametrize("ending", ["ts", "webm"])
def test_what_one_node_films_the_page_of_another_shows(context: BrowserContext, lan: Lan,  # noqa: F811
                                                       pictures: Path, ending: str) -> None:
    need_ffmpeg()
    source, *others = lan.machines(2)
    for machine in (source, *others):
        machine.shape(20)
    publisher, viewer = (machine.node(introduction_interval=1) for machine in (source, *others))
    wait_all_local([publisher, viewer])
    stream_id = stream_on(source, publisher, ending)
    viewer.wait_for(lambda: any(each["stream_id"] == stream_id and each["media_type"] == TYPES[ending]
                                for each in viewer.rest("GET", "/streams?timeout=0.3")["streams"]), 30, "it is listed")
    with Door(viewer) as door:
        page = context.new_page()
        first = play(page, door, viewer, stream_id)
        page.wait_for_function("() => document.querySelector('video').currentTime > 0.3")
        (red, green, blue), (red_too, no_green, no_blue) = page.evaluate(LOOK)
        assert min(red, green) > BRIGHT > blue, "the second bar is yellow"
        assert red_too > BRIGHT > max(no_green, no_blue), "the sixth bar is red"
        before = page.evaluate("() => document.querySelector('video').currentTime")
        page.wait_for_function("(before) => document.querySelector('video').currentTime > before + 2", arg=before)
        page.screenshot(path=pictures / f"live-lan-{ending}.png")
        again = play(page, door, viewer, stream_id)
        print(f"{ending}: first picture {first:.2f} s after the click, {again:.2f} s when it is received already")
        assert viewer.rest("GET", "/activity")["class"] == "live"
        assert not page.evaluate("() => window.failed ?? false")
