"""
Takes the pictures of the page for the documents: an invented home, in the evening.

    python scripts/screenshots.py [FOLDER (default: docs)]
"""
from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import CHROMIUM, FLAGS, missing  # noqa: E402 (the path first)
from tests.browser.looking import go  # noqa: E402
from tests.browser.scenes import evening  # noqa: E402
from tests.browser.stage import Stage  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDE, NARROW = (1200, 1190), (390, 1160)

SHOTS: dict[str, tuple[Literal["light", "dark"], tuple[int, int], str]] = {
    "page-network": ("light", WIDE, "Network"),
    "page-network-dark": ("dark", WIDE, "Network"),
    "page-network-narrow": ("light", NARROW, "Network"),
    "page-weather": ("light", (1200, 880), "Weather"),
    "page-transfers-dark": ("dark", (1200, 740), "Transfers"),
    "page-find": ("light", (1200, 460), "Find"),
    "page-streams": ("light", (1200, 720), "Streams"),
}
"""Name -> colours, size, view."""


def shoot(browser: Browser, url: str, file: Path, colours: Literal["light", "dark"], size: tuple[int, int],
          view: str) -> None:
    """
    Take one picture.
    """
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=colours)
    page = context.new_page()
    page.goto(url)
    page.locator("tbody tr .ln-local").nth(6).wait_for(state="attached")
    go(page, view)
    if view == "Find":
        page.get_by_role("searchbox").fill("boat")
        page.get_by_role("button", name="Search").click()
        page.get_by_text("4 results").wait_for()
        page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # what is drawn a frame later
    page.screenshot(path=file)
    context.close()


def main() -> int:
    """
    Take all.
    """
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs"
    if reason := missing():
        print(reason, file=sys.stderr)
        return 1
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (it may be missing)

    stage = Stage()
    evening(stage)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, (colours, size, view) in SHOTS.items():
            shoot(browser, stage.url, folder / f"{name}.png", colours, size, view)
            print(folder / f"{name}.png")
        browser.close()
    stage.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
