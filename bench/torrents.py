"""
What BitTorrent costs and brings: memory, wake-ups and time with many seeded files, hashing, a download on this machine.

    sh tests/in_namespace.sh python -m bench.torrents [--seeds 1000] [--megabytes 500] [--seconds 30] [--json]

Each engine is a process of its own on the loopback interface, without the rest of a node.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .common import BenchError, Report, main

ROOT = Path(__file__).resolve().parents[1]

SEEDING = """
import asyncio, json, os, sys, time
def memory():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6
def wakes():
    return sum(int(line.split()[1]) for task in os.listdir("/proc/self/task")
               for line in open(f"/proc/self/task/{task}/status") if line.startswith("voluntary"))
from pathlib import Path
from tests.standalone.torrents.engines import Engine, until
folder, count, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
async def idle(result, name):
    await asyncio.sleep(min(4, 10 * seconds))
    began, cpu = wakes(), sum(os.times()[:2])
    await asyncio.sleep(seconds)
    result[name + " wake"], result[name + " cpu"] = (wakes() - began) / seconds, (sum(os.times()[:2]) - cpu) / seconds
async def run():
    result = {"before": memory()}
    began = time.monotonic()
    engine = await Engine(folder).run()
    result["start"], result["session"] = time.monotonic() - began, memory()
    await idle(result, "empty")
    began = time.monotonic()
    for number in range(count):
        (folder / f"file {number}").write_bytes(os.urandom(20_000))
        await engine.make(folder / f"file {number}")
    await until(lambda: all(status.state == "seeding" for status in engine.status()))
    result["made"], result["seeding"] = time.monotonic() - began, memory()
    result["threads"] = len(os.listdir("/proc/self/task"))
    await idle(result, "seeding")
    began = time.monotonic()
    await engine.close()
    result["close"] = time.monotonic() - began
    began = time.monotonic()
    engine = await Engine(folder).run()
    await until(lambda: len(engine.status()) == count and all(status.state == "seeding" for status in engine.status()))
    result["again"] = time.monotonic() - began
    await engine.close()
    print(json.dumps(result))
asyncio.run(run())
"""


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.torrents", description="Measures BitTorrent.")
    made.add_argument("--seeds", type=int, default=1000, help="files to seed (default: %(default)s)")
    made.add_argument("--megabytes", type=int, default=500, help="size of what is hashed and fetched")
    made.add_argument("--seconds", type=float, default=30.0, help="how long to look at what does nothing")
    return made


async def transfer(folder: Path, size: int) -> tuple[float, float]:
    """
    Hash a file and fetch it by its infohash from another engine; get the seconds of both.
    """
    from tests.standalone.torrents.engines import Engine  # noqa: PLC0415 (needs libtorrent)

    a, b = await Engine(folder / "a").run(), await Engine(folder / "b").run()
    with (a.folder / "film").open("wb") as file:
        for _ in range(size // 1_000_000):
            file.write(os.urandom(1_000_000))
    began = time.monotonic()
    made = await a.make(a.folder / "film")
    hashed = time.monotonic() - began
    await a.reaches(made.infohash, "seeding")
    began = time.monotonic()
    await b.fetch(made.infohash, [a.address], lan_only=True)
    await b.reaches(made.infohash, "seeding", 600)
    fetched = time.monotonic() - began
    await a.close()
    await b.close()
    return hashed, fetched


def bench(options: argparse.Namespace) -> Report:
    """
    Measure.
    """
    report = Report("torrents")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", SEEDING, folder, str(options.seeds), str(options.seconds)],
                              cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise BenchError(f"seeding failed: {done.stderr.strip().splitlines()[-1]}")
        found = json.loads(done.stdout)
        seeds = f"{options.seeds:,} seeds"
        report.row("start, libtorrent loaded and listening", found["start"], "s")
        report.row("memory of libtorrent and an empty session", found["session"] - found["before"], "MB")
        report.row("empty: wake-ups", found["empty wake"], "/s")
        report.row("empty: processor", found["empty cpu"] * 100, "% of a core")
        report.row(f"{seeds}: made, kept and offered in", found["made"], "s")
        report.row(f"{seeds}: memory for them", found["seeding"] - found["session"], "MB")
        report.row(f"{seeds}: threads", found["threads"], "")
        report.row(f"{seeds}: wake-ups", found["seeding wake"], "/s")
        report.row(f"{seeds}: processor", found["seeding cpu"] * 100, "% of a core")
        report.row(f"{seeds}: close", found["close"], "s")
        report.row(f"{seeds}: all offered again after a start", found["again"], "s")
    with tempfile.TemporaryDirectory() as folder:
        hashed, fetched = asyncio.run(transfer(Path(folder), options.megabytes * 1_000_000))
        report.row("hashing", options.megabytes / hashed, "MB/s")
        report.row("from one process to another", options.megabytes / fetched, "MB/s")
    return report


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
