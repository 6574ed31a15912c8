"""
The commands about Tribler itself: ``run``, ``install``, ``uninstall``.
"""
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .cli_common import Failed

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def run(options: argparse.Namespace) -> None:
    """
    Run an unmodified Tribler with the plugin.
    """
    from .tribler8 import runner  # noqa: PLC0415

    arguments = options.arguments[1:] if options.arguments[:1] == ["--"] else options.arguments
    try:
        status = runner.run(options.tribler, options.python, arguments)
    except runner.RunError as error:
        raise Failed(str(error)) from error
    sys.exit(status)


def install(options: argparse.Namespace) -> None:
    """
    Put the plugin into a tree.
    """
    _change(options, "install")


def uninstall(options: argparse.Namespace) -> None:
    """
    Take the plugin out of a tree.
    """
    _change(options, "uninstall")


def _change(options: argparse.Namespace, what: str) -> None:
    """
    Do it, and print what was done, as JSON or as one line.
    """
    from .tribler8 import install  # noqa: PLC0415

    try:
        done = getattr(install, what)(options.folder)
    except install.InstallError as error:
        raise Failed(str(error)) from error
    print(json.dumps(done, indent=2) if options.json else done["message"])  # noqa: T201


def add_commands(command: Callable[..., argparse.ArgumentParser]) -> None:
    """
    Add the commands to the parser.

    :param command: makes a command: (name, function, help) -> its parser.
    """
    run_parser = command("run", run, "Run a Tribler 8 source tree, unmodified, with the plugin.")
    run_parser.add_argument("--tribler", metavar="DIR", type=Path, required=True, help="the source tree")
    run_parser.add_argument("--python", metavar="EXE", help="the Python to run it with (default: TRIBLER_PYTHON, the "
                                                            "tree's own virtual environment, or this one)")
    run_parser.add_argument("arguments", metavar="-- ARGS", nargs="*", help="arguments for Tribler itself")
    for name, function, text in (("install", install, "Put the plugin into a Tribler source or installed tree."),
                                 ("uninstall", uninstall, "Take the plugin out again, byte for byte.")):
        parser = command(name, function, text)
        parser.add_argument("folder", metavar="DIR", type=Path, help="the tree")
