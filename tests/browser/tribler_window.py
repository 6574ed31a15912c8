"""
Tribler's own window: its built user interface in a Chromium that runs in the machine of the Tribler.
"""
from __future__ import annotations

import contextlib
import json
import shlex
from typing import TYPE_CHECKING, Any

from .conftest import CHROMIUM, FLAGS, missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from tests.lan.testbed import Machine
    from tests.tribler.host import Tribler

BUILT = ("src", "tribler", "ui", "dist", "index.html")

ENTRY = 'aside nav a[href="#/search?local-network"]'

COMPONENT = "tribler-local-network"

ROUTES = ("downloads/all", "downloads/downloading", "downloads/completedorinactive", "downloads/completed",
          "downloads/active", "downloads/inactive", "downloads/inactiveunqueued", "popular", "search?query=zzz",
          "settings/general", "settings/connection", "settings/bandwidth", "settings/seeding", "settings/anonymity",
          "settings/debugging", "settings/versions", "settings/interface", "debug/general", "debug/asyncio",
          "debug/ipv8", "debug/tunnels", "debug/dht", "debug/popularity", "debug/libtorrent")
"""All of Tribler's pages."""


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
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


class Window:
    """
    One tab that shows a Tribler, and what the browser complained about in it.
    """

    def __init__(self, context: BrowserContext, tribler: Tribler, route: str = "downloads/all",
                 key: str | None = None) -> None:
        """
        Open it as Tribler's tray does: with the key in the address, which Tribler makes a cookie of.
        """
        self.tribler = tribler
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        host = tribler.url.removeprefix("http://").rpartition(":")[0]
        context.add_cookies([{"name": "api_key", "value": key or tribler.key, "domain": host, "path": "/"}])
        self.page.goto(f"{tribler.url}/ui/#/{route}")

    def go(self, route: str) -> None:
        """
        Go to one of Tribler's pages as a link does.
        """
        self.page.evaluate("route => { location.hash = `#/${route}`; }", route)

    def open_ours(self) -> None:
        """
        Choose our entry of the menu, and wait for what it shows.
        """
        self.page.locator(ENTRY).click()
        self.page.locator(COMPONENT).wait_for()

    def wait(self, condition: str, argument: object = None, timeout: float = 20_000) -> None:
        """
        Wait for a condition in JavaScript.
        """
        self.page.wait_for_function(condition, arg=argument, timeout=timeout)


def answer(tribler: Tribler, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
    """
    Call the plugin.
    """
    return tribler.api(method, f"/api/multicast{path}", body)


def settings_of_window(tribler: Tribler, **values: object) -> None:
    """
    Set what Tribler keeps about its window.
    """
    tribler.api("POST", "/api/settings", json.loads(json.dumps({"ui": values})))


Opener = "Callable[..., Window]"
