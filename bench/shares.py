"""
What it costs to share many files: to index, search, watch them; beside a plain walk that does nothing but look.

    python -m bench.shares [--files 100000] [--rounds 3] [--idle 20] [--folder DIR] [--json]

The files are sparse, 20 to a folder, their names three of 20,000 invented words, a number and two words that all have.
All in one process: what is measured of it are differences. No network.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from importlib import import_module
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import psutil

from tribler_multicast.standalone.shares import Shares
from tribler_multicast.standalone.shares.inotify import NoWatcher

from .common import Report, main, percentile, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PER_FOLDER = 20
WORDS = 20_000
SYLLABLES = ("ka", "lo", "mi", "ter", "an", "so", "ri", "be", "du", "non", "ple", "vo", "gra", "shi", "ma", "en", "to",
             "ul", "wa", "zi", "cha", "fe", "os", "dre", "pu", "ge", "nim", "tal", "hol", "sa")
KINDS = frozenset({"file", "torrent"})
TREE = 1000
PATIENCE = 300.0
LONG_AGO = 1_600_000_000


def vocabulary(random: Random) -> list[str]:
    """
    Invent words.
    """
    return ["".join(random.choices(SYLLABLES, k=random.randint(1, 4))) for _ in range(WORDS)]


def make(share: Path, files: int, words: list[str], random: Random) -> None:
    """
    Make a share of so many files.
    """
    folder = share
    for number in range(files):
        if number % PER_FOLDER == 0:
            folder = share / f"{random.choice(words)} {number % 7}" / f"{random.choice(words)} {number}"
            folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{' '.join(random.choices(words, k=3))} {number}.common.mkv"
        with path.open("wb") as file:
            file.truncate(1 + number)
        os.utime(path, (LONG_AGO, LONG_AGO))


def walk(share: Path) -> int:
    """
    Look at each file, and do nothing else: the floor.
    """
    return sum(1 for folder, _, names in os.walk(share) for name in names if os.stat(f"{folder}/{name}").st_size)


def timed(call: Callable[[], object]) -> float:
    """
    Return how long a call takes, in seconds.
    """
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


IDLE = """
import asyncio, sys, threading, time
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set())).start()
async def look():
    lags = []
    while not (lags and ended.is_set()):
        begin = time.perf_counter()
        await asyncio.sleep(0.005)
        lags.append(time.perf_counter() - begin - 0.005)
    lags.sort()
    print(lags[int(len(lags) * 0.99)] * 1e3, lags[-1] * 1e3)
asyncio.run(look())
"""
"""How late an event loop is that has nothing to do: what the machine is to blame for, at the same time."""


class Watch:
    """
    What happens to the event loop and the memory of this process.
    """

    def __init__(self) -> None:
        """
        Begin to look.
        """
        self.process = psutil.Process()
        self.memory = self.peak = self.process.memory_info().rss
        self.lags: list[float] = []
        self.task = asyncio.ensure_future(self.look())
        self.other = subprocess.Popen([sys.executable, "-c", IDLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      text=True)

    async def look(self) -> None:
        """
        Sleep for 5 ms again and again, and see how late that ends.
        """
        for turn in itertools.count():
            begin = time.perf_counter()
            await asyncio.sleep(0.005)
            self.lags.append(time.perf_counter() - begin - 0.005)
            if turn % 20 == 0:
                self.peak = max(self.peak, self.process.memory_info().rss)

    def end(self) -> tuple[float, float, float, float, float]:
        """
        Return by how many MB the memory had grown at most, and how many ms late the loop was: 99th percentile, most;
        and the same of a loop in a process of its own.
        """
        self.task.cancel()
        calm, most = self.other.communicate()[0].split()
        return ((self.peak - self.memory) / 1e6, percentile(self.lags, 99) * 1e3, max(self.lags) * 1e3, float(calm),
                float(most))


async def until(condition: Callable[[], object]) -> float:
    """
    Wait until something is the case; return how many seconds that took.
    """
    begin = time.perf_counter()
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)
    return time.perf_counter() - begin


async def opened(state: Path, share: Path, polled: bool = False) -> tuple[Shares, float]:
    """
    Share a folder and wait until all of it is read; return how long that took.
    """
    shares = Shares(state / "sqlite" / "shares.db", [share])
    if polled:
        shares.indexer.create_watcher = lambda: NoWatcher("a benchmark")
    begin = time.perf_counter()
    await shares.start()
    await until(lambda: not shares.status().indexing)
    return shares, time.perf_counter() - begin


async def first_index(report: Report, state: Path, share: Path, files: int, rounds: int) -> None:
    """
    Index it anew, several times, in turn with a walk.
    """
    took, cost, floor, watched = [], [], [], []
    for number in range(rounds):
        say(f"shares: index, {number + 1} of {rounds}")
        floor.append(await asyncio.to_thread(timed, lambda: walk(share)))
        shutil.rmtree(state, ignore_errors=True)
        watch, before = Watch(), time.process_time()
        shares, seconds = await opened(state, share)
        cost.append(time.process_time() - before)
        took.append(seconds)
        watched.append(watch.end())
        assert shares.status().folders[0].files == files, shares.status()
        await shares.close()
    walked = statistics.median(floor)
    report.row("first index", statistics.median(took), "s", other="s os.walk and stat", theirs=walked)
    report.row("its processor time", statistics.median(cost), "s", other="s os.walk and stat", theirs=walked)
    report.row("memory that it took, first round", watched[0][0], "MB", limit=50)
    report.row("event loop late meanwhile, 99th percentile", statistics.median(each[1] for each in watched), "ms",
               other="ms of an idle process meanwhile", theirs=statistics.median(each[3] for each in watched))
    report.row("event loop late meanwhile, most, median of the rounds", statistics.median(each[2] for each in watched),
               "ms", other="ms of an idle process meanwhile", theirs=statistics.median(each[4] for each in watched))
    report.row("index on disk", sum(file.stat().st_size for file in (state / "sqlite").iterdir()) / files, "bytes/file")
    report.details["first"] = {"took": took, "processor": cost, "walk": floor, "watched": watched}


def queries(words: list[str], random: Random) -> dict[str, Iterator[str]]:
    """
    Return endless searches of some kinds.
    """
    def one() -> str:
        return random.choice(words)

    return {"a word": iter(one, None), "two words": iter(lambda: f"{one()} {one()}", None),
            "the first three letters of a word": iter(lambda: one()[:3], None),
            "a word and a number": iter(lambda: f"{one()} {random.randint(1, 999)}", None),
            "one letter": iter(lambda: random.choice("aeklmnst"), None),
            "three single letters": iter(lambda: " ".join(random.sample("aeklmnst", 3)), None),
            "a word that all files have": iter(lambda: "common", None),
            "the beginnings of two such words": iter(lambda: "com mk", None),
            "a word that none has": iter(lambda: "qqq" + one(), None)}


def search(report: Report, shares: Shares, words: list[str], count: int) -> None:
    """
    Search, as neighbours do: 50 results at most.
    """
    ordinary: list[float] = []
    for number, (name, texts) in enumerate(queries(words, Random(2)).items()):
        took = [timed(lambda texts=texts: shares.search(next(texts), KINDS, 50)) * 1e3 for _ in range(count)]
        if number < 4:
            ordinary += took
        report.details[f"search: {name}"] = {"p50": percentile(took, 50), "p95": percentile(took, 95)}
        report.row(f"search: {name}, 95 %", percentile(took, 95), "ms", limit=100)
    report.row("search: the first four, 50 %", percentile(ordinary, 50), "ms")
    report.row("search: the first four, 95 %", percentile(ordinary, 95), "ms", limit=100)


async def changes(report: Report, shares: Shares, share: Path, how: str, count: int) -> None:
    """
    Change things, and wait until a search sees it.
    """
    def seen(text: str, many: int = 1, size: int | None = None) -> Callable[[], bool]:
        def look() -> bool:
            results = shares.search(text, KINDS, TREE + 1)
            return len(results) == many and (size is None or results[0].size == size)
        return look

    took: dict[str, list[float]] = {}
    for number in range(count):
        say(f"shares: changes {how}, {number + 1} of {count}")
        new = next(share.iterdir()) / f"xyzzy{number}.txt"
        new.write_bytes(b"x")
        took.setdefault("a new file", []).append(await until(seen(f"xyzzy{number}")))
        new.write_bytes(b"xx")
        took.setdefault("a changed file", []).append(await until(seen(f"xyzzy{number}", size=2)))
        new.rename(other := new.with_name(f"plugh{number}.txt"))
        took.setdefault("a renamed file", []).append(await until(seen(f"plugh{number}")))
        other.unlink()
        took.setdefault("a removed file", []).append(await until(seen(f"plugh{number}", 0)))
        outside = share.with_name("outside")
        for each in range(TREE):
            folder = outside / str(each // PER_FOLDER)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{each}.txt").write_bytes(b"x")
        outside.rename(tree := share / f"frotz{number}")
        took.setdefault(f"a tree of {TREE} files moved in", []).append(await until(seen(f"frotz{number}", TREE)))
        shutil.rmtree(tree)
        took.setdefault("the same, removed", []).append(await until(seen(f"frotz{number}", 0)))
    old = next(path for path in share.rglob("*.mkv"))
    with old.open("ab") as file:
        file.write(b"x")
    report.row(f"{how}: an old file, written in place", await until(seen(old.name, size=old.stat().st_size)), "s")
    for name, values in took.items():
        report.row(f"{how}: {name}, slowest of {count}", max(values), "s", limit=5)
    report.details[f"changes, {how}"] = took


async def idle(report: Report, how: str, seconds: float) -> None:
    """
    Do nothing, and see what that costs.
    """
    say(f"shares: idle, {how}")
    await asyncio.sleep(2.0)
    before, begin = time.process_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    report.row(f"{how}: processor when nothing happens", (time.process_time() - before)
               / (time.perf_counter() - begin) * 100, "%", limit=3)


def watchdog(report: Report, share: Path) -> None:
    """
    Have the library watchdog watch the same.
    """
    try:
        events, observers = import_module("watchdog.events"), import_module("watchdog.observers")
    except ImportError:
        return
    say("shares: watchdog")
    memory = psutil.Process().memory_info().rss
    heard = threading.Event()

    class Handler(events.FileSystemEventHandler):  # type: ignore[misc, name-defined]
        def on_any_event(self, event: object) -> None:
            heard.set()

    observer = observers.Observer()
    before = time.process_time()
    observer.schedule(Handler(), str(share), recursive=True)
    observer.start()
    new = share / "watchdog.txt"
    end = time.monotonic() + PATIENCE
    while not heard.wait(0.05) and time.monotonic() < end:
        new.write_bytes(b"x")
    report.row("watchdog alone: processor time until it watches", time.process_time() - before, "s")
    report.row("watchdog alone: memory", (psutil.Process().memory_info().rss - memory) / 1e6, "MB")
    observer.stop()
    observer.join()
    new.unlink()


async def measure(report: Report, options: argparse.Namespace, folder: Path) -> None:
    """
    Measure all.
    """
    random = Random(1)
    words = vocabulary(random)
    share, state = folder / "share", folder / "state"
    say(f"shares: making {options.files} files")
    share.mkdir()
    make(share, options.files, words, random)
    await first_index(report, state, share, options.files, options.rounds)
    say("shares: restart")
    before = time.process_time()
    shares, seconds = await opened(state, share)
    report.row("all looked at again after a restart", seconds, "s")
    report.row("its processor time", time.process_time() - before, "s")
    search(report, shares, words, options.searches)
    await changes(report, shares, share, "inotify", options.changes)
    await idle(report, "inotify", options.idle)
    await shares.close()
    shares = Shares(state / "sqlite" / "shares.db", [share])
    begin = time.perf_counter()
    await shares.start()
    shares.search("common", KINDS, 50)
    report.row("first search answered after a restart", (time.perf_counter() - begin) * 1e3, "ms")
    begin = time.perf_counter()
    await shares.close()
    report.row("closed while it indexes", (time.perf_counter() - begin) * 1e3, "ms", limit=500)
    if options.polled:
        shares, _ = await opened(state, share, polled=True)
        await changes(report, shares, share, "polled", options.changes)
        await idle(report, "polled", options.idle)
        await shares.close()
    await asyncio.to_thread(watchdog, report, share)


def bench(options: argparse.Namespace) -> Report:
    """
    Measure in a folder that is removed again.
    """
    report = Report("shares")
    gc.collect()
    gc.freeze()  # as a node does once it runs
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        asyncio.run(measure(report, options, Path(folder)))
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.shares", description="What it costs to share many files.")
    made.add_argument("--files", type=int, default=100_000, help="files in the share (default 100,000)")
    made.add_argument("--rounds", type=int, default=3, help="first indexes, in turn with walks (default 3)")
    made.add_argument("--searches", type=int, default=200, help="searches of each kind (default 200)")
    made.add_argument("--changes", type=int, default=5, help="times that each change is made (default 5)")
    made.add_argument("--idle", type=float, default=20.0, help="seconds of nothing going on (default 20)")
    made.add_argument("--polled", action=argparse.BooleanOptionalAction, default=True,
                      help="also where the system tells nothing")
    made.add_argument("--folder", type=Path, help="make the files in a folder there (default: where the system says)")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
