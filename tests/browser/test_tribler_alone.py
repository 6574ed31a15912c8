"""
The window of a real Tribler with the plugin, and what becomes of Tribler's own pages in it: nothing. Needs what
`test_tribler.py` needs.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.tribler.conftest import house, needs_namespaces, start, tribler_python, tribler_source  # noqa: F401
from tests.tribler.test_neighbours import wait_for

from .tribler_window import BUILT, COMPONENT, ENTRY, PATIENCE, ROUTES, Window, browser_in, not_built, profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext

    from tests.lan.testbed import Lan, Machine
    from tests.tribler.host import Tribler

pytestmark = [pytest.mark.browser, pytest.mark.tribler]

NOT_REACHED = "Failed to load resource: net::ERR_"
NOT_ALLOWED = "Failed to load resource: the server responded with a status of 401"

STILL = f"""
    {ENTRY} {{ display: none !important; }}
"""
"""What a page looks like without our entry."""


class Flat:
    """
    One machine, a Tribler in it that can be started again, and a browser.
    """

    def __init__(self, machine: Machine, start: Callable[..., Tribler], browser: Browser,  # noqa: F811
                 source: Path) -> None:
        """
        Start the Tribler.
        """
        self.machine, self.start, self.browser, self.source = machine, start, browser, source
        self.tribler = self.begin()

    def begin(self, plain: bool = False) -> Tribler:
        """
        Start it (again): same state, same port, same key.
        """
        self.machine.nodes.clear()
        return self.start(self.machine, "a", wait=False, plain=plain, nickname="Anna").ready(180)

    def index(self) -> bytes:
        """
        What is served as the user interface.
        """
        connection = self.tribler.connection(20)
        connection.request("GET", "/ui/")
        content = connection.getresponse().read()
        connection.close()
        return content


@pytest.fixture(scope="module")
def flat(house: Lan, start: Callable[..., Tribler], tribler_source: Path) -> Iterator[Flat]:  # noqa: F811
    if reason := not_built(tribler_source):
        pytest.skip(reason)
    machine = house.machine()
    with browser_in(machine, house.folder) as browser:
        made = Flat(machine, start, browser, tribler_source)
        yield made
        assert not made.tribler.complaints()


@pytest.fixture
def context(flat: Flat) -> Iterator[BrowserContext]:
    with profile(flat.browser) as created:
        yield created


def test_all_of_triblers_pages_and_ours_come_and_go(flat: Flat, context: BrowserContext) -> None:
    window = Window(context, flat.tribler)
    page = window.page
    for route in ROUTES:
        window.open_ours()
        window.go(route)
        page.locator(COMPONENT).wait_for(state="detached")
        page.locator(ENTRY).wait_for()
        assert page.locator(ENTRY).count() == 1
    for name in ("Downloads", "Settings"):  # the parts of the menu that open and close
        page.get_by_role("button", name=name).click()
        page.locator(COMPONENT).wait_for(state="detached")
        window.open_ours()
        assert page.locator('aside [data-state="open"]').count() == 0
    window.go("no such page")
    page.get_by_text("Page not found").wait_for()
    assert page.locator(ENTRY).count() == 0
    page.go_back()
    window.wait_live()
    page.reload()
    window.wait_live()
    page.go_back()
    page.go_forward()
    window.wait_live()
    assert page.locator(ENTRY).count() == page.locator(COMPONENT).count() == 1
    assert window.errors == []


def test_until_it_is_opened_it_asks_for_nothing(flat: Flat, context: BrowserContext) -> None:
    window = Window(context, flat.tribler)
    for route in ("downloads/all", "popular", "settings/general"):
        window.go(route)
        window.page.locator(ENTRY).wait_for()
    assert window.ours() == [f"/ui/multicast/tribler{part}.js" for part in ("", "-marks", "-words")]


def test_one_look_at_triblers_window_is_cheap(flat: Flat, context: BrowserContext) -> None:
    window = Window(context, flat.tribler)
    window.page.locator(ENTRY).wait_for()
    cost = window.page.evaluate("""() => {
        const begin = performance.now();
        for (let i = 0; i < 1000; i += 1) window.triblerLocalNetworkGuest.update();
        return (performance.now() - begin) / 1000;
    }""")
    print(f"one look: {cost * 1000:.0f} microseconds")
    long = window.page.evaluate("""async () => {
        const seen = [];
        new PerformanceObserver((list) => seen.push(...list.getEntries().map((entry) => entry.duration)))
            .observe({ type: "longtask" });
        document.querySelector('a[href="#/search?local-network"]').click();
        await new Promise((resolve) => setTimeout(resolve, 3000));
        return seen;
    }""")
    print(f"tasks of more than 50 ms while the page opens: {long}")
    assert window.errors == []


def test_a_wrong_key_costs_no_error_of_ours_and_is_explained(flat: Flat, context: BrowserContext) -> None:
    window = Window(context, flat.tribler, key="wrong")
    page = window.page
    page.get_by_text("Failed to connect to Tribler").wait_for()
    assert [path for path in window.ours() if path.startswith("/api")] == []
    assert all(text.startswith(NOT_ALLOWED) and "/api/multicast" not in where for text, where in window.errors)
    window.go("search?local-network")
    page.get_by_text("Tribler does not accept its own key here.").wait_for()
    assert all(text.startswith(NOT_ALLOWED) for text, _ in window.errors), window.errors


def test_switched_off_there_is_no_entry_and_triblers_index_is_as_it_was_built(flat: Flat,
                                                                             context: BrowserContext) -> None:
    built = flat.source.joinpath(*BUILT).read_bytes()
    assert flat.index() != built
    flat.tribler.rest("PATCH", "/settings", {"enabled": False})
    try:
        assert flat.index() == built
        window = Window(context, flat.tribler)
        for route in ROUTES:
            window.go(route)
        window.page.wait_for_timeout(500)
        assert window.page.locator(ENTRY).count() == 0
        assert window.ours() == []
        assert window.errors == []
    finally:
        flat.tribler.rest("PATCH", "/settings", {"enabled": True})
    window.page.reload()
    window.page.locator(ENTRY).wait_for()


def test_switched_off_in_an_open_window_the_page_says_so_and_goes_on_when_it_is_on_again(
        flat: Flat, context: BrowserContext) -> None:
    window = Window(context, flat.tribler)
    window.open_ours()
    window.wait_live()
    flat.tribler.rest("PATCH", "/settings", {"enabled": False})
    try:
        window.go("popular")
        window.page.locator(COMPONENT).wait_for(state="detached")
        window.open_ours()
        window.page.get_by_text("The local network is switched off").first.wait_for()
    finally:
        flat.tribler.rest("PATCH", "/settings", {"enabled": True})
    window.wait_live()
    assert not [text for text, _ in window.errors if "uncaught" in text or "tribler-multicast" in text]


def test_when_tribler_starts_again_the_open_page_goes_on(flat: Flat, context: BrowserContext) -> None:
    window = Window(context, flat.tribler)
    window.open_ours()
    window.wait_live()
    flat.tribler.shutdown(60)
    window.page.locator('.ln-connection[data-state="lost"]').wait_for()
    flat.tribler = flat.begin()
    window.page.locator('.ln-connection[data-state="live"]').wait_for(timeout=2 * PATIENCE)
    window.page.locator("[role=dialog]").wait_for(state="detached")
    assert window.page.locator(ENTRY).count() == window.page.locator(COMPONENT).count() == 1
    window.go("popular")
    window.page.locator(COMPONENT).wait_for(state="detached")
    # A server that is not there is an error in any console, Tribler's own calls included: nothing else may be.
    assert [error for error in window.errors if not error[0].startswith(NOT_REACHED)] == []


def test_triblers_own_pages_look_as_without_the_plugin(flat: Flat, house: Lan) -> None:  # noqa: F811
    infohash = flat.tribler.share("a file.bin", b"x" * 100_000)

    def begins(plain: bool) -> None:
        flat.tribler.shutdown(60)
        flat.tribler = flat.begin(plain)
        seeds()

    def seeds() -> None:
        wait_for(lambda: flat.tribler.download(infohash).get("status") == "SEEDING", 60, "it seeds")

    seeds()
    pictures = house.folder / "pictures"
    pictures.mkdir(exist_ok=True)
    begins(plain=True)
    with profile(flat.browser) as context:
        window = Window(context, flat.tribler)
        window.page.add_style_tag(content=STILL)
        before = {route: still(window, route) for route in ROUTES}
    begins(plain=False)
    different = []
    with profile(flat.browser) as context:
        window = Window(context, flat.tribler)
        window.page.locator(ENTRY).wait_for()
        window.page.add_style_tag(content=STILL)
        for route in ROUTES:
            after = still(window, route, before[route])
            name = route.replace("/", "-").replace("?", "-")
            (pictures / f"{name}-without.png").write_bytes(before[route])
            (pictures / f"{name}-with.png").write_bytes(after)
            if after != before[route]:
                different.append(route)
    assert different == []


def still(window: Window, route: str, wanted: bytes | None = None) -> bytes:
    """Take a picture of a page when nothing moves in it any more, or it looks as wanted."""
    page = window.page
    window.go(route)
    moving = "div:has(> aside) + div" if route.startswith("debug/") else "no-such-element"
    style = f"{moving} {{ visibility: hidden !important; }}"
    clip = {"x": 0, "y": 0, "width": 1280, "height": 770}  # without the footer, whose figures are never still
    last = b""
    for _ in range(60):
        picture = page.screenshot(animations="disabled", caret="hide", style=style,
                                  clip=clip)  # type: ignore[arg-type]
        if picture == (wanted or last):
            break
        last = picture
        page.wait_for_timeout(500)
    return picture
