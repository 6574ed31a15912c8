"""
What the commands share: how they fail, ask the node and print.
"""
from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

WRONG_VALUES = frozenset({413, 422})
"""What the node answers to values that cannot be: the same as wrong usage."""


FIRST_LOOK, LAST_LOOK = 0.02, 0.5
"""Seconds between two looks at what is waited for, at the start and later: what is small is done at once."""


class Failed(Exception):
    """
    The command failed: one line, and the exit status.
    """

    def __init__(self, message: str, status: int = 1) -> None:
        """
        Remember what to say.
        """
        super().__init__(message)
        self.status = status


def absolute(text: str) -> Path:
    """
    A path that does not depend on where we are.
    """
    try:
        if not text:
            raise OSError("it is empty")
        path = Path(os.path.abspath(Path(text).expanduser()))
        str(path).encode()
    except (RuntimeError, OSError, UnicodeEncodeError) as error:
        raise Failed(f"{text!r} is no path that can be: {error}", 2) from error
    return path


def call(options: argparse.Namespace, method: str, path: str, body: dict[str, Any] | None = None,
         patience: float = 10.0) -> dict[str, Any]:
    """
    Call the running node.
    """
    from .cli_client import NodeClient, NodeRefusedError, NodeUnreachableError  # noqa: PLC0415 (not needed by node)

    try:
        return NodeClient(options.state_dir).call(method, path, body, patience)
    except NodeUnreachableError as error:
        raise Failed(str(error)) from error
    except NodeRefusedError as error:
        raise Failed(str(error), 2 if error.status in WRONG_VALUES else 1) from error


def show(options: argparse.Namespace, document: dict[str, Any], lines: Callable[[dict[str, Any]], list[str]]) -> None:
    """
    Print a document as JSON, or as lines for people.
    """
    if options.json:
        print(json.dumps(document, indent=2))  # noqa: T201
        return
    for line in lines(document):
        print(line)  # noqa: T201


def find_id(options: argparse.Namespace, text: str, collection: str, field: str, what: str, digits: int) -> str:
    """
    Get the one id of a collection (a call of the node, and the list in its answer) that begins like this.
    """
    if not re.fullmatch(rf"[0-9a-fA-F]{{1,{digits}}}", text, re.ASCII):
        raise Failed(f"{text!r} is no {what}, which has {digits} hex digits", 2)
    if len(text) == digits:
        return text.lower()
    found = [each[field] for each in call(options, "GET", f"/{collection}")[collection]
             if each[field].startswith(text.lower())]
    if not found:
        raise Failed(f"there is no {what} here that begins with {text}")
    if len(found) > 1:
        raise Failed(f"{len(found)} begin with {text}: type more of it")
    return str(found[0])


def look(options: argparse.Namespace, collection: str, field: str, id: str,  # noqa: A002
         ended: Callable[[dict[str, Any]], bool]) -> Iterator[dict[str, Any]]:
    """
    Look at one thing of a collection until it has ended: the last look shows that, or that it is gone.
    """
    wait = FIRST_LOOK
    while True:
        found = [each for each in call(options, "GET", f"/{collection}")[collection] if each[field] == id]
        if not found:
            raise Failed(f"{id} was removed")
        over = ended(found[0])
        if over or wait >= LAST_LOOK:
            yield found[0]
        if over:
            return
        time.sleep(wait)
        wait = min(1.5 * wait, LAST_LOOK)
