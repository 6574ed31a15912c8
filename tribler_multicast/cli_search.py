"""
``search`` and ``streams``: what is on the local network, as a table.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from .cli_common import call, show
from .cli_render import MISSING, clean, size_text, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

TIMEOUT = 1.0


def add_commands(command: Callable[[str, Callable[[argparse.Namespace], None], str], argparse.ArgumentParser],
                 seconds: Callable[[str], float]) -> None:
    """
    Add the commands to the parser; `seconds` reads a number of them.
    """
    search = command("search", do_search, "Search what the nodes on the local network have.")
    search.add_argument("query", metavar="QUERY", help="words of the name, at most 128 bytes")
    streams = command("streams", do_streams, "What the nodes on the local network stream now.")
    for added in (search, streams):
        added.add_argument("--timeout", metavar="S", type=seconds, default=TIMEOUT,
                           help=f"seconds at most, up to 30 (default {TIMEOUT:g})")


def do_search(options: argparse.Namespace) -> None:
    """
    Search by name.
    """
    query = urlencode({"query": options.query, "timeout": f"{options.timeout:.9f}"}, errors="replace")
    document = call(options, "GET", f"/search?{query}", None, options.timeout + 10)
    show(options, document, lambda document: found_lines(document["results"], "Nothing found."))


def do_streams(options: argparse.Namespace) -> None:
    """
    List what is streamed.
    """
    document = call(options, "GET", f"/streams?timeout={options.timeout:.9f}", None, options.timeout + 10)
    show(options, document, lambda document: found_lines(document["streams"], "Nothing is streamed here now."))


def found_lines(found: list[dict[str, Any]], nothing: str) -> list[str]:
    """
    What was found, one line for each, with the id to get it by.
    """
    if not found:
        return [nothing]
    rows = [[clean(each["kind"]), size_text(each["size"]), str(len(each["peers"])),
             clean(each["infohash"] or each["content_id"] or each["stream_id"] or each["file_id"] or MISSING),
             clean(each["name"]) or MISSING] for each in found]
    return table(("KIND", "SIZE", "PEERS", "ID", "NAME"), rows)
