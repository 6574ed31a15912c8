"""
Subscribes to a programme: downloads each new episode of a feed, and plays it as soon as it is there.

    python subscriber.py http://seeder.local:8099/feed.xml --player mpv
"""
from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
from pathlib import Path

from tribler_multicast.control.messages import Failed, Finished, NewItem, Stopped, Subscribe, Subscribed
from tribler_multicast.standalone import NodeError, open_node


def arguments() -> argparse.Namespace:
    """
    Read the command line.
    """
    parser = argparse.ArgumentParser(description="Plays each new episode of a feed when it was downloaded.")
    parser.add_argument("url", help="of the RSS or Atom feed")
    parser.add_argument("--player", type=shlex.split, default=["mpv"], help="program to play it with (default: mpv)")
    parser.add_argument("--first", type=int, default=0, help="episodes that are there already to play, too")
    parser.add_argument("--state-dir", default="~/.tribler-multicast-subscriber", help="default: %(default)s")
    parser.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help="a setting of the node")
    return parser.parse_args()


async def subscribe(options: argparse.Namespace) -> str:
    """
    Play what comes until Ctrl-C; get what went wrong.
    """
    settings = dict(each.split("=", 1) for each in options.set)
    async with open_node(options.state_dir, settings) as node:
        record = Path(options.state_dir).expanduser() / "played"  # so that nothing is played twice, or never
        played = set(record.read_text().split()) if record.exists() else set()
        with node.connect() as user:
            await user.commands.put(Subscribe(options.url, first=options.first, earlier=True))
            while True:
                event = await user.events.get()
                if isinstance(event, Subscribed):
                    print(f"subscribed to {event.feed['title']}", flush=True)
                elif isinstance(event, NewItem):
                    print(f"new: {event.item['title']} {event.item['error'] or ''}".rstrip(), flush=True)
                elif isinstance(event, Finished) and event.infohash not in played:
                    print(f"playing {event.path}", flush=True)
                    player = await asyncio.create_subprocess_exec(*options.player, event.path)
                    await player.wait()
                    played.add(event.infohash)
                    record.write_text("\n".join(played))
                elif isinstance(event, Failed | Stopped):
                    return event.reason


def main() -> int:
    """
    Run it; Ctrl-C ends it.
    """
    options = arguments()
    try:
        problem = asyncio.run(subscribe(options))
    except NodeError as error:
        problem = str(error)
    except FileNotFoundError:
        problem = f"there is no program {options.player[0]!r}; say which with --player"
    except KeyboardInterrupt:
        return 0
    print(problem, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
