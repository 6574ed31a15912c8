"""
The commands ``announce`` and ``listen``: tuples to all on the local network, and from them.
"""
from __future__ import annotations

import json
import math
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, NoReturn

from .cli_client import CONNECTED, NodeClient, NodeRefusedError, NodeUnreachableError
from .cli_common import Failed, call, show
from .cli_render import clean, json_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

MAX_INPUT = 4 * 1024 * 1024
"""Bytes read from stdin. Stops an endless one from filling the memory; the node takes half of that."""

TOPIC = "multicast_announcement"
QUIET = 60.0
"""Seconds without a sign of life, of which the node gives one every 15 s, until it counts as gone."""

PAUSE = 0.1
"""Seconds before the event stream is opened again: the node may be about to end."""

NAMES_AGE = 10.0
"""Seconds for which the nicknames asked for last are good enough."""

NEVER = 10 ** 15 - 1
"""More than any sequence number: a question that is answered by the newest number alone."""


def announce(options: argparse.Namespace) -> None:
    """
    Send a tuple to all.
    """
    values = _values(_from_stdin() if options.values == "-" else options.values)
    show(options, call(options, "POST", "/announcements", {"values": values}), lambda answer: [str(answer["seq"])])


def _from_stdin() -> str:
    """
    Read stdin to its end.
    """
    content = sys.stdin.buffer.read(MAX_INPUT + 1)
    if len(content) > MAX_INPUT:
        raise Failed(f"stdin has more than {MAX_INPUT} bytes", 2)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Failed("stdin is not UTF-8", 2) from error


def _refuse_constant(name: str) -> NoReturn:
    """
    Refuse NaN and infinities, which Python reads but JSON does not have.
    """
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    """
    A number, unless it is so large that Python takes it for infinity.
    """
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _values(text: str) -> list[Any]:
    """
    The values of a JSON list.
    """
    try:
        values = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise Failed(f"these values cannot be read as JSON: {error}", 2) from error
    if not isinstance(values, list):
        raise Failed("""this is not a JSON list; a list is for example '["hello", 1]'""", 2)
    return values


def listen(options: argparse.Namespace) -> None:
    """
    Print the tuples of others as they come, until Ctrl-C or so many have come.
    """
    try:
        _Listener(options).run()
    except KeyboardInterrupt:
        pass  # which is how it is ended
    except (NodeUnreachableError, NodeRefusedError) as error:
        raise Failed(str(error)) from error


class _Listener:
    """
    What was printed up to now. Events only wake it up: what to print it asks for, so that nothing comes twice or not
    at all when the stream is interrupted.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        """
        Find the node.
        """
        self.client = NodeClient(options.state_dir)
        self.json = options.json
        self.left: int | None = options.count
        self.names: dict[str, str] = {}
        self.names_until = 0.0

    def run(self) -> None:
        """
        Print until enough were printed.
        """
        since = None
        while True:
            with closing(self.client.events(QUIET)) as topics:
                for topic in topics:
                    if since is None:
                        since = self.ask(NEVER)["last"]
                    elif topic in {CONNECTED, TOPIC}:
                        since = self.print_new(since)
                    if self.left == 0:
                        return
            time.sleep(PAUSE)

    def ask(self, since: int) -> dict[str, Any]:
        """
        Ask for what came after a number.
        """
        answer = self.client.call("GET", f"/announcements?since={since}", None, 10.0)
        if not isinstance(answer.get("last"), int) or not isinstance(answer.get("announcements"), list):
            raise NodeRefusedError("the node answers in a form that this program does not know", 500)
        return answer

    def print_new(self, since: int) -> int:
        """
        Print what came after a number, as much as is wanted; return the newest number.
        """
        answer = self.ask(since)
        if answer["last"] < since:  # restarted at the same address
            since = 0
            answer = self.ask(since)
        new = answer["announcements"]
        if new and new[0]["seq"] > since + 1:
            print(f"{new[0]['seq'] - since - 1} announcements came too fast and were missed",  # noqa: T201
                  file=sys.stderr)
        new = new if self.left is None else new[:self.left]
        if not self.json:
            self.refresh_names(entry["mid"] for entry in new)
        for entry in new:
            print(json.dumps(entry) if self.json else self.line(entry), flush=True)  # noqa: T201
            if self.left is not None:
                self.left -= 1
        return int(answer["last"])

    def refresh_names(self, mids: Iterable[str]) -> None:
        """
        Ask for nicknames, unless they are known from a moment ago.
        """
        if time.monotonic() > self.names_until or not self.names.keys() >= set(mids):
            peers = self.client.call("GET", "/peers", None, 10.0)["peers"]
            self.names = {peer["mid"]: peer["nickname"] for peer in peers}
            self.names_until = time.monotonic() + NAMES_AGE

    def line(self, entry: dict[str, Any]) -> str:
        """
        An announcement for people: who and what.
        """
        return f"{clean(self.names.get(entry['mid']) or entry['mid'])}  {json_text(entry['values'])}"
