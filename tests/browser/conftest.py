"""
A real Chromium, driven by Playwright.
"""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.standalone.conftest import start_node  # noqa: F401 (a fixture)

from .stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]


def missing() -> str:
    """
    What keeps these tests from running, empty when nothing does.
    """
    try:
        import playwright.sync_api  # noqa: PLC0415 (it may be missing)
    except ImportError as error:
        return f"the Python package playwright is missing ({error}): pip install playwright"
    if CHROMIUM is None:
        return "the browser Chromium is missing (no chromium, chromium-browser or google-chrome in PATH)"
    driver = Path(playwright.__file__).parent / "driver" / "node"
    for program in (CHROMIUM, str(driver)):
        try:  # A chromium-browser may be but a name for a snap; the driver needs a library that small systems lack.
            subprocess.run([program, "--version"], check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError) as error:
            said = getattr(error, "stderr", b"") or b""
            return f"{program} does not run: {said.decode(errors='replace').strip().splitlines()[-1:] or error}"
    return ""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """
    Start the browser, or skip and say exactly what is missing.
    """
    reason = missing()
    if reason:
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """
    A profile of its own, without the proxies of whoever runs the tests.
    """
    created = browser.new_context(viewport={"width": 1000, "height": 640})
    created.set_default_timeout(30_000)
    yield created
    created.close()


@pytest.fixture
def pictures(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """
    Where a test leaves its pictures.
    """
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def stage() -> Iterator[Stage]:
    """
    An invented node.
    """
    made = Stage()
    yield made
    made.close()
