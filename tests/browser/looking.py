"""
What tests of the page look at.
"""
from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

GREEN = '.ln-local[data-state="online"]'
BLACK = '.ln-local[data-state="offline"]'


def open_page(context: BrowserContext, url: str, view: str = "") -> tuple[Page, list[str]]:
    """
    Open a page; the list fills with what the browser complains about.
    """
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{url}#{view}" if view else url)
    return page, complaints


def row_of(page: Page, mid: str) -> Locator:
    """
    The row of a peer.
    """
    return page.locator(f'tr[data-mid="{mid}"]')


def go(page: Page, view: str) -> None:
    """
    Go to another view, as a user does.
    """
    page.get_by_role("tab", name=view, exact=True).click()


def colour(page: Page, selector: str) -> tuple[int, int, int]:
    """
    The colour in which the browser draws a text.
    """
    text = page.locator(selector).evaluate("element => getComputedStyle(element).color")
    red, green, blue = map(int, re.findall(r"\d+", text)[:3])
    return red, green, blue


def put_away(page: Page, hidden: bool = True) -> None:
    """
    Have a page believe that its tab is hidden, or shown again: without a screen all tabs are in front.
    """
    page.evaluate("""(hidden) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
        document.dispatchEvent(new Event("visibilitychange"));
    }""", hidden)
