"""
What it costs to offer and to keep files: hashing beside `sha256sum` and OpenSSL, writing beside `dd conv=fsync`,
memory.

    python -m bench.content [--size MiB] [--memory MiB] [--rounds N] [--folder DIR] [--json]

Everything that is measured takes turns with what it is compared to. Reads come from the page cache, writes go to the
disk that the folder is on.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ipv8.keyvault.crypto import default_eccrypto

from tribler_multicast.protocol.identity import Identity
from tribler_multicast.transfer.content.manifest import Manifest
from tribler_multicast.transfer.content.source import Source
from tribler_multicast.transfer.content.tree import HASH_SIZE, HashTree
from tribler_multicast.transfer.limits import DEFAULT_UNIT, MAX_CONTENT_SIZE, SEGMENT_SIZE
from tribler_multicast.transfer.store.ending import finish
from tribler_multicast.transfer.store.opening import receive_to
from tribler_multicast.transfer.store.store import Store

from .common import BenchError, Report, main, on_core, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1 << 20
GENERATION = 64 * DEFAULT_UNIT
BATCH = 44
SMALL_FILES, SMALL_SIZE = 2000, 10_000
ROUNDS = 3

ROLE = """
import sys
from pathlib import Path
from bench.content import receive
from tribler_multicast.transfer.content.source import Source
source = Source.publish(Path(sys.argv[1]))
if len(sys.argv) > 2:
    receive(source, Path(sys.argv[2]))
# Not getrusage: that begins with what the parent had.
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def timed(call: Callable[[], object]) -> float:
    """
    Return the seconds that a call takes.
    """
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def taking_turns(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """
    Return the seconds that each takes, round by round, one after the other.
    """
    found: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(timed(call))
    return found


def receive(source: Source, output: Path, now: Callable[[], float] = time.monotonic) -> Source:
    """
    Receive all of a content as a receiver does: decoded generations come, each segment is checked, all is committed.
    """
    manifest = Manifest.sign(source.content, Identity(default_eccrypto.generate_key("curve25519")), 1)
    store = receive_to(manifest, output)
    if not isinstance(store, Store):
        raise BenchError("it is there already")
    for segment in range(source.layout.segments):
        wanted = store.tree.wanted(segment)
        if wanted is not None:
            store.add_proof(segment, 0, source.tree.proof(segment, 0, wanted) or b"")
        data = memoryview(source.read(segment))
        for at in range(0, len(data), GENERATION):
            store.write(segment, at, data[at:at + GENERATION])
        if not store.verify(segment):
            raise BenchError("a segment came out wrong")
        if store.is_due(now()):
            store.commit()
    return finish(store)


def write_random(path: Path, size: int) -> None:
    """
    Make a file of so many random bytes, durable.
    """
    with path.open("wb") as file:
        for at in range(0, size, MIB):
            file.write(os.urandom(min(MIB, size - at)))
        os.fsync(file.fileno())


@contextmanager
def room_in(folder: Path | None) -> Iterator[Path]:
    """
    A folder of our own in this one, gone at the end.
    """
    with tempfile.TemporaryDirectory(dir=folder) as made:
        yield Path(made)


def rates(report: Report, folder: Path, size: int, rounds: int) -> None:
    """
    Measure hashing and writing of one file.
    """
    path, out = folder / "one", folder / "out"
    write_random(path, size)
    calls: dict[str, Callable[[], object]] = {"ours": lambda: Source.publish(path)}
    for name, command in (("sha256sum", ["sha256sum"]), ("openssl dgst", ["openssl", "dgst", "-sha256"])):
        if shutil.which(command[0]):
            calls[name] = lambda command=command: subprocess.run([*command, path], check=True, capture_output=True)
    with on_core(0):
        hashed = taking_turns(calls, rounds)
    for name in list(hashed)[1:]:
        report.row(f"hashing {size // MIB} MiB, one core", size / MIB / statistics.median(hashed["ours"]), "MiB/s",
                   other=name, theirs=size / MIB / statistics.median(hashed[name]), more_is_better=True)
    source = Source.publish(path)

    def write() -> None:
        out.mkdir()
        receive(source, out)

    written: dict[str, list[float]] = {"ours": [], "dd": []}
    for _ in range(rounds):
        written["ours"].append(timed(write))
        shutil.rmtree(out)
        command = ["dd", f"if={path}", f"of={folder / 'copy'}", "bs=1M", "conv=fsync"]
        written["dd"].append(timed(lambda command=command: subprocess.run(command, check=True, capture_output=True)))
        (folder / "copy").unlink()
    report.row(f"receiving {size // MIB} MiB: read, hashed twice, written, durable, checked",
               size / MIB / statistics.median(written["ours"]), "MiB/s", other="dd conv=fsync",
               theirs=size / MIB / statistics.median(written["dd"]), more_is_better=True)
    report.details |= {"hashed": hashed, "written": written}
    path.unlink()


def units(report: Report, folder: Path, size: int, rounds: int) -> None:
    """
    Measure symbols written one by one as they come: of all generations in turn, as many at once as a socket gives.
    """
    path, out = folder / "one", folder / "out"
    write_random(path, size)
    source = Source.publish(path)
    manifest = Manifest.sign(source.content, Identity(default_eccrypto.generate_key("curve25519")), 1)
    whole = path.read_bytes()
    pieces = [(at // SEGMENT_SIZE, at % SEGMENT_SIZE + offset, whole[at + offset:at + offset + DEFAULT_UNIT])
              for offset in range(0, SEGMENT_SIZE - DEFAULT_UNIT, DEFAULT_UNIT) for at in range(0, size, SEGMENT_SIZE)]
    for batch in (1, BATCH):
        found = []
        for _ in range(rounds):
            out.mkdir()
            store = receive_to(manifest, out)
            if not isinstance(store, Store):
                raise BenchError("it is there already")
            with on_core(0):
                found.append(timed(lambda store=store, batch=batch: [store.write_many(pieces[at:at + batch])
                                                                     for at in range(0, len(pieces), batch)]))
            store.release()
            shutil.rmtree(out)
        report.row(f"symbols of {DEFAULT_UNIT} bytes written, {batch} with a call, not durable yet",
                   statistics.median(found) / len(pieces) * 1e6, "us each")
        report.details[f"units_{batch}"] = found


def many(report: Report, folder: Path, rounds: int) -> None:
    """
    Measure many small files beside one of their size.
    """
    small, one, out = folder / "small", folder / "one", folder / "out"
    write_random(one, SMALL_FILES * SMALL_SIZE)
    for number in range(SMALL_FILES):
        path = small / str(number % 40) / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(SMALL_SIZE))
    hashed = taking_turns({"small": lambda: Source.publish(small), "one": lambda: Source.publish(one)}, rounds)
    received: dict[str, list[float]] = {"small": [], "one": []}
    for _ in range(rounds):
        for path in (small, one):
            source = Source.publish(path)
            out.mkdir()
            received[path.name].append(timed(lambda source=source: receive(source, out)))
            shutil.rmtree(out)
    for what, found in (("hashing", hashed), ("receiving", received)):
        report.row(f"{what} {SMALL_FILES:,} files of {SMALL_SIZE:,} bytes", statistics.median(found["small"]), "s",
                   other="one file of their size", theirs=statistics.median(found["one"]))
    report.details |= {"small_hashed": hashed, "small_received": received}
    shutil.rmtree(small)


def memory(report: Report, folder: Path, size: int) -> None:
    """
    Measure the memory of a publisher and of a receiver (which publishes to itself), each a process of its own.
    """
    path, out = folder / "large", folder / "out"
    with path.open("wb") as file:
        file.truncate(size)
    out.mkdir()
    for role, arguments in (("publisher", []), ("receiver", [str(out)])):
        say(f"content: memory of the {role}")
        done = subprocess.run([sys.executable, "-c", ROLE, str(path), *arguments], capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise BenchError(f"the {role} failed: {done.stderr.splitlines()[-1]}")
        report.row(f"memory (RSS) of a {role} of {size // MIB:,} MiB", int(done.stdout) / 1024, "MiB", limit=150)
    tree = HashTree.of_leaves(bytes(HASH_SIZE) * (MAX_CONTENT_SIZE // SEGMENT_SIZE))
    report.row("hash tree of 1 TiB, bytes of its own", (len(tree._hashes) + len(tree._known)) / MIB, "MiB")


def bench(options: argparse.Namespace) -> Report:
    """
    Measure all of it.
    """
    report = Report("content")
    with room_in(options.folder) as folder:
        say("content: one file")
        rates(report, folder, options.size * MIB, options.rounds)
        say("content: symbols")
        units(report, folder, min(options.size, 64) * MIB, options.rounds)
        say("content: many files")
        many(report, folder, options.rounds)
        memory(report, folder, options.memory * MIB)
    return report


def parser() -> argparse.ArgumentParser:
    """
    Return the options.
    """
    made = argparse.ArgumentParser(prog="bench.content", description="What offering and keeping files costs.")
    made.add_argument("--size", type=int, default=1024, metavar="MiB", help="of the file that is measured with")
    made.add_argument("--memory", type=int, default=4096, metavar="MiB", help="of the file for measuring memory")
    made.add_argument("--rounds", type=int, default=ROUNDS, help="measurements of each")
    made.add_argument("--folder", type=Path, metavar="DIR", help="where; twice the largest size must fit")
    return made


if __name__ == "__main__":
    sys.exit(main(bench, parser()))
