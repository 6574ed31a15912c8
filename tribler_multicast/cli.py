"""
The command line: ``tribler-multicast COMMAND``, also ``python -m tribler_multicast COMMAND``.

Exit status: 0 done, 1 failed (one line says why), 2 wrong usage. The commands other than ``node`` load nothing but the
standard library and talk to the running node, so that they start fast.
"""
from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from . import __version__
from .cli_common import Failed, call, show
from .cli_search import add_commands as add_search_commands
from .cli_send import add_commands as add_send_commands
from .cli_stream import add_commands as add_stream_commands
from .cli_torrents import add_commands as add_torrent_commands
from .cli_transfers import add_commands as add_transfer_commands
from .cli_tribler import add_commands as add_tribler_commands
from .cli_types import (
    MAX_PING_COUNT,
    assignment,
    checked,
    count,
    folder,
    host,
    key,
    mid,
    nickname,
    ping_count,
    port,
    seconds,
    shared_folder,
)
from .settings import SETTINGS, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PROGRAM = "tribler-multicast"
DEFAULT_STATE_DIR = "~/.tribler-multicast"
DISCOVER_TIMEOUT = 2.0
PING_COUNT = 4
PING_PATIENCE = 10.0
"""Seconds that one ping may take: on a LAN of thousands, each waits until all had time to answer the one before."""
DOCTOR_PATIENCE = 40.0
"""Seconds until the doctor of the running node must have answered: it waits for firewalls' own tools."""


class OneLineParser(argparse.ArgumentParser):
    """
    An argument parser whose errors are one line, and that takes no abbreviated options.
    """

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        """
        Create a parser. An abbreviation that works today would mean something else with the next option.
        """
        super().__init__(**{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """
        Say what is wrong and exit with status 2.
        """
        line = " ".join(message.split())
        self.exit(2, f"{self.prog}: {line} (--help says more)\n")


def make_parser() -> argparse.ArgumentParser:
    """
    The parser of every command.
    """
    common = OneLineParser(add_help=False)
    common.add_argument("--state-dir", metavar="DIR", type=folder, default=argparse.SUPPRESS,
                        help=f"where the node keeps its files (default {DEFAULT_STATE_DIR})")
    common.add_argument("--json", action="store_true", default=argparse.SUPPRESS,
                        help="one JSON document on stdout, nothing else")
    parser = OneLineParser(prog=PROGRAM, parents=[common],
                           description="Finds and shows the nodes on your local network.")
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=OneLineParser)

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(name, parents=[common], help=text, description=text)
        added.set_defaults(run=run)
        return added

    node = command("node", run_node, "Run a node until Ctrl-C. Prints one JSON line when it is ready.")
    node.add_argument("--api-host", metavar="H", type=host, default="127.0.0.1",
                      help="address that the API listens on (default 127.0.0.1)")
    node.add_argument("--api-port", metavar="N", type=port, default=0, help="its port (default 0: any free one)")
    node.add_argument("--api-key", metavar="K", type=key, help="its key (default: a new random one)")
    node.add_argument("--nickname", metavar="NAME", type=nickname, help="name that others see")
    node.add_argument("--set", metavar="name=value", type=assignment, action="append", default=[], dest="settings",
                      help="a setting, for this run; may be repeated (see the command settings)")

    node.add_argument("--share", metavar="DIR", type=shared_folder, action="append", default=[],
                      help="a folder whose files others may find and get; may be repeated")

    command("status", show_status, "This node: interfaces, and messages sent, received and dropped.")
    peers = command("peers", show_peers, "The nodes on the local network, now and earlier.")
    peers.add_argument("--local", action="store_true", help="only those that are local now")

    command("weather", show_weather, "How full the gateway is, what the nodes do, and who steps aside.")
    settings = command("settings", do_settings, "Show all settings or one, or change one.")
    settings.add_argument("setting", metavar="NAME[=VALUE]", nargs="?",
                          help="group_passphrase=- asks for it, or reads stdin")

    discover = command("discover", do_discover, "Ask the local network who is there.")
    discover.add_argument("--timeout", metavar="S", type=seconds, default=DISCOVER_TIMEOUT,
                          help=f"seconds to collect answers (default {DISCOVER_TIMEOUT:g})")
    discover.add_argument("--capability", metavar="C", action="append", default=[],
                          help="only nodes that have it; may be repeated")

    announce = command("announce", do_announce, "Send a tuple to all nodes on the local network; prints its number.")
    announce.add_argument("values", metavar="JSON",
                          help="""a JSON list, '["hello", 1]'; {"hex": "00ff"} are bytes; - reads stdin""")
    listen = command("listen", do_listen, "Print the tuples that others announce, until Ctrl-C, one per line.")
    listen.add_argument("--count", metavar="N", type=count, help="end after so many")

    ping = command("ping", do_ping, "Multicast ping of one node or all: times there and back, and loss.")
    ping.add_argument("mid", metavar="MID", type=mid, nargs="?", help="of a node that is local now (default: all)")
    ping.add_argument("--count", metavar="N", type=ping_count, default=PING_COUNT,
                      help=f"how many times, 1 to {MAX_PING_COUNT} (default {PING_COUNT})")
    ping.add_argument("--throughput", action="store_true",
                      help="measure Mbit/s by multicast too, with up to 14 MB of packets to all")

    friends = command("friends", do_friends, "Friends: list them, add one (ask, or accept its ask), remove one.")
    friends.add_argument("action", metavar="list|add|remove", nargs="?", choices=("list", "add", "remove"),
                         default="list")
    friends.add_argument("mid", metavar="MID", nargs="?", help="of a node that is known (see peers), 40 hex digits")

    add_search_commands(command, seconds)
    add_torrent_commands(command, mid)
    add_send_commands(command)
    add_transfer_commands(command)
    add_stream_commands(command)
    command("doctor", do_doctor, "Examine the network of this machine, with or without a running node.")
    add_tribler_commands(command)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command and return its exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name from the LAN must not crash a terminal that lacks its letters
            stream.reconfigure(errors="backslashreplace")
    options = make_parser().parse_args(arguments)
    options.json = getattr(options, "json", False)
    try:
        options.state_dir = getattr(options, "state_dir", None) or _default_state_dir()
        options.run(options)
        sys.stdout.flush()
    except Failed as error:
        print(f"{PROGRAM}: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        return error.status
    except BrokenPipeError:
        _give_up_stdout()  # the reader (head, less) has seen enough
    except OSError as error:
        _give_up_stdout()
        print(f"{PROGRAM}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        print(f"{PROGRAM}: interrupted", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _default_state_dir() -> Path:
    """
    Where the node keeps its files unless told otherwise.
    """
    try:
        return Path(DEFAULT_STATE_DIR).expanduser()
    except RuntimeError as error:
        raise Failed("you have no home folder, use --state-dir", 2) from error


def _give_up_stdout() -> None:
    """
    Forget what could not be written: Python would try, and complain, once more when it closes stdout.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run_node(options: argparse.Namespace) -> None:
    """
    Run a standalone node.
    """
    from .standalone import node  # noqa: PLC0415 (loads asyncio and more)

    settings: dict[str, Any] = dict(options.settings)
    if options.nickname is not None:
        settings["nickname"] = options.nickname
    if options.share:
        settings["share"] = options.share
    try:
        node.run_node(node.NodeArguments(state_dir=options.state_dir, api_host=options.api_host,
                                         api_port=options.api_port, api_key=options.api_key, settings=settings))
    except node.NodeError as error:
        raise Failed(str(error)) from error


def show_status(options: argparse.Namespace) -> None:
    """
    Show this node.
    """
    from .cli_render import status_lines  # noqa: PLC0415 (not needed by node)

    show(options, call(options, "GET", "/status"), status_lines)


def show_weather(options: argparse.Namespace) -> None:
    """
    Show the network weather.
    """
    from .cli_render import weather_lines  # noqa: PLC0415

    show(options, call(options, "GET", "/weather"), weather_lines)


def show_peers(options: argparse.Namespace) -> None:
    """
    Show the peers.
    """
    from .cli_render import peer_lines  # noqa: PLC0415

    show(options, call(options, "GET", "/peers?local=true" if options.local else "/peers"), peer_lines)


def do_discover(options: argparse.Namespace) -> None:
    """
    Ask the LAN who is there.
    """
    from .cli_render import peer_lines  # noqa: PLC0415

    body = {"timeout": options.timeout, "capabilities": options.capability}
    show(options, call(options, "POST", "/discover", body, options.timeout + 10), peer_lines)


def do_announce(options: argparse.Namespace) -> None:
    """
    Send a tuple to all.
    """
    from .cli_announce import announce  # noqa: PLC0415

    announce(options)


def do_listen(options: argparse.Namespace) -> None:
    """
    Print the tuples of others.
    """
    from .cli_announce import listen  # noqa: PLC0415

    listen(options)


def do_ping(options: argparse.Namespace) -> None:
    """
    Ping one node or all.
    """
    from .cli_render import ping_lines  # noqa: PLC0415

    body = {"count": options.count, **({"mid": options.mid} if options.mid else {}),
            **({"throughput": True} if options.throughput else {})}
    show(options, call(options, "POST", "/ping", body, 30 + PING_PATIENCE * options.count), ping_lines)


def do_friends(options: argparse.Namespace) -> None:
    """
    List, add or remove friends.
    """
    from .cli_friends import friends  # noqa: PLC0415

    friends(options)


def do_settings(options: argparse.Namespace) -> None:
    """
    Show or change settings.
    """
    from .cli_render import setting_lines  # noqa: PLC0415

    name, equals, text = (options.setting or "").partition("=")
    if options.setting is not None and name not in SETTINGS:
        raise Failed(f"there is no setting {name!r}, the settings are: {', '.join(SETTINGS)}", 2)
    if equals:
        if text == "-" and SETTINGS[name].secret:
            text = _read_secret(name)
        try:
            value = checked(name, text)
        except argparse.ArgumentTypeError as error:
            raise Failed(str(error), 2) from error
        document = call(options, "PATCH", "/settings", {name: value})
    else:
        document = call(options, "GET", "/settings")
    if name:
        document["settings"] = [setting for setting in document["settings"] if setting["name"] == name]
    show(options, document, setting_lines)


def _read_secret(name: str) -> str:
    """
    Read a secret that is to be on no command line, where others see it: typed unseen, or the first line of stdin.
    """
    if sys.stdin.isatty():
        from getpass import getpass  # noqa: PLC0415

        return getpass(f"{name}: ")
    return sys.stdin.readline().rstrip("\r\n")


def do_doctor(options: argparse.Namespace) -> None:
    """
    Examine the network: by the running node, which knows its own sockets, or without one.
    """
    from .cli_client import NodeClient, NodeRefusedError, NodeUnreachableError  # noqa: PLC0415
    from .cli_render import finding_lines  # noqa: PLC0415

    try:
        document = NodeClient(options.state_dir).call("GET", "/doctor", None, DOCTOR_PATIENCE)
    except NodeUnreachableError:
        document = {"findings": _examine(options.state_dir)}
    except NodeRefusedError as error:
        raise Failed(str(error)) from error
    show(options, document, finding_lines)


def _examine(state_dir: Path) -> list[dict[str, Any]]:
    """
    Examine the network with no node running, under the settings that a node would have.
    """
    import dataclasses  # noqa: PLC0415

    from .doctor import examine  # noqa: PLC0415

    try:
        saved = json.loads((state_dir / "settings.json").read_bytes())
        settings = Settings(file=saved if isinstance(saved, dict) else None, environment=os.environ)
    except FileNotFoundError:
        settings = Settings(environment=os.environ)
    except (OSError, ValueError) as error:
        raise Failed(f"the settings cannot be read: {error}") from error
    return [dataclasses.asdict(finding) for finding in examine(settings)]
