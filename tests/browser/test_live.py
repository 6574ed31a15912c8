"""
A live stream in a real browser: one click in the page, and it shows what is sent now.
"""
from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.standalone.nodes import environment, wait_for
from tests.videos import TYPES, command, need_ffmpeg

from .looking import go, open_page

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext

    from tests.standalone.conftest import StartNode

BRIGHT = 100

pytestmark = pytest.mark.browser

LOOK = """(video) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [70, 40];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(video, 0, 0, 70, 40);
    return [15, 55].map((x) => [...context.getImageData(x, 10, 1, 1).data.slice(0, 3)]);
}"""
"""Two of the colour bars: the second, yellow, and the sixth, red."""


@pytest.mark.parametrize("ending", sorted(TYPES))
def test_one_click_plays_what_is_sent_now(context: BrowserContext, start_node: StartNode, pictures: Path,
                                          ending: str) -> None:
    need_ffmpeg()
    node = start_node("a")
    camera = subprocess.Popen(command(ending, 60, live=True), stdout=subprocess.PIPE)
    streamer = subprocess.Popen([sys.executable, "-m", "tribler_multicast", "stream", "my camera", "--state-dir",
                                 str(node.state_dir)], stdin=camera.stdout, stdout=subprocess.DEVNULL,
                                env=environment())
    try:
        wait_for(lambda: node.call("GET", "/streams?timeout=0.1")[1]["streams"])
        [stream] = node.call("GET", "/streams?timeout=0.1")[1]["streams"]
        assert stream["media_type"] == TYPES[ending]
        page, complaints = open_page(context, node.ready["page"], "streams")
        page.get_by_role("button", name="Play my camera").click()
        page.wait_for_function("() => document.querySelector('video')?.currentTime > 0.5")
        video = page.locator("video")
        (red, green, blue), (red_too, no_green, no_blue) = video.evaluate(LOOK)
        assert min(red, green) > BRIGHT > blue, "the second bar is yellow"
        assert red_too > BRIGHT > max(no_green, no_blue), "the sixth bar is red"
        frames = "document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
        page.wait_for_function(f"(before) => {frames} > before + 10", arg=page.evaluate(f"() => {frames}"))
        page.screenshot(path=pictures / f"live-{ending}.png")
        assert node.call("GET", "/streams?timeout=0.1")[1]["streams"][0]["watched"]
        page.get_by_role("button", name="Stop").click()
        wait_for(lambda: not node.call("GET", "/streams?timeout=0.1")[1]["streams"][0]["watched"])
        go(page, "Network")
        assert complaints == []
    finally:
        for process in (camera, streamer):
            process.terminate()
            process.wait(20)
