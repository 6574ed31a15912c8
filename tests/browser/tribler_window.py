"""
Tribler's own window: its built user interface in a Chromium that runs in the machine of the Tribler.
"""
from __future__ import annotations

import contextlib
import re
import shlex
from typing import TYPE_CHECKING, Any, Final

from .conftest import CHROMIUM, FLAGS, missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

    from tests.lan.testbed import Machine
    from tests.tribler.host import Tribler

BUILT: Final = ("src", "tribler", "ui", "dist", "index.html")

ENTRY: Final = 'aside nav a[href="#/search?local-network"]'
COMPONENT: Final = "tribler-local-network"

ROUTES: Final = ("downloads/all", "downloads/downloading", "downloads/completedorinactive", "downloads/completed",
                 "downloads/active", "downloads/inactive", "downloads/inactiveunqueued", "popular", "search?query=zzz",
                 "settings/general", "settings/connection", "settings/bandwidth", "settings/seeding",
                 "settings/anonymity", "settings/debugging", "settings/versions", "settings/interface",
                 "debug/general", "debug/asyncio", "debug/ipv8", "debug/tunnels", "debug/dht", "debug/popularity",
                 "debug/libtorrent")
"""All of Tribler's pages."""

TRIBLERS_OWN: Final = re.compile(r"/api/versioning/versions/(check|current)$")
"""What fails in any Tribler that is told to look for no new version, as the ones of these tests are."""

PATIENCE: Final = 180_000
"""Milliseconds that anything may take: the machine that runs the tests may be busy."""


def not_built(source: Path) -> str:
    """
    Say what is missing for these tests; empty when nothing is.
    """
    if not source.joinpath(*BUILT).is_file():
        return (f"the user interface in {source} was not built: npm ci && npm run build in src/tribler/ui makes its "
                "folder dist")
    return missing()


@contextlib.contextmanager
def browser_in(machine: Machine, folder: Path) -> Iterator[Browser]:
    """
    Run a browser in a machine: its 127.0.0.1 is the machine's.
    """
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (it may be missing)

    program = folder / f"chromium-{machine.name}"
    command = machine.namespace.command([str(CHROMIUM)])
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    program.chmod(0o755)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS, timeout=PATIENCE)
        yield started
        started.close()


@contextlib.contextmanager
def profile(browser: Browser, **options: Any) -> Iterator[BrowserContext]:  # noqa: ANN401
    """
    A profile of its own.
    """
    created = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    created.set_default_timeout(PATIENCE)
    yield created
    created.close()


class Window:
    """
    One tab that shows a Tribler, and what the browser said about it.
    """

    def __init__(self, context: BrowserContext, tribler: Tribler, route: str = "downloads/all",
                 key: str | None = None) -> None:
        """
        Open it, with the key in the cookie that Tribler makes of the one in the address of its tray icon.
        """
        self.tribler = tribler
        self.page: Page = context.new_page()
        self.errors: list[tuple[str, str]] = []
        """What stood in the console as an error: text, and address of what it is about."""
        self.requests: list[str] = []
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.errors.append((f"uncaught: {error}", "")))
        self.page.on("request", lambda request: self.requests.append(request.url.removeprefix(tribler.url)))
        context.add_cookies([{"name": "api_key", "value": key or tribler.key, "url": tribler.url}])
        self.page.goto(f"{tribler.url}/ui/#/{route}", timeout=PATIENCE, wait_until="commit")
        self.page.locator("aside nav").wait_for()

    def _said(self, said: ConsoleMessage) -> None:
        where = str(said.location.get("url", ""))
        if said.type == "error" and not TRIBLERS_OWN.search(where):
            self.errors.append((said.text, where))

    def go(self, route: str) -> None:
        """
        Go to one of Tribler's pages, by its address.
        """
        self.page.evaluate("route => { location.hash = `#/${route}`; }", route)

    def open_ours(self) -> None:
        """
        Choose our entry of the menu, and wait for what it shows.
        """
        self.page.locator(ENTRY).click()
        self.page.locator(f"{COMPONENT} .ln-page").wait_for()

    def view(self, name: str) -> None:
        """
        Choose a view of the page.
        """
        self.page.locator(f"#ln-tab-{name}").click()

    def wait_live(self) -> None:
        """
        Wait until the page is connected.
        """
        self.page.locator('.ln-connection[data-state="live"]').wait_for()

    def wait(self, condition: str, argument: object = None) -> None:
        """
        Wait for a condition in JavaScript.
        """
        self.page.wait_for_function(condition, arg=argument, timeout=PATIENCE)

    def ours(self) -> list[str]:
        """
        What was asked of the plugin.
        """
        return [path for path in self.requests if path.startswith(("/api/multicast", "/ui/multicast"))]
