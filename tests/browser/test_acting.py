"""
What a user does on the page, with real nodes: friends, search, get, offer; and files of strangers that want to run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.standalone.nodes import wait_for

from .looking import go, open_page, row_of
from .strangers import are_harmless_at, are_saved_not_shown, evil_folder, is_noise

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import BrowserContext, Page

    from tests.standalone.conftest import StartNode
    from tests.standalone.nodes import RunningNode

pytestmark = pytest.mark.browser

PATIENCE = 60_000
"""Milliseconds for what goes over the network."""

def search(page: Page, text: str) -> None:
    go(page, "Find")
    page.get_by_role("searchbox").fill(text)
    page.get_by_role("button", name="Search").click()


def meet(*nodes: RunningNode) -> None:
    wait_for(lambda: all(len(node.peers()) == len(nodes) - 1 for node in nodes), 30)


def publish(node: RunningNode, path: Path) -> str:
    status, answer = node.call("POST", "/publications", json.dumps({"path": str(path)}).encode())
    assert status == 200, answer
    content_id: str = answer["content_id"]
    return content_id


def test_friends_ask_take_back_and_accept_on_both_pages(context: BrowserContext, start_node: StartNode) -> None:
    first, second = start_node("a", "--nickname", "attic"), start_node("b", "--nickname", "kitchen")
    meet(first, second)
    one, complaints = open_page(context, first.ready["page"])
    other, others_complaints = open_page(context, second.ready["page"])
    mine, theirs = row_of(one, second.mid), row_of(other, first.mid)
    mine.get_by_role("button", name="Ask kitchen to be friends").click()
    mine.get_by_text("Asked").wait_for()
    theirs.get_by_text("Wants to be friends").wait_for()
    mine.get_by_role("button", name="Take back the request to kitchen").click()
    mine.get_by_role("button", name="Ask kitchen to be friends").wait_for()
    theirs.get_by_role("button", name="Ask attic to be friends").wait_for()
    theirs.get_by_role("button", name="Ask attic to be friends").click()
    mine.get_by_role("button", name="Accept kitchen as a friend").click()
    for row in (mine, theirs):
        row.locator('[data-friend="mutual"]').wait_for()
    assert first.peers()[second.mid]["friend"] == second.peers()[first.mid]["friend"] == "mutual"
    theirs.get_by_role("button", name="End the friendship with attic").click()
    theirs.locator('[data-friend="mutual"]').wait_for(state="detached")
    mine.locator('[data-friend="mutual"]').wait_for(state="detached")
    assert complaints == others_complaints == []


def test_what_is_offered_is_found_got_and_whole(context: BrowserContext, start_node: StartNode, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "films").mkdir(parents=True)
    film = home / "films" / "red boat.webm"
    film.write_bytes(bytes(range(256)) * 20_000)
    getter, giver = start_node("a"), start_node("b", "--nickname", "attic", HOME=str(home))
    meet(getter, giver)

    theirs, _ = open_page(context, giver.ready["page"], "transfers")
    theirs.get_by_role("button", name="Offer a file or folder").click()
    theirs.get_by_role("button", name="films").click()
    theirs.get_by_role("button", name="red boat.webm").click()
    theirs.locator(".ln-offered").get_by_text("5.1 MB").wait_for()

    page, complaints = open_page(context, getter.ready["page"])
    search(page, "boat")
    found = page.locator(".ln-result")
    found.get_by_text("red boat.webm").wait_for()
    assert "attic" in found.inner_text()
    page.get_by_role("button", name="Get red boat.webm").click()
    page.get_by_text("On its way").wait_for()
    go(page, "Transfers")
    page.locator('.ln-transfer[data-state="done"]').wait_for(timeout=PATIENCE)
    [transfer] = getter.call("GET", "/transfers")[1]["transfers"]
    assert transfer["progress"] == 1
    with open(transfer["path"], "rb") as got:
        assert got.read() == film.read_bytes()
    theirs.locator(".ln-offered").get_by_text("1 has all of it").wait_for()

    page.get_by_role("button", name="Play red boat.webm").click()
    player = page.get_by_role("dialog", name="Player: red boat.webm")
    player.get_by_text("This browser cannot play it").wait_for()  # it is no film: honest, and no error elsewhere
    player.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Remove red boat.webm").click()
    page.locator(".ln-actions").get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("Nothing is fetched or sent").wait_for()
    assert complaints == []


def test_a_shared_file_is_got_as_a_torrent(context: BrowserContext, start_node: StartNode, tmp_path: Path) -> None:
    pytest.importorskip("libtorrent", reason="BitTorrent needs libtorrent")
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "blue boat.txt").write_text("ahoy " * 50_000)
    getter, giver = start_node("a"), start_node("b", "--share", str(shared))
    meet(getter, giver)
    page, complaints = open_page(context, getter.ready["page"], "find")

    def is_found() -> bool:  # the sharer may still be reading its folder
        search(page, "blue boat")
        page.locator(".ln-result, .ln-notice").first.wait_for()
        return page.locator(".ln-result").count() > 0

    wait_for(is_found, 30)
    page.get_by_role("button", name="Get blue boat.txt").click()
    page.get_by_text("On its way").wait_for(timeout=PATIENCE)
    go(page, "Transfers")
    page.locator('.ln-transfer[data-state="seeding"]').wait_for(timeout=PATIENCE)
    page.locator(".ln-transfer").get_by_text("blue boat.txt").wait_for()
    assert complaints == []


def test_pages_and_pictures_of_strangers_do_not_run_here(
    context: BrowserContext, start_node: StartNode, tmp_path: Path
) -> None:
    getter, giver = start_node("a"), start_node("b")
    meet(getter, giver)
    content_id = publish(giver, evil_folder(tmp_path))
    status, transfer = getter.call("POST", "/transfers", json.dumps({"content_id": content_id}).encode())
    assert status == 200
    context.add_cookies([{"name": "api_key", "value": "secret", "url": getter.ready["api"]}])  # as in Tribler
    page, complaints = open_page(context, getter.ready["page"], "transfers")
    page.locator('.ln-transfer[data-state="done"]').wait_for(timeout=PATIENCE)
    page.get_by_role("button", name="Details of holiday").click()
    are_saved_not_shown(page)
    token = getter.call("GET", f"/transfers/{transfer['id']}")[1]["token"]
    are_harmless_at(page, f"/api/multicast/transfers/{transfer['id']}/data", token)
    assert not [text for text in complaints if not is_noise(text)]
