"""
Seeds a file or folder: makes its torrent, publishes it in the node's own feed, and offers it until Ctrl-C.

    python seeder.py ~/films/boat.mkv --feed-port 8099
"""
from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from tribler_multicast.control.messages import Failed, Made, MakeTorrent, Progress, Watch
from tribler_multicast.standalone import NodeError, open_node


def arguments() -> argparse.Namespace:
    """
    Read the command line.
    """
    parser = argparse.ArgumentParser(description="Makes a torrent of a file or folder, publishes it and seeds it.")
    parser.add_argument("path", type=Path, help="the file or folder")
    parser.add_argument("--output", type=Path, help="where to put its .torrent")
    parser.add_argument("--feed-port", type=int, default=0, help="TCP port to serve the feed at (default: nowhere)")
    parser.add_argument("--state-dir", default="~/.tribler-multicast-seeder", help="default: %(default)s")
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a setting of the node")
    return parser.parse_args()


async def seed(options: argparse.Namespace) -> str:
    """
    Seed until Ctrl-C; get what went wrong.
    """
    settings = {"feed_port": options.feed_port, **dict(each.split("=", 1) for each in options.set)}
    async with open_node(options.state_dir, settings) as node:
        with node.connect() as user:
            output = str(options.output.absolute()) if options.output else None
            await user.commands.put(MakeTorrent(str(options.path.absolute()), output, publish=True))
            await user.commands.put(Watch())
            while True:
                event = await user.events.get()
                if isinstance(event, Made):
                    print(f"seeding {event.name}, {event.size} bytes, infohash {event.infohash}", flush=True)
                elif isinstance(event, Progress) and event.transfer is None:
                    print(f"hashed {event.done:.0%}", file=sys.stderr)
                elif isinstance(event, Progress) and event.transfer and event.transfer["peers"]:
                    print("{name}: {peers} peers, {up:.0f} bytes/s".format(**event.transfer), file=sys.stderr)
                elif isinstance(event, Failed):
                    return event.reason


def main() -> int:
    """
    Run it; Ctrl-C ends it.
    """
    try:
        problem = asyncio.run(seed(arguments()))
    except NodeError as error:
        problem = str(error)
    except KeyboardInterrupt:
        return 0
    print(problem, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
