"""
The window of a Tribler whose user interface was built from sources that `install` made its additions to: `TRIBLER_SRC`
names one, where `test_tribler.py` wants one without. (That the additions come and go, and that npm builds with them:
`tests/gui_patch`.)
"""
from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.tribler.conftest import house, needs_namespaces, start, tribler_python, tribler_source  # noqa: F401
from tests.tribler.test_neighbours import wait_for

from .tribler_window import COMPONENT, ENTRY, ROUTES, Window, browser_in, not_built, profile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lan.testbed import Lan
    from tests.tribler.host import Tribler

pytestmark = [pytest.mark.browser, pytest.mark.tribler]

OURS = 'aside nav a[href="#/local-network"]'


@pytest.fixture(scope="module")
def window(house: Lan, start: Callable[..., Tribler], tribler_source: Path) -> Iterator[Window]:  # noqa: F811
    if reason := not_built(tribler_source):
        pytest.skip(reason)
    assets = tribler_source / "src" / "tribler" / "ui" / "dist" / "assets"
    if not any(b"data-local-network-ip" in path.read_bytes() for path in assets.glob("*.js")):
        pytest.skip(f"the user interface in {tribler_source} was built without the additions of install")
    machine = house.machine()
    tribler = start(machine, "a", nickname="Anna")
    with browser_in(machine, house.folder) as browser, profile(browser) as context:
        made = Window(context, tribler)
        yield made
        assert made.errors == []
    assert not tribler.complaints()


def test_there_is_one_entry_and_it_is_triblers_own(window: Window, house: Lan) -> None:  # noqa: F811
    page = window.page
    for route in ROUTES:
        window.go(route)
        page.locator(OURS).wait_for()
        assert page.locator(ENTRY).count() == 0
    page.locator(OURS).click()
    window.wait_live()
    assert page.locator(COMPONENT).count() == 1
    assert page.locator(OURS).get_attribute("aria-current") == "page"
    page.screenshot(path=house.folder / "patched.png")
    page.get_by_role("button", name="es").or_(page.get_by_role("button", name="en", exact=True)).first.click()
    page.get_by_role("menuitem", name="es", exact=True).click()
    page.locator(OURS, has_text="Red local").wait_for()
    page.get_by_role("button", name="es", exact=True).click()
    page.get_by_role("menuitem", name="en", exact=True).click()


def test_its_settings_are_among_triblers(window: Window, house: Lan) -> None:  # noqa: F811
    page = window.page
    page.get_by_role("button", name="Settings").click()
    page.locator('a[href="#/settings/local-network"]').click()
    page.locator(f"{COMPONENT} .ln-setting[data-name=nickname]").wait_for()
    page.screenshot(path=house.folder / "patched-settings.png")
    window.go("settings/general")
    page.locator(COMPONENT).wait_for(state="detached")


def test_local_peers_and_results_are_marked_by_what_the_cells_say(
        window: Window, house: Lan, start: Callable[..., Tribler]) -> None:  # noqa: F811
    page = window.page
    carl = start(house.machine(), "c", nickname="Carl")
    window.tribler.wait_local(carl, timeout=60)
    infohash = carl.share("guava.bin", os.urandom(60_000_000))
    wait_for(lambda: carl.download(infohash).get("progress") == 1, 120, "Carl has it")
    wait_for(lambda: infohash in carl.known_torrents(), 60, "Carl knows it")
    window.go("search?query=guava")
    page.locator('[data-local-network="local"]', has_text="guava.bin").wait_for()
    window.tribler.add(f"magnet:?xt=urn:btih:{infohash}")
    window.tribler.api("PATCH", f"/api/downloads/{infohash}", {"download_limit": 200_000})
    window.go("downloads/all")
    page.locator("table").get_by_text("guava.bin").click()
    page.get_by_role("tab", name="Peers").click()
    address = carl.machine.interfaces["eth0"].ipv4
    page.locator(f'[data-local-network="local"][data-local-network-ip="{address}"]').wait_for()


def test_switched_off_the_entry_is_gone(window: Window) -> None:
    window.tribler.rest("PATCH", "/settings", {"enabled": False})
    try:
        window.page.reload()
        window.page.locator('a[href="#/popular"]').wait_for()
        window.page.wait_for_timeout(500)
        assert window.page.locator(OURS).count() == 0
        window.go("local-network")
        window.page.get_by_text("not running in this Tribler").wait_for()
    finally:
        window.tribler.rest("PATCH", "/settings", {"enabled": True})
