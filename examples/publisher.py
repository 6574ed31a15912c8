"""
Publishes what is put into a folder: each new file or folder in it becomes a torrent in the node's own feed.

    python publisher.py ~/programme --feed-port 8099
"""
from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tribler_multicast.control.messages import Failed, ListFeeds, Made, Publish
from tribler_multicast.standalone import EmbeddedNode, NodeError, open_node


def arguments() -> argparse.Namespace:
    """
    Read the command line.
    """
    parser = argparse.ArgumentParser(description="Makes a torrent of everything new in a folder and publishes it.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--settle", type=float, default=5.0, help="seconds without a change until it is complete")
    parser.add_argument("--feed-port", type=int, default=0, help="TCP port to serve the feed at (default: nowhere)")
    parser.add_argument("--state-dir", default="~/.tribler-multicast-publisher", help="default: %(default)s")
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a setting of the node")
    return parser.parse_args()


def look(path: Path) -> list[tuple[str, int, int]]:
    """
    See how a file, or all in a folder, is now: names, sizes and times; nothing when it goes while we look.
    """
    try:
        files = [path, *sorted(path.rglob("*"))] if path.is_dir() else [path]
        return [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    except FileNotFoundError:
        return []


async def publish(node: EmbeddedNode, folder: Path, settle: float) -> None:
    """
    Publish what is new and complete, until Ctrl-C.
    """
    published = {item["title"] for item in (await node.control.ask(ListFeeds()))["own"]["published"]}
    before: dict[Path, list[tuple[str, int, int]]] = {}
    with node.connect() as user:
        while True:
            now = {path: look(path) for path in folder.iterdir() if path.name[0] != "." and path.name not in published}
            for path in [path for path, seen in now.items() if seen and before.get(path) == seen]:
                published.add(path.name)
                await user.commands.put(Publish(str(path.absolute()), title=path.name))
            before = now
            await asyncio.sleep(settle)
            while not user.events.empty():
                event = user.events.get_nowait()
                if isinstance(event, Made | Failed):
                    print(f"published {event.name}" if isinstance(event, Made) else event.reason, flush=True)


async def run(options: argparse.Namespace) -> None:
    """
    Run a node and watch the folder.
    """
    settings = {"feed_port": options.feed_port, **dict(each.split("=", 1) for each in options.set)}
    async with open_node(options.state_dir, settings) as node:
        await publish(node, options.folder, options.settle)


if __name__ == "__main__":
    try:
        asyncio.run(run(arguments()))
    except (NodeError, OSError) as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit(0)
