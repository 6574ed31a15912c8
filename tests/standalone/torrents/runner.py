"""
An engine as a process: `python -m tests.standalone.torrents.runner FOLDER ADDRESS... [--set NAME=VALUE]...`

Commands are JSON lines on its input ({"do": "fetch", "magnet": ...}); it answers each with a JSON line, and prints one
for each status that is told. SIGTERM closes it, as a node does.
"""
from __future__ import annotations

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT = 30.0

if TYPE_CHECKING:
    from collections.abc import Sequence


class Runner:
    """
    Such a process, seen from the test.
    """

    def __init__(self, folder: Path, *addresses: str, prefix: Sequence[str] = (), **settings: object) -> None:
        self.folder = folder
        self.downloads = folder / "got"
        options = [f"{name}={value}" for name, value in settings.items()]
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", __name__, str(folder), *(addresses or ("127.0.0.1",)),
             *(part for option in options for part in ("--set", option))],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        self.told: dict[str, dict[str, Any]] = {}
        self.answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.port = self.answer()["port"]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            if "infohash" in said and "state" in said:
                self.told[said["infohash"]] = said
            else:
                self.answers.put(said)
        self.answers.put(None)

    def answer(self) -> dict[str, Any]:
        said = self.answers.get(timeout=TIMEOUT)
        assert said is not None, f"it ended: {self.process.wait(5)}"
        return said

    def do(self, what: str, **arguments: object) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": what, **arguments}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def make(self, path: Path, **arguments: object) -> str:
        return str(self.do("make", path=str(path), **arguments)["infohash"])

    def wait(self, infohash: str, condition: str = "seeding", timeout: float = TIMEOUT) -> dict[str, Any]:
        """
        Wait for a state, or for progress ("0.5").
        """
        deadline = time.monotonic() + timeout
        while True:
            status = self.told.get(infohash, {})
            if status and (status["state"] == condition if condition[0].isalpha()
                           else status["progress"] >= float(condition)):
                return status
            assert time.monotonic() < deadline, f"not {condition} in {timeout} s: {status}"
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> float:
        """
        End it; get how many seconds that took.
        """
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
        return time.monotonic() - began


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


async def main() -> None:
    """
    Run it.
    """
    from tribler_multicast.standalone.torrents import watching as module  # noqa: PLC0415 (only this process needs it)

    from .engines import Engine  # noqa: PLC0415

    arguments = sys.argv[2:]
    settings: dict[str, Any] = {}
    while "--set" in arguments:
        position = arguments.index("--set")
        name, _, value = arguments[position + 1].partition("=")
        settings[name] = int(value) if value.isdigit() else value
        del arguments[position:position + 2]
    module.SAVE_INTERVAL = settings.pop("save_interval", module.SAVE_INTERVAL)  # type: ignore[misc]
    engine = Engine(Path(sys.argv[1]), **settings)
    engine.set_addresses(arguments)
    engine.subscribe(lambda status: say(
        infohash=status.infohash.hex(), state=status.state, progress=status.progress, error=status.error,
        path=status.path, down=status.total_down, up=status.total_up, peers=status.peers))
    loop = asyncio.get_running_loop()
    end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    await engine.run()
    say(port=engine.listen_port)
    commands: asyncio.Queue[str] = asyncio.Queue()

    def listen() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(commands.put_nowait, line)
        loop.call_soon_threadsafe(end.set)  # who started us is gone, however that came

    threading.Thread(target=listen, daemon=True).start()
    serving = asyncio.ensure_future(serve(engine, commands))
    await end.wait()
    serving.cancel()
    await engine.close()


async def serve(engine: Any, commands: asyncio.Queue[str]) -> None:  # noqa: ANN401
    """
    Do what is asked for.
    """
    while True:
        command = json.loads(await commands.get())
        try:
            if command["do"] == "make":
                made = await engine.make(Path(command["path"]), trackers=command.get("trackers", ()),
                                         output=command.get("output") and Path(command["output"]))
                say(infohash=made.infohash.hex())
            elif command["do"] == "fetch":
                source = Path(command["file"]).read_bytes() if "file" in command else command["magnet"]
                infohash = await engine.fetch(source, [tuple(peer) for peer in command.get("peers", ())])
                say(infohash=infohash.hex())
            elif command["do"] == "limit":
                await engine.limit(bytes.fromhex(command["infohash"]), command["up"], command["down"])
                say()
        except Exception as error:
            say(problem=str(error))


if __name__ == "__main__":
    asyncio.run(main())
