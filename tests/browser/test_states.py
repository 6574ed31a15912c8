"""
Empty, loading, wrong, switched off; by keyboard, read aloud, in the dark and narrow: on a stage.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import pytest

from .looking import go, open_page, row_of
from .scenes import evening
from .stage import mid, peer

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

    from .stage import Stage

pytestmark = pytest.mark.browser

VIEWS = ("network", "find", "streams", "transfers", "weather", "settings", "check")


def violations(page: Page) -> list[tuple[str, list[Any]]]:
    """
    What axe-core finds that keeps people out.
    """
    try:
        axe = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
    except ModuleNotFoundError:
        pytest.skip("axe-core is missing: pip install axe-playwright-python")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (each["id"], [node["target"] for node in each["nodes"]][:3])
        for each in found["violations"]
        if each["impact"] in {"serious", "critical", "moderate"}
    ]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 380)])
def test_nothing_keeps_anybody_out(
    context: BrowserContext, stage: Stage, pictures: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    evening(stage)
    page, complaints = open_page(context, stage.url)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    row_of(page, mid("attic NAS")).wait_for()
    for view in VIEWS:
        go(page, view.capitalize())
        if view == "find":
            page.get_by_role("searchbox").fill("boat")
            page.get_by_role("button", name="Search").click()
            page.get_by_text("4 results").wait_for()
        if view == "streams":
            page.locator(".ln-stream", has_text="Red boat race, live").wait_for()
        if view == "check":
            page.get_by_text("1 thing to look at").wait_for()
        assert violations(page) == [], view
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), view
        page.screenshot(path=pictures / f"{view}-{scheme}-{width}.png", full_page=True)
    assert complaints == []


def test_tabs_go_by_arrow_keys_and_the_address_names_the_view(context: BrowserContext, stage: Stage) -> None:
    page, _ = open_page(context, stage.url, "weather")
    assert page.get_by_role("tab", name="Weather").get_attribute("aria-selected") == "true"
    page.get_by_role("tab", name="Weather").press("ArrowRight")
    assert page.evaluate("document.activeElement.textContent") == "Settings"
    page.keyboard.press("End")
    assert page.url.endswith("#check")
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tabpanel").get_attribute("data-view") == "network"


@pytest.mark.parametrize(("languages", "spoken", "title", "tab"), [
    ("es-MX,en", "es", "Red local", "Transferencias"), ("fr,nl-BE,en", "nl", "Lokaal netwerk", "Overdrachten"),
    ("fr", "en", "Local network", "Transfers"),
])
def test_it_speaks_the_language_of_the_browser(browser: Browser, stage: Stage, languages: str, spoken: str, title: str,
                                               tab: str) -> None:
    context = browser.new_context()
    context.add_init_script(f"Object.defineProperty(navigator, 'languages', {{ get: () => '{languages}'.split(',') }})")
    evening(stage)
    page, complaints = open_page(context, stage.url)
    page.get_by_role("heading", name=title).wait_for()
    page.get_by_role("tab", name=tab).click()
    page.locator(".ln-transfer").first.wait_for()
    assert page.evaluate("document.documentElement.lang") == spoken
    assert complaints == []
    context.close()


def test_a_language_that_changes_is_spoken_at_once_and_one_without_words_is_english(
    context: BrowserContext, stage: Stage
) -> None:
    page, complaints = open_page(context, stage.url)
    page.get_by_role("heading", name="Local network").wait_for()
    for language, title in (("nl", "Lokaal netwerk"), ("es_ES", "Red local"), ("hi", "Local network"),
                            ("nl", "Lokaal netwerk")):
        page.evaluate("lang => { document.querySelector('tribler-local-network').lang = lang; }", language)
        page.get_by_role("heading", name=title).wait_for()
        page.locator('.ln-connection[data-state="live"]').wait_for()
    page.evaluate("""() => {
        for (const lang of ["es", "en", "nl", "es"]) document.querySelector("tribler-local-network").lang = lang;
    }""")
    page.get_by_role("heading", name="Red local").wait_for()
    assert page.locator("h1").count() == 1
    assert complaints == []


def test_what_happens_is_read_aloud(context: BrowserContext, stage: Stage) -> None:
    stage.answers["/peers"]["peers"] = [peer("kitchen")]
    page, _ = open_page(context, stage.url)
    row_of(page, mid("kitchen")).wait_for()
    stage.tell("multicast_friend", mid=mid("kitchen"), nickname="kitchen", friend="received")
    page.locator(".ln-voice", has_text="kitchen wants to be friends").wait_for(state="attached")
    stage.tell("multicast_peer_gone", mid=mid("kitchen"), reason="goodbye")
    page.locator(".ln-voice", has_text="kitchen is gone").wait_for(state="attached")


def test_the_weather_says_when_it_is_off_and_is_switched_on_with_a_click(context: BrowserContext, stage: Stage) -> None:
    stage.status["features"] = []
    changed = [
        {**each, "value": True, "needs_restart": True} if each["name"] == "weather" else each
        for each in stage.answers["/settings"]["settings"]
    ]
    stage.answers["PATCH /settings"] = {"settings": changed}
    next(each for each in stage.answers["/settings"]["settings"] if each["name"] == "weather")["value"] = False
    page, complaints = open_page(context, stage.url, "weather")
    page.get_by_text("The weather is switched off").wait_for()
    stage.answers["/settings"] = {"settings": changed}
    page.get_by_role("button", name="Switch it on").click()
    page.get_by_text("The weather begins with the next start").wait_for()
    assert ("PATCH", "/settings", {"weather": True}) in stage.changes
    assert complaints == []  # nothing was asked for that is not there


def test_a_node_that_is_switched_off_says_so_and_is_switched_on_with_a_click(
    context: BrowserContext, stage: Stage
) -> None:
    settings = stage.answers["/settings"]["settings"]
    enabled = next(each for each in settings if each["name"] == "enabled")
    stage.answers["PATCH /settings"] = {"settings": [{**each} for each in settings]}
    enabled["value"] = False
    page, _ = open_page(context, stage.url)
    page.get_by_text("The local network is switched off").wait_for()
    page.get_by_role("button", name="Switch it on").click()
    page.get_by_text("Nobody else is here yet").wait_for()
    assert ("PATCH", "/settings", {"enabled": True}) in stage.changes


def test_a_setting_that_cannot_be_is_told_beside_it_and_nothing_else_changes(
    context: BrowserContext, stage: Stage
) -> None:
    page, _ = open_page(context, stage.url, "settings")
    stage.answers["PATCH /settings"] = (422, "nickname must be at most 64 bytes, not 90")
    page.get_by_label("Nickname").fill("x" * 90)
    page.get_by_label("Nickname").press("Enter")
    page.locator('[data-name="nickname"]').get_by_text("must be at most 64 bytes").wait_for()
    page.get_by_role("switch", name="IPv6").click()
    page.locator('[data-name="ipv6"] .ln-fate[data-state="failed"]').wait_for()
    assert page.get_by_role("switch", name="IPv6").is_checked()
    assert [change[2] for change in stage.changes] == [{"nickname": "x" * 90}, {"ipv6": False}]


def test_every_view_says_what_is_wrong_with_it(context: BrowserContext, stage: Stage) -> None:
    for path in ("/transfers", "/publications", "/settings", "/doctor", "/streams", "/search"):
        stage.answers[path] = (503, f"no {path[1:]} today")
    page, _ = open_page(context, stage.url, "transfers")
    page.get_by_text("no transfers today").wait_for()
    page.get_by_text("no publications today").wait_for()
    go(page, "Settings")
    page.get_by_text("no settings today").wait_for()
    go(page, "Check")
    page.get_by_text("no doctor today").wait_for()
    go(page, "Streams")
    page.get_by_text("no streams today").wait_for()
    go(page, "Find")
    page.get_by_role("searchbox").fill("boat")
    page.get_by_role("searchbox").press("Enter")
    page.get_by_text("no search today").wait_for()


def test_a_stream_of_events_that_ends_is_opened_again(context: BrowserContext, stage: Stage) -> None:
    page, _ = open_page(context, stage.url)
    page.locator('.ln-connection[data-state="live"]').wait_for()
    stage.drop()
    stage.answers["/peers"]["peers"] = [peer("kitchen")]  # meanwhile: nobody tells the page
    row_of(page, mid("kitchen")).wait_for()
    page.locator('.ln-connection[data-state="live"]').wait_for()
    assert page.locator(".ln-problem").is_hidden()


def test_removing_asks_first_and_deletes_only_when_told_to(context: BrowserContext, stage: Stage) -> None:
    evening(stage)
    page, _ = open_page(context, stage.url, "transfers")
    page.get_by_role("button", name="Remove Night train.mkv").click()
    assert stage.changes == []
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Remove Night train.mkv").click()
    page.get_by_role("button", name="Remove and delete").click()
    page.get_by_role("button", name="Remove Night train.mkv").wait_for()
    assert [change[:2] for change in stage.changes] == [("DELETE", f"/transfers/{mid('Night train.mkv')[:16]}")]
    page.get_by_role("button", name="Pause Night train.mkv").click()
    page.wait_for_function("() => !document.querySelector('.ln-actions button:disabled')")
    assert stage.changes[-1][0::2] == ("PATCH", {"state": "paused"})


def test_a_host_has_the_element_its_own_way(context: BrowserContext, stage: Stage) -> None:
    evening(stage)
    page, complaints = open_page(context, stage.url)
    page.evaluate("""() => {
        document.querySelector("main").replaceChildren();
        document.documentElement.className = "dark";
        const element = document.createElement("tribler-local-network");
        element.view = "settings";
        element.bare = true;
        document.querySelector("main").append(element);
    }""")
    page.get_by_label("Nickname").wait_for()
    assert page.get_by_role("tab").count() == 0
    dark = page.evaluate("getComputedStyle(document.querySelector('tribler-local-network')).color")
    page.evaluate("document.documentElement.className = 'light'")
    assert dark != page.evaluate("getComputedStyle(document.querySelector('tribler-local-network')).color")
    page.evaluate("document.querySelector('tribler-local-network').remove()")
    page.wait_for_timeout(300)
    calls = stage.calls.total()
    page.wait_for_timeout(1500)
    assert stage.calls.total() == calls  # gone is gone: nothing is asked any more
    assert complaints == []
