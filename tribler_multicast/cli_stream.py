"""
``stream`` and ``play``: a live stream from stdin or a URL; a stream or a file to stdout, or in a player.
"""
from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .cli_common import Failed, call

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

CHUNK = 64 * 1024
"""Bytes that are read from stdin at once: what is there is sent at once, however little it is."""

LOOK_TIMEOUT = 1.0
"""Seconds that the network is asked for streams."""


def add_commands(command: Callable[[str, Callable[[argparse.Namespace], None], str], argparse.ArgumentParser]) -> None:
    """
    Add the commands to the parser.
    """
    stream = command("stream", do_stream, "Publish stdin, or a URL, as a live stream. Prints its id first.")
    stream.add_argument("name", metavar="NAME", help="what it is called")
    stream.add_argument("--type", metavar="TYPE", default="",
                        help="media type, such as video/mp2t (default: by its first bytes)")
    what = stream.add_mutually_exclusive_group()
    what.add_argument("--url", metavar="URL", help="http(s): the node streams what comes from there, and this ends")
    what.add_argument("--end", action="store_true", help="NAME is the id of a stream of this node: end it")

    play = command("play", do_play, "Play a stream or a file: to stdout, or in a player.")
    play.add_argument("what", metavar="ID|NAME",
                      help="of a live stream, a transfer, or a content that is offered; enough of its beginning")
    play.add_argument("--player", metavar="EXE", type=shlex.split,
                      help="a program that plays an address, such as mpv or vlc")
    play.add_argument("--file", metavar="FILE", help="which file, of a folder")


# --- Publishing.


def do_stream(options: argparse.Namespace) -> None:
    """
    Publish until stdin ends.
    """
    from .cli_client import NodeClient, NodeRefusedError, NodeUnreachableError  # noqa: PLC0415
    from .streams.media.scanner import ENOUGH, guess  # noqa: PLC0415

    if options.end:
        if not re.fullmatch(r"[0-9a-fA-F]{64}", options.name, re.ASCII):
            raise Failed(f"{options.name!r} is no id of a stream, which has 64 hex digits", 2)
        call(options, "DELETE", f"/streams/{options.name}")
        return
    first = b""
    if options.url is None:
        if sys.stdin.isatty():
            raise Failed("stream reads what it streams from stdin, or from --url URL", 2)
        while len(first) < ENOUGH and (data := os.read(sys.stdin.fileno(), CHUNK)):
            first += data
    body = {"name": options.name, "type": options.type or guess(first)}
    stream = call(options, "POST", "/streams", body if options.url is None else {**body, "source": options.url})
    print(json.dumps(stream) if options.json else stream["stream_id"], flush=True)  # noqa: T201
    if options.url is not None:
        return
    try:
        NodeClient(options.state_dir).upload(f"/streams/{stream['stream_id']}/data", _stdin(first))
    except (NodeUnreachableError, NodeRefusedError) as error:
        raise Failed(str(error)) from error
    finally:
        with contextlib.suppress(Failed):
            call(options, "DELETE", f"/streams/{stream['stream_id']}")


def _stdin(first: bytes) -> Iterator[bytes]:
    """
    What comes on stdin, as it comes.
    """
    if first:
        yield first
    while data := os.read(sys.stdin.fileno(), CHUNK):
        yield data


# --- Playing.


def do_play(options: argparse.Namespace) -> None:
    """
    Play it to its end.
    """
    from .cli_client import NodeClient, NodeRefusedError, NodeUnreachableError  # noqa: PLC0415

    path = find(options)
    if options.player is None and sys.stdout.isatty():
        raise Failed("this would write bytes to your terminal: use --player EXE, or send stdout somewhere", 2)
    try:
        client = NodeClient(options.state_dir)
        if options.player is not None:
            sys.exit(subprocess.run([*options.player, client.address(path)], check=False).returncode)  # noqa: S603
        for data in client.download(path):
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    except FileNotFoundError as error:
        raise Failed(f"there is no program {options.player[0]!r}") from error
    except (NodeUnreachableError, NodeRefusedError) as error:
        raise Failed(str(error)) from error


def find(options: argparse.Namespace) -> str:
    """
    Find what to play: the path of a call, with its token.
    """
    what = options.what
    streams = [each for each in call(options, "GET", f"/streams?timeout={LOOK_TIMEOUT:g}", None, 10)["streams"]
               if each["stream_id"] is not None]
    found = _fitting(what, streams, "stream_id")
    if found is not None:
        return f"/streams/{found['stream_id']}?token={found['token']}"
    transfers = call(options, "GET", "/transfers")["transfers"]
    found = _fitting(what, transfers, "id") or _fitting(what, transfers, "content_id")
    if found is None:
        if not re.fullmatch(r"[0-9a-fA-F]{64}", what, re.ASCII):
            raise Failed(f"nothing here is called {what!r}, or has an id that begins like this")
        found = call(options, "POST", "/transfers", {"content_id": what.lower()})
    token = call(options, "GET", f"/transfers/{found['id']}")["token"]
    file = "" if options.file is None else "/" + quote(options.file)
    return f"/transfers/{found['id']}/data{file}?token={token}"


def _fitting(what: str, known: list[dict[str, Any]], field: str) -> dict[str, Any] | None:
    """
    Get the one thing whose id begins like this, or that is called like this.
    """
    is_id = re.fullmatch(r"[0-9a-fA-F]+", what, re.ASCII)
    fitting = [each for each in known if each["name"] == what] \
        or [each for each in known if is_id and each[field].startswith(what.lower())]
    if len({each[field] for each in fitting}) > 1:
        raise Failed(f"{len(fitting)} are called or begin like {what}: use more of the id")
    return fitting[0] if fitting else None
