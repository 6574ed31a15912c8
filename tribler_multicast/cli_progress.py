"""
How far something is, on stderr: a bar on a terminal, else a line for each tenth.
"""
from __future__ import annotations

import json
import sys
from typing import Any

from .cli_render import MISSING, clean, size_text

BAR = 24
"""Characters of a progress bar."""


def bar(progress: float) -> str:
    """
    How far it is, as a bar.
    """
    full = round(BAR * min(max(progress, 0.0), 1.0))
    return f"[{'#' * full}{'-' * (BAR - full)}]"


def rate_text(value: float) -> str:
    """
    A rate for people.
    """
    return f"{size_text(round(value))}/s" if value >= 1 else MISSING


def time_text(seconds: float | None) -> str:
    """
    A time for people.
    """
    if seconds is None:
        return MISSING
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


class ProgressLine:
    """
    The line that tells it.
    """

    def __init__(self) -> None:
        """
        Nothing was told yet.
        """
        self.terminal, self.told = sys.stderr.isatty(), -1

    def tell(self, progress: float, words: str) -> None:
        """
        Tell how far it is now.
        """
        percent = int(100 * progress)
        text = f"{bar(progress)} {percent:3} %  {words}"
        if self.terminal:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)  # noqa: T201
        elif percent // 10 != self.told // 10:
            print(text, file=sys.stderr, flush=True)  # noqa: T201
        self.told = percent

    def end(self) -> None:
        """
        Leave the line.
        """
        if self.terminal and self.told >= 0:
            print(file=sys.stderr)  # noqa: T201


class Reporter:
    """
    Prints what happens: JSON, or the one thing that is asked for on stdout and the rest on stderr.
    """

    def __init__(self, as_json: bool, event: str, name: str) -> None:
        """
        Without JSON, print this field of this event.
        """
        self.as_json = as_json
        self.wanted = event, name
        self.line = ProgressLine()

    def __call__(self, said: dict[str, Any]) -> None:
        """
        Take note of an event.
        """
        if said["event"] == "hashing":  # In JSON the id comes first.
            if not self.as_json:
                self.line.tell(said["progress"], hashing_words(said))
            return
        if self.as_json:
            print(json.dumps(said), flush=True)  # noqa: T201
            return
        if said["event"] == "progress":
            self.line.tell(said["progress"], words(said))
        if said["event"] == self.wanted[0]:
            self.line.end()
            print(clean(said[self.wanted[1]]), flush=True)  # noqa: T201
            if said.get("left_out"):
                print(f"left out: {said['left_out']} links, pipes or devices", file=sys.stderr, flush=True)  # noqa: T201


def hashing_words(said: dict[str, Any]) -> str:
    """
    What is said beside the bar while it is read what is to be sent.
    """
    left = "" if said["eta_s"] is None else f"  {time_text(said['eta_s'])} left"
    return f"{said['state']}  {rate_text(said['rate'])}{left}"


def words(said: dict[str, Any]) -> str:
    """
    What is said beside the bar.
    """
    if said.get("error"):
        return f"{said['state']}: {clean(said['error'])}"
    if said["state"] == "waiting":
        return "waiting for receivers" if "receivers" in said else "waiting for somebody who offers it"
    who = (f"to {said['receivers']}, {said['finished']} have it" if "receivers" in said
           else f"from {len(said['peers'])}")
    left = "" if said["eta_s"] is None else f"  {time_text(said['eta_s'])} left"
    return f"{said['state']}  {rate_text(max(said['up'], said.get('down', 0)))}  {who}{left}"
