"""
The page in the window of a real, unmodified Tribler, with other nodes on its LAN.

Needs Tribler's sources with their user interface built (``TRIBLER_SRC``; CONTRIBUTING says how), a Python that runs
Tribler and Chromium; what is missing is said.
"""
from __future__ import annotations

import os
import re
import subprocess
import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.lan.uplink import Home
from tests.tribler.conftest import house, needs_namespaces, start, tribler_python, tribler_source  # noqa: F401
from tests.tribler.host import torrent
from tests.tribler.test_neighbours import wait_for
from tests.videos import need_ffmpeg

from .strangers import are_harmless_at, are_saved_not_shown, evil_folder, is_noise
from .test_live_lan import stream_on
from .tribler_window import ENTRY, PATIENCE, Window, browser_in, not_built, profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lan.node import Node
    from tests.lan.testbed import Lan
    from tests.tribler.host import Tribler

pytestmark = [pytest.mark.browser, pytest.mark.tribler]

WHEN = """mid => {
    window.seen = {};
    const look = () => {
        const badge = document.querySelector(`tr[data-mid="${mid}"] .ln-local`);
        if (badge !== null) window.seen[badge.dataset.state] ??= Date.now() / 1000;
    };
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true });
    look();
}"""
"""Notes when a row turned which colour."""

STRANGER = """
import sys, time, libtorrent as lt
session = lt.session({"listen_interfaces": "0.0.0.0:6999", "enable_dht": False, "enable_lsd": False,
                      "enable_upnp": False, "enable_natpmp": False})
params = lt.add_torrent_params()
params.ti, params.save_path = lt.torrent_info(sys.argv[1]), sys.argv[2]
session.add_torrent(params).set_upload_limit(100_000)
print("ready", flush=True)
while True:
    time.sleep(1)
"""
"""A client of others on the same LAN: a peer as good as any, and nobody that we verified."""

MARKS = "() => [...document.querySelectorAll('[data-local-network]')].map((cell) => cell.textContent)"


class Flat(NamedTuple):
    """
    Who is there: a Tribler with a window, a Tribler with torrents, a standalone node.
    """

    tribler: Tribler
    carl: Tribler
    kitchen: Node
    window: Window
    pictures: Path


@pytest.fixture(scope="module")
def flat(house: Lan, start: Callable[..., Tribler], tribler_source: Path) -> Iterator[Flat]:  # noqa: F811
    if reason := not_built(tribler_source):
        pytest.skip(reason)
    machines = Home(house, 3).machines  # behind one gateway: only then there is any weather
    tribler = start(machines[0], "a", wait=False, nickname="Anna")
    carl = start(machines[1], "c", wait=False, nickname="Carl")
    kitchen = machines[2].node("kitchen", nickname="kitchen", wait=False)
    for node in (tribler, carl, kitchen):
        node.ready(180)
    tribler.wait_local(carl, kitchen, timeout=60)
    pictures = house.folder / "pictures"
    pictures.mkdir()
    with browser_in(machines[0], house.folder) as browser, profile(browser) as context:
        window = Window(context, tribler)
        yield Flat(tribler, carl, kitchen, window, pictures)
        assert window.errors == []
    assert not tribler.complaints()


@pytest.fixture(autouse=True)
def _at_home(flat: Flat) -> None:
    flat.window.go("downloads/all")


def badge(node: Node, state: str) -> str:
    return f'tr[data-mid="{node.mid}"] .ln-local[data-state="{state}"]'


def test_a_node_is_green_when_it_comes_and_black_when_it_goes(flat: Flat) -> None:
    window, page = flat.window, flat.window.page
    window.open_ours()
    window.wait_live()
    guest = flat.kitchen.machine.node("guest", nickname="guest", wait=False)
    guest.ready(180)
    page.evaluate(WHEN, guest.mid)
    page.locator(badge(guest, "online")).wait_for()
    green = page.evaluate("window.seen.online") - guest.ready_at
    red, light, blue = colour(window, badge(guest, "online"))
    assert light > red + 60
    assert light > blue + 40
    page.locator(badge(guest, "online")).scroll_into_view_if_needed()
    page.screenshot(path=flat.pictures / "green.png")
    begin = time.time()
    guest.stop()
    page.locator(badge(guest, "offline")).wait_for()
    black = page.evaluate("window.seen.offline") - begin
    assert colour(window, badge(guest, "offline")) == (0, 0, 0)
    page.locator(badge(guest, "offline")).scroll_into_view_if_needed()
    page.screenshot(path=flat.pictures / "black.png")
    print(f"green {green:.2f} s after its ready line (begun at start: {guest.ready_at - guest.started_at:.2f} s before "
          f"that), black {black:.2f} s after it was told to end")


def colour(window: Window, selector: str) -> tuple[int, int, int]:
    text = window.page.locator(selector).evaluate("element => getComputedStyle(element).color")
    red, green, blue = map(int, re.findall(r"\d+", text)[:3])
    return red, green, blue


def test_a_friend_is_asked_accepted_and_given_up_from_both_sides(flat: Flat) -> None:
    window, page, other = flat.window, flat.window.page, flat.kitchen
    row = page.locator(f'tr[data-mid="{other.mid}"]')
    me = f"/friends/{flat.tribler.mid}"

    def shows(state: str) -> None:
        row.locator(f'[data-friend="{state}"]').wait_for()
        row.scroll_into_view_if_needed()
        page.screenshot(path=flat.pictures / f"friend-{state}.png")

    def hears(state: str) -> None:
        wait_for(lambda: other.peer(flat.tribler)["friend"] == state, 60, state)

    window.open_ours()
    row.get_by_role("button", name="Ask kitchen to be friends").click()
    shows("sent")
    hears("received")
    row.get_by_role("button", name="Take back").click()
    hears("none")
    row.get_by_role("button", name="Ask kitchen to be friends").click()
    hears("received")
    other.rest("PUT", me)
    shows("mutual")
    row.get_by_role("button", name="End the friendship").click()
    ask = row.get_by_role("button", name="Ask kitchen to be friends")
    ask.wait_for()
    hears("none")  # over on both sides
    other.rest("PUT", me)
    shows("received")
    row.get_by_role("button", name="Accept kitchen").click()
    shows("mutual")
    hears("mutual")
    other.rest("DELETE", me)
    ask.wait_for()
    other.rest("PUT", me)
    shows("received")
    other.rest("DELETE", me)
    ask.wait_for()


def test_the_sentence_changes_when_somebody_begins_to_stream(flat: Flat) -> None:
    window, page, other = flat.window, flat.window.page, flat.kitchen
    window.open_ours()
    window.wait_live()
    sentence = page.locator(".ln-view:visible .ln-sentence")
    sentence.wait_for()
    calm = sentence.inner_text()
    assert "kitchen" not in calm
    page.screenshot(path=flat.pictures / "weather-calm.png")
    for activity, words, badge in (("live", "kitchen is watching or sending a live stream", "live stream"),
                                   ("on_demand", "kitchen is watching something", "watching")):
        other.rest("PUT", "/activity", {"class": activity, "down": 375_000, "ttl": 60})
        page.locator(".ln-view:visible .ln-sentence", has_text=words).wait_for()
        page.locator(f'tr[data-mid="{other.mid}"]').get_by_text(badge).wait_for()
        page.screenshot(path=flat.pictures / f"weather-{activity}.png")
    window.view("weather")
    page.locator(".ln-view:visible .ln-sentence", has_text="kitchen is watching something").wait_for()
    page.locator('.ln-doings [data-activity="on_demand"]').wait_for()
    page.screenshot(path=flat.pictures / "weather-view.png")
    other.rest("PUT", "/activity", {"class": "idle", "ttl": 60})
    page.locator(".ln-view:visible .ln-sentence", has_text="kitchen").wait_for(state="detached")


def test_what_a_search_finds_is_downloaded_with_one_click(flat: Flat) -> None:
    window, page = flat.window, flat.window.page
    content = os.urandom(3_000_000)
    infohash = flat.carl.share("pineapple juice.bin", content)
    wait_for(lambda: flat.carl.download(infohash).get("progress") == 1, 60, "Carl seeds")
    window.open_ours()
    window.view("find")
    page.locator(".ln-search input[name=query]").fill("pineapple")
    page.locator(".ln-search input[name=query]").press("Enter")
    result = page.locator(".ln-result", has_text="pineapple juice.bin")
    result.wait_for()
    page.screenshot(path=flat.pictures / "found.png")
    result.get_by_role("button", name="Get").click()
    wait_for(lambda: flat.tribler.download(infohash).get("progress") == 1, 120, "downloaded")
    assert (flat.tribler.saved / "pineapple juice.bin").read_bytes() == content
    window.go("downloads/all")  # and it is a download of Tribler's as any other
    page.locator("table").get_by_text("pineapple juice.bin").wait_for()


def test_a_transfer_goes_to_100_percent(flat: Flat, tmp_path: Path) -> None:
    window, page = flat.window, flat.window.page
    content = os.urandom(12_000_000)
    file = tmp_path / "mango photos.bin"
    file.write_bytes(content)
    flat.kitchen.rest("POST", "/publications", {"path": str(file)})
    window.open_ours()
    window.view("find")
    page.locator(".ln-search input[name=query]").fill("mango")
    page.locator(".ln-search input[name=query]").press("Enter")
    page.locator(".ln-result", has_text="mango photos.bin").get_by_role("button", name="Get").click()
    window.view("transfers")
    row = page.locator(".ln-transfers .ln-transfer", has_text="mango photos.bin")
    row.wait_for()
    page.screenshot(path=flat.pictures / "transfer-begun.png")
    done = page.locator('.ln-transfers .ln-transfer[data-state="done"]', has_text="mango photos.bin")
    done.wait_for(timeout=2 * PATIENCE)
    assert row.locator("progress").evaluate("element => element.value") == 1
    page.screenshot(path=flat.pictures / "transfer-done.png")
    (transfer,) = [one for one in flat.tribler.rest("GET", "/transfers")["transfers"] if one["role"] == "receiver"]
    assert transfer["progress"] == 1


def test_names_and_files_of_strangers_are_text_and_never_run_in_triblers_window(flat: Flat, tmp_path: Path) -> None:
    window, page, other = flat.window, flat.window.page, flat.kitchen
    window.open_ours()
    window.wait_live()
    try:
        for name in ('<img src=x onerror="window.hacked=1">', "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
                     "\U0001f3f4 \U0001f469 \U0001f467"):
            other.rest("PATCH", "/settings", {"nickname": name})
            page.locator(f'tr[data-mid="{other.mid}"] .ln-nickname', has_text=name).wait_for()
            page.screenshot(path=flat.pictures / f"hostile-{len(name)}.png")
    finally:
        other.rest("PATCH", "/settings", {"nickname": "kitchen"})
    other.rest("POST", "/publications", {"path": str(evil_folder(tmp_path))})
    window.view("find")
    page.locator(".ln-search input[name=query]").fill("holiday")
    page.locator(".ln-search input[name=query]").press("Enter")
    page.locator(".ln-result", has_text="holiday <img").get_by_role("button", name="Get").click()
    window.view("transfers")
    row = page.locator(".ln-transfers .ln-transfer", has_text="holiday <img")
    page.locator('.ln-transfers .ln-transfer[data-state="done"]', has_text="holiday <img").wait_for()
    (transfer,) = [one for one in flat.tribler.rest("GET", "/transfers")["transfers"]
                   if one["role"] == "receiver" and one["name"].startswith("holiday")]
    row.get_by_role("button", name="Details").click()
    before = len(window.errors)
    are_saved_not_shown(page)
    are_harmless_at(page, f"/api/multicast/transfers/{transfer['id']}/data",
                    flat.tribler.rest("GET", f"/transfers/{transfer['id']}")["token"])
    window.errors[before:] = [error for error in window.errors[before:] if not is_noise(error[0])]
    page.screenshot(path=flat.pictures / "hostile-files.png")


def test_the_peers_of_a_download_show_who_is_local_and_who_is_not(flat: Flat, house: Lan,  # noqa: F811
                                                                  tribler_python: str,  # noqa: F811
                                                                  tmp_path: Path) -> None:
    window, page = flat.window, flat.window.page
    name, content = "coconut.bin", os.urandom(80_000_000)
    (tmp_path / name).write_bytes(content)
    (tmp_path / "coconut.torrent").write_bytes(torrent(name, content))
    machine = house.machine()
    client = machine.popen([tribler_python, "-c", STRANGER, str(tmp_path / "coconut.torrent"), str(tmp_path)],
                           stdout=subprocess.PIPE)
    assert client.line() == "ready"
    infohash = flat.carl.share(name, content)
    wait_for(lambda: flat.carl.download(infohash).get("progress") == 1, 60, "Carl seeds")
    flat.carl.api("PATCH", f"/api/downloads/{infohash}", {"upload_limit": 100_000})
    stranger, local = machine.interfaces["eth0"].ipv4, flat.carl.machine.interfaces["eth0"].ipv4
    flat.tribler.add(f"magnet:?xt=urn:btih:{infohash}&x.pe={stranger}:6999")
    flat.tribler.api("PATCH", f"/api/downloads/{infohash}", {"download_limit": 200_000})

    def both() -> bool:
        return {peer["ip"] for peer in flat.tribler.download(infohash).get("peers", [])} >= {stranger, local}

    wait_for(both, 60, "connected with both")
    page.locator("table").get_by_text(name).click()
    page.get_by_role("tab", name="Peers").click()
    page.locator("[data-local-network]").first.wait_for()
    window.wait("address => document.querySelector('[role=tabpanel][data-state=active]').textContent.includes(address)",
                stranger)
    verified = {local, flat.kitchen.machine.interfaces["eth0"].ipv4}
    for _ in range(3):  # React draws these rows anew each time it has asked
        marked = {mark.partition(" ")[0] for mark in page.evaluate(MARKS)}
        assert local in marked
        assert marked <= verified
        page.wait_for_timeout(2000)
    style = "getComputedStyle(document.querySelector('[data-local-network]'), '::after')"
    assert page.evaluate(f"{style}.content") == '"local"'
    red, green, blue = map(int, re.findall(r"\d+", page.evaluate(f"{style}.color"))[:3])
    assert green > red + 60
    assert green > blue + 40
    page.screenshot(path=flat.pictures / "peers-of-a-download.png")
    page.get_by_role("tab", name="Details").click()
    page.get_by_role("tab", name="Peers").click()
    page.locator("[data-local-network]").first.wait_for()
    wait_for(both, 60, "connected with both all the time")
    client.end()
    flat.tribler.api("DELETE", f"/api/downloads/{infohash}", {"remove_data": True})


def test_results_of_triblers_own_search_show_what_a_local_peer_has(flat: Flat) -> None:
    window, page = flat.window, flat.window.page
    for number in range(3):
        flat.carl.share(f"papaya number {number} {'with a long name ' * 12}.bin", os.urandom(1000))
    wait_for(lambda: sum("papaya" in name for name in flat.carl.known_torrents().values()) == 3, 60, "Carl knows them")
    mine = flat.tribler.share("papaya of my own.bin", os.urandom(1000))
    wait_for(lambda: mine in flat.tribler.known_torrents(), 60, "Anna knows hers")
    page.get_by_placeholder("Search for your favorite content").fill("papaya")
    page.get_by_placeholder("Search for your favorite content").press("Enter")
    page.get_by_text("papaya number 2").wait_for()
    window.wait("() => document.querySelectorAll('[data-local-network]').length === 3")
    assert all(mark.startswith("papaya number") for mark in page.evaluate(MARKS))
    page.screenshot(path=flat.pictures / "search.png")
    page.get_by_text("Name", exact=True).click()  # sorted otherwise, the same rows are marked
    window.wait("() => document.querySelectorAll('[data-local-network]').length === 3")
    assert all(mark.startswith("papaya number") for mark in page.evaluate(MARKS))


def test_a_result_that_a_neighbour_gets_after_the_search_is_marked_without_another_one(flat: Flat) -> None:
    window, page = flat.window, flat.window.page
    infohash = flat.tribler.share("kiwi.bin", os.urandom(1000))
    wait_for(lambda: infohash in flat.tribler.known_torrents(), 60, "Anna knows hers")
    wait_for(lambda: flat.tribler.download(infohash).get("progress") == 1, 60, "Anna seeds")
    with page.expect_response(lambda response: "/api/multicast/search" in response.url):
        window.go("search?query=kiwi")
    page.locator("table").get_by_text("kiwi.bin").wait_for()
    assert page.evaluate(MARKS) == []
    flat.carl.rest("POST", "/downloads", {"infohash": infohash, "peer": flat.tribler.mid})
    wait_for(lambda: flat.carl.download(infohash).get("progress") == 1, 60, "Carl has it")
    window.wait("() => document.querySelectorAll('[data-local-network]').length === 1")
    assert page.evaluate(MARKS) == ["kiwi.bin"]


def test_the_page_goes_by_triblers_theme_language_and_width(flat: Flat) -> None:
    window, page = flat.window, flat.window.page
    window.open_ours()
    window.wait_live()
    page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    page.screenshot(path=flat.pictures / "dark.png", animations="disabled")
    page.evaluate("document.documentElement.classList.replace('dark', 'light')")
    page.get_by_role("button", name="en", exact=True).click()
    page.get_by_role("menuitem", name="es", exact=True).click()
    page.locator(ENTRY, has_text="Red local").wait_for()
    page.locator(".tribler-multicast-page[lang=es]").wait_for()
    page.get_by_role("tab", name="Transferencias").wait_for()
    window.wait_live()
    page.screenshot(path=flat.pictures / "spanish.png")
    page.get_by_role("button", name="es", exact=True).click()
    page.get_by_role("menuitem", name="en", exact=True).click()
    page.locator(ENTRY, has_text="Local network").wait_for()
    page.set_viewport_size({"width": 420, "height": 800})
    try:
        window.go("popular")
        page.get_by_role("button", name="Navigation").click()
        page.locator(ENTRY).click()
        page.locator(ENTRY).wait_for(state="hidden")  # Tribler closes its menu, as with its own entries
        page.locator(".tribler-multicast-page").wait_for()
        assert page.locator(".tribler-multicast-page").evaluate("element => element.scrollWidth") <= 420
        page.screenshot(path=flat.pictures / "narrow.png")
    finally:
        page.set_viewport_size({"width": 1280, "height": 800})


def test_the_entry_is_reached_and_chosen_by_keyboard(flat: Flat) -> None:
    page = flat.window.page
    page.get_by_role("link", name="Popular").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#/search?local-network"
    page.keyboard.press("Enter")
    page.locator(".tribler-multicast-page").wait_for()
    assert page.locator(ENTRY).get_attribute("aria-current") == "page"
    page.keyboard.press("Tab")  # on to Settings, as it stands in the menu
    assert page.evaluate("document.activeElement.textContent").strip() == "Settings"


@pytest.mark.parametrize("ending", ["webm", "ts"])
def test_what_a_neighbour_films_is_watched_in_triblers_window(flat: Flat, house: Lan, ending: str) -> None:  # noqa: F811
    need_ffmpeg()
    window, page = flat.window, flat.window.page
    machine = house.machine()
    camera = machine.node(f"camera-{ending}", nickname="camera")
    flat.tribler.wait_local(camera, timeout=60)
    stream_id = stream_on(machine, camera, ending)
    window.open_ours()
    window.view("streams")
    row = page.locator(".ln-stream", has_text="from camera")
    row.wait_for()
    row.get_by_role("button", name="Play my camera").click()
    window.wait("() => document.querySelector('.ln-playing video')?.getVideoPlaybackQuality().totalVideoFrames > 50")
    facts = page.locator(".ln-playing dl")
    facts.get_by_text("camera").wait_for()
    page.wait_for_function("() => /Delay\\s+[≥0-9]/.test(document.querySelector('.ln-playing dl').innerText)")
    page.screenshot(path=flat.pictures / f"watching-{ending}.png")
    print(" ".join(facts.inner_text().split()))
    camera.rest("DELETE", f"/streams/{stream_id}")
    page.get_by_text("It is over.").wait_for()
    page.get_by_role("button", name="Stop").click()
    camera.stop()
