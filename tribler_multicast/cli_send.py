"""
``send`` and ``receive``: one file or folder to many, with no node running.
"""
from __future__ import annotations

from typing import TYPE_CHECKING

from .cli_common import Failed, absolute
from .cli_progress import Reporter
from .cli_types import assignment, content_id, count, rate

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def add_commands(command: Callable[[str, Callable[[argparse.Namespace], None], str],
                                   argparse.ArgumentParser]) -> None:
    """
    Add the commands to the parser.
    """
    send = command("send", do_send, "Send a file or folder to all who receive it, and end when they have it.")
    send.add_argument("path", metavar="PATH", help="a file or folder")
    send.add_argument("--receivers", metavar="N", type=count, default=1,
                      help="begin when so many joined, or 2 s after the first; end when so many have it (default 1)")
    receive = command("receive", do_receive, "Receive a file or folder that somebody sends or publishes.")
    which = receive.add_mutually_exclusive_group(required=True)
    which.add_argument("id", metavar="ID", nargs="?", type=content_id, help="what send or publish printed")
    which.add_argument("--any", action="store_true", help="the first that anybody offers")
    receive.add_argument("--output", metavar="PATH", required=True,
                         help="an existing folder: into it, under the name it has; else the name of the result")
    receive.add_argument("--rate", metavar="RATE", type=rate,
                         help="the most that is taken, in bytes/s, or such as 500k, 2M")
    for added in (send, receive):
        added.add_argument("--set", metavar="name=value", type=assignment, action="append", default=[],
                           dest="settings", help="a setting, for this run; may be repeated (see the command settings)")


def do_send(options: argparse.Namespace) -> None:
    """
    Send.
    """
    path = absolute(options.path)
    from .standalone import oneshot  # noqa: PLC0415 (loads asyncio and more)

    report = Reporter(options.json, "published", "content_id")
    try:
        oneshot.send(oneshot.OneShotArguments(options.state_dir, dict(options.settings)), path, options.receivers,
                     report)
    except oneshot.OneShotError as error:
        raise Failed(str(error)) from error
    finally:
        report.line.end()


def do_receive(options: argparse.Namespace) -> None:
    """
    Receive.
    """
    output = absolute(options.output)
    if not output.parent.is_dir():
        raise Failed(f"there is no folder {str(output.parent)!r}")
    from .standalone import oneshot  # noqa: PLC0415

    report = Reporter(options.json, "done", "path")
    try:
        oneshot.receive(oneshot.OneShotArguments(options.state_dir, dict(options.settings)),
                        None if options.any else bytes.fromhex(options.id), output, report, options.rate or None)
    except oneshot.OneShotError as error:
        raise Failed(str(error)) from error
    finally:
        report.line.end()
