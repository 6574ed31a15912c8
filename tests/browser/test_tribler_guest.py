"""
The module that puts the page into Tribler's window, in a document that is built as Tribler's is: without a Tribler.
(With one: `test_tribler.py`.)
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.standalone.nodes import RunningNode, free_ports, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page


pytestmark = pytest.mark.browser

ENTRY = '#root aside nav a[href="#/search?local-network"]'
HOST = ".tribler-multicast-page"

WINDOW = """() => {
    document.body.innerHTML = `<div id="root"></div>`;
    window.draw = () => {
        document.getElementById("root").innerHTML = `<header><nav><button>en</button><button></button></nav></header>
            <div><div><aside><nav><a href="#/popular" class="ghost hover:bg-accent bg-accent"><svg></svg> Popular</a>
            <h3><button>Settings</button></h3></nav></aside></div>
            <div class="content"><div class="theirs">Tribler's page</div></div></div>`;
    };
    window.draw();
    window.complaints = [];
    window.addEventListener("error", (event) => window.complaints.push(String(event.message)));
    return import("/static/tribler.js").then(() => undefined);
}"""
"""What of Tribler's document the module goes by."""


class Guest:
    """
    Such a window.
    """

    def __init__(self, page: Page, node: RunningNode) -> None:
        self.page, self.node = page, node
        page.goto(node.ready["page"])
        key = parse_qs(urlsplit(node.ready["page"]).query)["key"][0]
        page.context.add_cookies([{"name": "api_key", "value": key, "url": node.ready["api"]}])
        page.evaluate(WINDOW)
        page.locator(ENTRY).wait_for()

    def run(self, script: str, argument: object = None) -> Any:  # noqa: ANN401
        return self.page.evaluate(script, argument)

    def go(self, address: str) -> None:
        self.run("address => { location.hash = address; }", address)


@pytest.fixture(scope="module")
def profile(browser: Any) -> Iterator[BrowserContext]:  # noqa: ANN401
    created = browser.new_context(viewport={"width": 1000, "height": 640})
    created.set_default_timeout(15_000)
    yield created
    created.close()


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[RunningNode]]:
    """Two nodes for all of this file."""
    folder, ports = tmp_path_factory.mktemp("guest"), free_ports()
    started = [RunningNode(folder / name, ports=ports) for name in "ab"]
    yield started
    for node in started:
        node.kill()


@pytest.fixture
def guest(profile: BrowserContext, nodes: list[RunningNode]) -> Iterator[Guest]:
    page = profile.new_page()
    made = Guest(page, nodes[0])
    yield made
    assert made.run("window.complaints") == []
    page.close()


def test_the_entry_stands_below_popular_and_looks_as_that_does(guest: Guest) -> None:
    entry = guest.page.locator(ENTRY)
    assert entry.inner_text().strip() == "Local network"
    assert entry.get_attribute("class") == "ghost hover:bg-accent"
    assert guest.run(f"document.querySelector('{ENTRY}').previousElementSibling.getAttribute('href')") == "#/popular"


def test_it_opens_and_closes_by_the_address_however_that_changes(guest: Guest) -> None:
    page = guest.page
    page.locator(ENTRY).click()
    page.locator(HOST).wait_for()
    assert page.locator(".theirs").is_hidden()
    assert page.locator(ENTRY).get_attribute("aria-current") == "page"
    assert "bg-accent" in str(page.locator(ENTRY).get_attribute("class")).split()
    guest.run("history.pushState(null, '', '#/popular')")  # as React Router does: no event tells
    page.locator(HOST).wait_for(state="detached")
    assert page.locator(".theirs").is_visible()
    assert page.locator(ENTRY).get_attribute("aria-current") is None
    page.go_back()
    page.locator(HOST).wait_for()
    guest.go("#/search?query=local-network")
    page.locator(HOST).wait_for(state="detached")


def test_what_react_draws_anew_gets_both_again_and_the_page_goes_on(guest: Guest) -> None:
    guest.go("#/search?local-network")
    guest.page.locator(HOST).wait_for()
    guest.run("() => { window.before = document.querySelector('.tribler-multicast-page'); window.draw(); }")
    guest.page.wait_for_function("window.before.isConnected")
    assert guest.page.locator(ENTRY).count() == 1
    assert guest.page.locator(HOST).count() == 1


def test_choosing_it_closes_what_another_entry_closes_and_goes_nowhere_else(guest: Guest) -> None:
    guest.run("""() => {
        window.heard = [];
        document.getElementById("root").addEventListener("click", (event) => {
            const link = event.target.closest("a");
            window.heard.push([link.getAttribute("href"), event.defaultPrevented]);
        });
    }""")
    guest.page.locator(ENTRY).focus()
    guest.page.keyboard.press("Enter")
    guest.page.locator(HOST).wait_for()
    assert ["#/popular", True] in guest.run("window.heard")
    assert guest.run("location.hash") == "#/search?local-network"


def test_it_speaks_the_language_of_tribler(guest: Guest) -> None:
    guest.run("() => { document.querySelector('header nav button').textContent = 'ru'; }")
    guest.page.get_by_text("Локальная сеть").wait_for()


def test_where_tribler_was_built_with_the_patch_there_is_one_entry(guest: Guest) -> None:
    guest.run("""() => document.querySelector("aside nav").insertAdjacentHTML("beforeend",
        '<a href="#/local-network">Local network</a>')""")
    guest.page.locator(ENTRY).wait_for(state="detached")
    guest.run("""() => document.querySelector('a[href="#/local-network"]').remove()""")
    guest.page.locator(ENTRY).wait_for()


def test_an_error_of_ours_that_nobody_caught_never_reaches_tribler(guest: Guest) -> None:
    heard = guest.run("""async () => {
        const heard = [];
        window.addEventListener("unhandledrejection", (event) => {
            heard.push(event.reason.message);
            event.preventDefault();
        });
        const ours = new Error("ours");
        ours.stack = "at http://127.0.0.1/ui/multicast/app.js:1:1";
        for (const error of [ours, new Error("theirs")]) Promise.reject(error);
        await new Promise((resolve) => setTimeout(resolve, 50));
        return heard;
    }""")
    assert heard == ["theirs"]


PEERS = """addresses => {
    document.querySelector(".theirs").innerHTML = `<div role="tabpanel" data-state="active" id="x-content-peers">
        <table><tbody>${addresses.map((address) => `<tr><td><span>${address} (6881)</span></td>
        <td><span>5%</span></td></tr>`).join("")}</tbody></table></div>`;
}"""

MARKED = """() => [...document.querySelectorAll("[data-local-network]")].map((cell) => cell.textContent)"""


def test_local_peers_of_a_download_are_marked_and_others_are_not(guest: Guest, nodes: list[RunningNode]) -> None:
    other = nodes[1]
    wait_for(lambda: other.mid in guest.node.peers(), 60)
    address = guest.node.peers()[other.mid]["addresses"][0]["ip"]
    guest.go("#/downloads/all")
    guest.run(PEERS, ["203.0.113.5", f"::ffff:{address}", f"{address}1", "fe80::1%eth0", address])
    guest.page.locator("[data-local-network]").first.wait_for()
    assert guest.run(MARKED) == [f"::ffff:{address} (6881)", f"{address} (6881)"]
    assert guest.run("getComputedStyle(document.querySelector('[data-local-network]'), '::after').content") == '"local"'
    # React uses a row again for another peer.
    guest.run("""() => { document.querySelectorAll("tbody span")[2].firstChild.data = "203.0.113.9 (1)"; }""")
    guest.run("text => { document.querySelectorAll('tbody span')[0].firstChild.data = text; }", f"{address} (2)")
    guest.page.wait_for_function("""() => document.querySelectorAll("[data-local-network]").length === 2
        && document.querySelector("tbody span").hasAttribute("data-local-network")""")
    other.stop()
    guest.page.wait_for_function("""() => document.querySelector("[data-local-network]") === null""")


def test_the_infohash_of_a_result_comes_from_tribler_and_never_from_its_name(guest: Guest) -> None:
    infohash = "0123456789abcdef0123456789ABCDEF01234567"
    said = guest.run("""async (infohash) => {
        const { infohashOf } = await import("/static/tribler-marks.js");
        const row = (change) => { const made = document.createElement("tr"); change(made); return infohashOf(made); };
        return [
            row((made) => { made["__reactFiber$x1"] = { key: null, return: { key: infohash, return: null } }; }),
            row((made) => { made["__reactFiber$x1"] = { key: "17", return: { key: "header", return: null } }; }),
            row((made) => { made.textContent = infohash; }),
            row((made) => { made.dataset.localNetworkRow = infohash; }),
            row((made) => { made.dataset.localNetworkRow = "3"; }),
        ];
    }""", infohash)
    assert said == [infohash.lower(), "", "", infohash.lower(), ""]
