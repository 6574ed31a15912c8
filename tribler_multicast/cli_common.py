"""
What the commands share: how they fail, ask the node and print.
"""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

WRONG_VALUES = frozenset({413, 422})
"""What the node answers to values that cannot be: the same as wrong usage."""


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
