"""
Files of strangers that want to run where they are opened.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

EVIL: Final = ("<script>window.opener.hacked = document.cookie; "
               "fetch('/api/multicast/status').then(() => { window.name = 'hacked'; })</script>")
FILES: Final = {"page.html": EVIL,
                "boat.svg": f'<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked=1">{EVIL}</svg>'}

WAYS: Final = {"iframe": "src", "embed": "src", "object": "data", "script": "src", "img": "src"}
"""How a document can have something in it."""

HEADERS: Final = {"Content-Security-Policy": "sandbox; default-src 'none'", "X-Content-Type-Options": "nosniff",
                  "Content-Type": "application/octet-stream"}


def evil_folder(parent: Path) -> Path:
    """
    Make a folder with such files, and such a name.
    """
    folder = parent / "holiday <img src=x onerror=window.hacked=1>"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(content)
    return folder


def are_saved_not_shown(page: Page) -> None:
    """
    Click on them, where the page lists the files of a transfer.
    """
    for name in FILES:
        with page.expect_download() as download:
            page.get_by_role("link", name=name).click()
        assert download.value.suggested_filename == name


def are_harmless_at(page: Page, folder: str, token: str) -> None:
    """
    Put them into the document of the page in every way that there is.
    """
    for name in FILES:
        address = f"{folder}/{name}?token={token}"
        found = page.evaluate("""async ([address, names]) => {
            const { headers } = await fetch(address);
            return Object.fromEntries(names.map((name) => [name, headers.get(name)]));
        }""", [address, list(HEADERS)])
        assert found == HEADERS
        for tag, attribute in WAYS.items():
            page.evaluate("""async ([tag, attribute, address]) => {
                const element = document.createElement(tag);
                element.setAttribute(attribute, address);
                document.body.append(element);
                await new Promise((resolve) => {
                    element.onload = element.onerror = resolve;
                    setTimeout(resolve, 300);
                });
                element.remove();
            }""", [tag, attribute, address])
    assert page.evaluate("[window.hacked, window.name]") == [None, ""]
    assert len(page.context.pages) == 1


def is_noise(text: str) -> bool:
    """
    Does a browser complain about what was refused here?
    """
    return any(part in text for part in ("Content Security Policy", "ERR_BLOCKED", "MIME type",
                                         "Failed to load resource"))
