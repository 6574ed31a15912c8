"""
The page in Chromium: its weight, how soon something is seen, whether it stops before a crowd, and how soon it shows who
comes and who goes.

    sh tests/in_namespace.sh python -m bench.page
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

from tests.browser.conftest import CHROMIUM, FLAGS, missing
from tests.browser.crowd import busy_minute, drawn, traced
from tests.browser.door import Door
from tests.browser.looking import BLACK, GREEN
from tests.browser.scenes import crowd, evening
from tests.browser.stage import Stage
from tribler_multicast.page.serve import FILES, on_demand

from .common import BenchError, Report, a_lan, main, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

PEERS, TRANSFERS = 500, 200

CROWDS = {"network": ("tbody tr", PEERS), "transfers": (".ln-transfer", TRANSFERS)}

LOADING = """() => {
    window.tasks = [];
    new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((entry) => entry.duration)))
        .observe({ type: "longtask", buffered: true });
    return Object.fromEntries(performance.getEntriesByType("paint").map((entry) => [entry.name, entry.startTime]));
}"""

WATCH = """([mid, green, black]) => {
    window.times = {};
    const look = () => {
        const row = document.querySelector(`tr[data-mid="${mid}"]`);
        if (row?.querySelector(green)) window.times.green ??= Date.now() / 1000;
        if (row?.querySelector(black)) window.times.black ??= Date.now() / 1000;
    };
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true });
    look();
}"""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """
    A browser.

    :raises BenchError: when there is none here.
    """
    if reason := missing():
        raise BenchError(reason)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 (it may be missing)

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def weigh(report: Report) -> None:
    """
    What is sent to a browser, all views, as it is and as gzip would have it.
    """
    later = {f"/static/{name}" for name in on_demand()}
    files = dict.fromkeys(found for path, found in FILES.items() if path not in later)
    texts = [file.read_bytes() for file, _ in files]
    report.row("weight of the page, all views", sum(map(len, texts)) / 1000, "kB")
    report.row("the same, by gzip", sum(len(gzip.compress(text)) for text in texts) / 1000, "kB")
    report.row("files", len(texts), "")
    for path in sorted(later):
        content = FILES[path][0].read_bytes()
        report.row(f"{path}, when it is needed", len(gzip.compress(content)) / 1000, "kB")


def first_paint(browser: Browser, rounds: int) -> dict[str, float]:
    """
    Milliseconds from the address to the first paint, to the first content, and to the last row of eight.
    """
    found: dict[str, list[float]] = {"first-paint": [], "first-contentful-paint": [], "rows": []}
    for _ in range(rounds):
        stage, context = Stage(), browser.new_context()
        evening(stage)
        page = context.new_page()
        page.goto(stage.url)
        drawn(page, "tbody tr", 8)
        found["rows"].append(page.evaluate("performance.now()"))
        for name, value in page.evaluate(LOADING).items():
            found[name].append(value)
        context.close()
        stage.close()
    return {name: statistics.median(values) for name, values in found.items()}


def crowded(browser: Browser, view: str) -> dict[str, Any]:
    """
    The longest tasks while a crowd is drawn at first, and while it does what crowds do.
    """
    stage, context = Stage(), browser.new_context(viewport={"width": 1280, "height": 800})
    crowd(stage, PEERS, TRANSFERS)
    page = context.new_page()
    page.goto(f"{stage.url}#{view}")
    drawn(page, *CROWDS[view])
    page.evaluate(LOADING)
    page.wait_for_timeout(500)
    loading = page.evaluate("window.tasks")
    with traced(page) as tasks:
        busy_minute(stage, page, 20)
    context.close()
    stage.close()
    return {"loading": loading, **tasks[0]._asdict()}


def seen(browser: Browser, rounds: int) -> dict[str, list[float]]:
    """
    Seconds until a page shows in green who has just started, and in black who has just said goodbye.
    """
    found: dict[str, list[float]] = {"green": [], "green_from_start": [], "black": []}
    with a_lan() as lan:
        first, second = lan.machines(2)
        with Door(first.node()) as door:
            page = browser.new_page()
            page.goto(door.url)
            page.locator('.ln-connection[data-state="live"]').wait_for()
            state = lan.folder / "the-other"
            for _ in range(rounds):
                node = second.node("the-other", state=state)
                page.evaluate(WATCH, [node.mid, GREEN, BLACK])
                times = wait_times(page, "green")
                found["green"].append(times["green"] - node.ready_at)
                found["green_from_start"].append(times["green"] - node.started_at)
                page.evaluate(WATCH, [node.mid, GREEN, BLACK])
                begin = time.time()
                node.stop()
                found["black"].append(wait_times(page, "black")["black"] - begin)
            page.close()
    return found


def wait_times(page: Page, name: str) -> dict[str, float]:
    """
    Wait until the page noted that time.
    """
    page.wait_for_function(f"() => window.times.{name}")
    times: dict[str, float] = page.evaluate("window.times")
    return times


def bench(options: argparse.Namespace) -> Report:
    """
    Measure all in turn.
    """
    report = Report("page")
    weigh(report)
    with chromium() as browser:
        say("page: first paint")
        paint = report.details["paint"] = first_paint(browser, options.rounds)
        report.row("first paint", paint["first-paint"], "ms")
        report.row("first content", paint["first-contentful-paint"], "ms")
        report.row("eight nodes and the picture", paint["rows"], "ms")
        for view, (_, rows) in CROWDS.items():
            say(f"page: a crowd in {view}")
            tasks = report.details[view] = crowded(browser, view)
            for clock, words in (("processor", ", of the processor"), ("clock", ", by the clock")):
                what = f"{view}, {rows} rows: longest task on events{words}"
                report.row(what, tasks[clock], "ms", limit=50)
            report.row(f"{view}, {rows} rows: longest above 50 ms at first", max(tasks["loading"], default=0), "ms")
        if options.joins:
            say("page: who comes and goes")
            times = report.details["seen"] = seen(browser, options.joins)
            report.row("green after the node is ready, the longest", max(times["green"]), "s", limit=1)
            report.row("green after its process is started, the longest", max(times["green_from_start"]), "s")
            report.row("black after the node is told to stop, the longest", max(times["black"]), "s", limit=1)
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.page", description="The page in a browser.")
    made.add_argument("--rounds", type=int, default=5, help="loads of the page (default 5)")
    made.add_argument("--joins", type=int, default=5, help="starts and ends of another node (default 5; 0: none)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
