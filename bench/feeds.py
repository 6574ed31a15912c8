"""
What hostile feeds cost whoever subscribes to them: seconds and memory until each is refused.

    python -m bench.feeds [--feed NAME]... [--json]

A web server on loopback, in a process of its own; each feed is subscribed to by a process of its own, too, whose
memory is compared with what it had before.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from tests.feeds.web import WebServer
from tribler_multicast.client import ClientError
from tribler_multicast.feeds.feeds import Feeds
from tribler_multicast.settings import Settings

from .common import HERE, BenchError, Report, main, say

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

SECONDS_LIMIT, MEMORY_LIMIT = 2.0, 64.0
"""Seconds and MB for each."""

HEAD = b"<rss version='2.0'><channel><title>x</title>"
BILLION = "".join(f'<!ENTITY e{number} "{10 * f"&e{number - 1};"}">' for number in range(1, 10))


def hostile_feeds() -> dict[str, bytes]:
    """
    Get feeds by what is wrong with them. Made where they are served: who is measured must not have had them.
    """
    return {
        "entity bomb": b'<!DOCTYPE r [<!ENTITY e0 "lol">%s]><rss><title>&e9;</title></rss>' % BILLION.encode(),
        "large entity": (b'<!DOCTYPE r [<!ENTITY x "%s">]><rss><title>%s</title></rss>'
                         % (100_000 * b"x", 100_000 * b"&x;")),
        "external entity": b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><rss><title>&x;</title></rss>',
        "1,000,000 elements": HEAD + 1_000_000 * b"<a/>",
        "1,000,000 deep": HEAD + 1_000_000 * b"<a>",
        "350,000 attributes": b"<rss " + b" ".join(b'a%d=""' % number for number in range(350_000)) + b"/>",
        "90,000 items": HEAD + b"".join(b'<item><enclosure url="%d.torrent"/></item>' % number
                                        for number in range(90_000)) + b"</channel></rss>",
        "title of 4 MB": HEAD[:-9] + 4_000_000 * b"x" + b"</title></channel></rss>",
    }


async def _serve(pipe: Connection) -> None:
    async def gigabyte(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(1 << 14):
            await answer.write(bytes(1 << 16))
        return answer

    async with WebServer() as server:
        urls = {name: server.answer(f"/{number}", body=body)
                for number, (name, body) in enumerate(hostile_feeds().items())}
        urls["gzip of 1 GB"] = server.answer("/gzip", body=64 * gzip.compress(bytes(1 << 24)), Content_Encoding="gzip")
        server.answers["/gigabyte"] = gigabyte
        urls["1 GB"] = f"{server.base}/gigabyte"
        urls["redirect to file:///etc/passwd"] = server.redirect("/file", "file:///etc/passwd")
        urls["redirects in a circle"] = server.redirect("/circle", "/circle")
        urls["a web page"] = server.answer("/html", body=b"<!DOCTYPE html><p>Hello")
        pipe.send(urls)
        await asyncio.to_thread(pipe.recv)


def serve(pipe: Connection) -> None:
    """
    Serve hostile feeds until something is received.
    """
    asyncio.run(_serve(pipe))


def _highest() -> float:
    """
    Return the most memory this process ever had, in MB. (getrusage tells that of who started it, if that was more.)
    """
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


async def _subscribe(url: str) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        feeds = Feeds(Path(folder) / "feeds", lambda: None, Settings({"interfaces": ["lo"]}))
        await feeds.start()
        before, start = _highest(), time.perf_counter()
        try:
            said = f"subscribed, {(await feeds.add(url)).seen:,} items"
        except ClientError as error:
            said = str(error)
        seconds = time.perf_counter() - start
        grown = _highest() - before
        await feeds.close()
    return {"seconds": seconds, "grown": grown, "said": said}


def bench(options: argparse.Namespace) -> Report:
    """
    Subscribe to each hostile feed.
    """
    report = Report("feeds")
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(there,), daemon=True)
    server.start()
    if not here.poll(60):
        raise BenchError("the web server did not start")
    urls = here.recv()
    if unknown := [name for name in options.feed if name not in urls]:
        raise BenchError(f"there is no feed {unknown[0]!r}, only {', '.join(urls)}")
    for name in options.feed or urls:
        say(name)
        done = subprocess.run([sys.executable, "-m", "bench.feeds", "--subscribe", urls[name]], cwd=HERE.parent,
                              timeout=120, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"{name}: {done.stderr.strip().rpartition(chr(10))[2]}")
        found = json.loads(done.stdout)
        report.row(f"{name}: until it is over", found["seconds"], "s", limit=SECONDS_LIMIT)
        report.row(f"{name}: memory grown by", found["grown"], "MB", limit=MEMORY_LIMIT)
        report.details[name] = found
    here.send(None)
    server.join(5)
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.feeds", description="What hostile feeds cost.")
    made.add_argument("--feed", action="append", metavar="NAME", default=[], help="only this one; may be repeated")
    made.add_argument("--subscribe", metavar="URL", help=argparse.SUPPRESS)
    return made


if __name__ == "__main__":
    if sys.argv[1:2] == ["--subscribe"]:
        print(json.dumps(asyncio.run(_subscribe(sys.argv[2]))))
    else:
        sys.exit(main(bench, parser()))
